"""Kubeflow component: attacks a model on a window of production data, and judges the empirical criteria there."""

from typing import NamedTuple

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def window_evaluation(
    specification: str,
    store: str,
    run_id: str,
    certificate_sha256: str,
    model: dsl.Input[dsl.Model],
    window: dsl.Input[dsl.Dataset],
    evidence: dsl.Output[dsl.Artifact],
    report: dsl.Output[dsl.Markdown],
    record: dsl.Output[dsl.Artifact],
    run_token: str = "",
) -> NamedTuple("Outputs", [("holds", bool), ("summary", str)]):  # type: ignore[valid-type]
    """Evaluates a model on the window, clean and under the registered suite, and stores what was found.

    Args:
        specification: The specification as text, as a path, or as an s3:// URI.
        store: Folder or s3:// URI of the content-addressed store.
        run_id: Name of this run, under which the store keeps what was found.
        certificate_sha256: SHA-256 of the certificate that is certified again.
        model: The model file.
        window: The window on the grid of the certified data set; an empty file where there is none.
        run_token: Any text; a new one makes every step run again.

    Returns:
        evidence: One row per attacked row of the window, as Parquet.
        report: The page for people.
        record: Digests and cost of this step.
        holds: Whether every empirical criterion is met on the window, or there is none.
        summary: One line that says which criteria are met.
    """
    from pathlib import Path

    from robustcert.steps.window_evaluation import evaluate_window

    text = {"specification": specification, "store": store, "run_token": run_token}
    text |= {"run_id": run_id, "certificate_sha256": certificate_sha256}
    artifacts = {"model": model, "window": window, "evidence": evidence, "report": report, "record": record}
    files = {name: Path(artifact.path) for name, artifact in artifacts.items()}
    found = evaluate_window(**text, **files)  # type: ignore[arg-type]
    return found.holds, found.summary
