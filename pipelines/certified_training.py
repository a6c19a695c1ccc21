"""certified_training: validate the data, train, attack, certify, issue the certificate. How steps connect, no more."""

from typing import List  # noqa: UP035  kfp reads this name, not the built-in one

from kfp import dsl

from components.adversarial_training.component import adversarial_training
from components.certificate_issue.component import certificate_issue
from components.certification.component import certification
from components.data_validation.component import data_validation
from components.gate.component import gate
from components.robustness_evaluation.component import robustness_evaluation


@dsl.pipeline(
    name="certified-training",
    description="From a specification to a signed certificate of adversarial robustness.",
)
def certified_training(
    specification: str,
    store: str,
    signing_key: str,
    shards: List[str] = ["1/1"],  # noqa: B006, UP006
    workers: int = 1,
    source_folder: str = "",
    run_id: str = "",
    run_token: str = "",
    supersedes: str = "",
    reason: str = "started by a person",
) -> None:
    """From a specification to a signed certificate.

    Args:
        specification: The specification as text, as a path, or as an s3:// URI.
        store: Folder or s3:// URI of the content-addressed store.
        signing_key: Path of the private key inside the issuing container.
        shards: Parts that certification is cut into, such as ["1/2", "2/2"].
        workers: Worker processes per shard.
        source_folder: Folder that relative paths of the specification start from.
        run_id: Name of this run; the engine's identifier where empty.
        run_token: Any text; a new one makes every step run again.
        supersedes: SHA-256 of the certificate file that the new one replaces.
        reason: Why the run was started.
    """
    common = {"specification": specification, "store": store, "run_token": run_token}
    data = data_validation(**common, source_folder=source_folder)
    data_gate = gate(passed=data.outputs["passed"], reason=data.outputs["summary"])
    dataset = data.outputs["dataset"]
    training = adversarial_training(**common, source_folder=source_folder, dataset=dataset).after(data_gate)
    model = training.outputs["model"]
    evaluation = robustness_evaluation(**common, dataset=dataset, model=model)
    with dsl.ParallelFor(items=shards) as shard:
        certified = certification(**common, dataset=dataset, model=model, shard=shard, workers=workers)
    issue = certificate_issue(
        specification=specification,
        store=store,
        signing_key=signing_key,
        run_id=run_id,
        job_id=dsl.PIPELINE_JOB_ID_PLACEHOLDER,
        source_folder=source_folder,
        supersedes=supersedes,
        reason=reason,
        dataset=dataset,
        data_report=data.outputs["report"],
        model=model,
        history=training.outputs["history"],
        evaluation_evidence=evaluation.outputs["evidence"],
        adversarials=evaluation.outputs["adversarials"],
        validity=evaluation.outputs["validity"],
        shards=dsl.Collected(certified.outputs["evidence"]),
        shard_records=dsl.Collected(certified.outputs["record"]),
        data_record=data.outputs["record"],
        training_record=training.outputs["record"],
        evaluation_record=evaluation.outputs["record"],
    )
    gate(passed=issue.outputs["accepted"], reason=issue.outputs["summary"])
