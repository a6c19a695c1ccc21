"""Kubeflow component: merges the evidence, judges the criteria, signs the certificate and stores the bundle."""

from typing import List, NamedTuple  # noqa: UP035  kfp reads these names, not the built-in ones

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def certificate_issue(
    specification: str,
    store: str,
    signing_key: str,
    run_id: str,
    job_id: str,
    dataset: dsl.Input[dsl.Dataset],
    data_report: dsl.Input[dsl.Artifact],
    model: dsl.Input[dsl.Model],
    history: dsl.Input[dsl.Artifact],
    evaluation_evidence: dsl.Input[dsl.Artifact],
    adversarials: dsl.Input[dsl.Artifact],
    validity: dsl.Input[dsl.Artifact],
    shards: dsl.Input[List[dsl.Artifact]],  # noqa: UP006
    shard_records: dsl.Input[List[dsl.Artifact]],  # noqa: UP006
    data_record: dsl.Input[dsl.Artifact],
    training_record: dsl.Input[dsl.Artifact],
    evaluation_record: dsl.Input[dsl.Artifact],
    certificate: dsl.Output[dsl.Artifact],
    report: dsl.Output[dsl.HTML],
    source_folder: str = "",
    supersedes: str = "",
    reason: str = "",
) -> NamedTuple("Outputs", [("accepted", bool), ("summary", str)]):  # type: ignore[valid-type]
    """Merges the evidence, judges the acceptance criteria, signs, and stores certificate, evidence and report.

    Args:
        specification: The specification as text, as a path, or as an s3:// URI.
        store: Folder or s3:// URI of the content-addressed store.
        signing_key: Path of the private key in this container; its passphrase is read from ROBUSTCERT_KEY_PASSPHRASE.
        run_id: Name of this run; where empty, job_id is used.
        job_id: Identifier that the pipeline engine gave to the run.
        dataset: The validated data set.
        data_report: What validation found.
        model: The model file.
        history: Losses and accuracies per epoch.
        evaluation_evidence: One row per attacked sample.
        adversarials: The perturbed inputs that were found.
        validity: Sanity checks of the evaluation.
        shards: Evidence of every certification shard.
        shard_records: Record of every certification shard.
        data_record: Record of data validation.
        training_record: Record of training.
        evaluation_record: Record of the evaluation.
        source_folder: Folder of the specification; its git commit enters the run record.
        supersedes: SHA-256 of the certificate file that this one replaces; empty for none.
        reason: Why the run was started.

    Returns:
        certificate: The signed certificate, a DSSE envelope.
        report: The report for people, one self-contained HTML file.
        accepted: Whether every acceptance criterion is met.
        summary: One line that says which criteria are met.
    """
    import os
    from pathlib import Path

    from robustcert.steps.certificate_issue import IssueFiles, issue_certificate

    single = {"dataset": dataset, "data_report": data_report, "model": model, "history": history}
    single |= {"evaluation_evidence": evaluation_evidence, "adversarials": adversarials, "validity": validity}
    single |= {"certificate": certificate, "report": report}
    records = [data_record, training_record, evaluation_record, *shard_records]
    lists = {"shards": [Path(shard.path) for shard in shards], "records": [Path(item.path) for item in records]}
    paths = {name: Path(artifact.path) for name, artifact in single.items()}
    files = IssueFiles(**paths, **lists)  # type: ignore[arg-type]
    text = {"specification": specification, "store": store, "signing_key": signing_key, "run_id": run_id or job_id}
    text |= {"source_folder": source_folder, "supersedes": supersedes, "reason": reason}
    outcome = issue_certificate(**text, files=files, passphrase=os.environ.get("ROBUSTCERT_KEY_PASSPHRASE"))
    return outcome.accepted, outcome.summary
