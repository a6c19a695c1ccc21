"""Kubeflow component: opens a certificate in the store, and holds a window of production data to its contract."""

from typing import NamedTuple

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def recertification_inputs(
    store: str,
    certificate: str,
    reason: str,
    job_id: str,
    dataset: dsl.Output[dsl.Dataset],
    report: dsl.Output[dsl.Artifact],
    model: dsl.Output[dsl.Model],
    history: dsl.Output[dsl.Artifact],
    window: dsl.Output[dsl.Dataset],
    window_report: dsl.Output[dsl.Artifact],
    record: dsl.Output[dsl.Artifact],
    trusted_key: str = "",
    window_uri: str = "",
    window_sha256: str = "",
    run_id: str = "",
    run_token: str = "",
) -> NamedTuple(  # type: ignore[valid-type]
    "Outputs",
    [
        ("specification", str),
        ("certificate_sha256", str),
        ("run", str),
        ("token", str),
        ("why", str),
        ("passed", bool),
        ("summary", str),
    ],
):
    """Takes specification, data and model from the store as they were certified, and puts the window on their grid.

    Args:
        store: Folder or s3:// URI of the content-addressed store.
        certificate: SHA-256 of the certificate, 8 of its digits or more, or the name it is published under.
        reason: Why it is certified again.
        job_id: Identifier that the pipeline engine gave to the run.
        trusted_key: Public key that must have signed, as PEM text or as a path; empty to leave that unchecked.
        window_uri: Labelled rows of production data, a path or an s3:// URI; empty for none.
        window_sha256: SHA-256 of the window's file.
        run_id: Name of this run; where empty, job_id is used.
        run_token: Any text; a new one makes every step run again. The run's name where empty.

    Returns:
        dataset: The certified data set.
        report: What validation of the certified data found.
        model: The certified model file.
        history: Losses and accuracies per epoch of the certified model's training.
        window: The window on the grid of the certified data set; empty where none was given or it broke the contract.
        window_report: What validation of the window found.
        record: Digests and cost of this step.
        specification: URI of the registered specification in the store.
        certificate_sha256: SHA-256 of the certificate file that the new one replaces.
        run: Name of this run.
        token: The token that every other step is keyed by.
        why: The reason, and whether the signature was checked.
        passed: Whether the window keeps the contract, or there is none.
        summary: One line that says what was found.
    """
    from pathlib import Path

    from robustcert.steps.recertification_inputs import RecertificationFiles, Request, open_recertification

    made = {"dataset": dataset, "report": report, "model": model, "history": history}
    made |= {"window": window, "window_report": window_report, "record": record}
    files = RecertificationFiles(**{name: Path(artifact.path) for name, artifact in made.items()})
    text = {"certificate": certificate, "reason": reason, "trusted_key": trusted_key, "run_id": run_id or job_id}
    text |= {"window_uri": window_uri, "window_sha256": window_sha256, "run_token": run_token}
    found = open_recertification(store=store, request=Request(**text), files=files)
    where = (found.specification, found.certificate_sha256, found.run_id, found.run_token, found.reason)
    return (*where, found.passed, found.summary)
