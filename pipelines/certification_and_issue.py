"""What every certifying pipeline ends with: certification in shards, the certificate, a gate and its publication.

The loop over shards is in a pipeline of its own, nested in the others: a local run can loop over a nested pipeline's
input, but not over what a task has just put out. How steps connect, no more.
"""

from dataclasses import dataclass, fields
from typing import Any, List, NamedTuple  # noqa: UP035  kfp reads these names, not the built-in ones

from kfp import dsl

from components.certificate_issue.component import certificate_issue
from components.certification.component import certification
from components.certification_plan.component import certification_plan
from components.gate.component import gate
from components.publish.component import publish
from pipelines.input_group import pipeline
from pipelines.inputs import Issue, Sharding
from pipelines.node_pool import CompileTime, NodePool, asks_registry, on_any_node, on_gpu_pool, opens_store, signs


class Issued(NamedTuple):
    """Outputs of the nested pipeline."""

    certificate: dsl.Artifact
    accepted: bool
    summary: str


@dataclass(frozen=True, kw_only=True)
class Evaluated:
    """What the steps before certification made, by the names of certificate_issue's inputs."""

    dataset: Any
    data_report: Any
    model: Any
    history: Any
    evaluation_evidence: Any
    adversarials: Any
    validity: Any
    data_record: Any
    training_record: Any
    evaluation_record: Any

    def artifacts(self) -> dict[str, Any]:
        """The channels by name, as the nested pipeline takes them."""
        return {item.name: getattr(self, item.name) for item in fields(self)}


def certification_and_issue_pipeline(fixed: CompileTime) -> Any:
    """The nested pipeline: certification in a loop over shards, then certificate_issue."""

    @pipeline(name="certification-and-issue")
    def certification_and_issue(
        specification: str,
        store: str,
        source_folder: str,
        run_token: str,
        shard_names: List[str],  # noqa: UP006
        workers: int,
        issue: Issue,
        pool: NodePool,
        plan: dsl.Input[dsl.Artifact],
        dataset: dsl.Input[dsl.Dataset],
        data_report: dsl.Input[dsl.Artifact],
        model: dsl.Input[dsl.Model],
        history: dsl.Input[dsl.Artifact],
        evaluation_evidence: dsl.Input[dsl.Artifact],
        adversarials: dsl.Input[dsl.Artifact],
        validity: dsl.Input[dsl.Artifact],
        data_record: dsl.Input[dsl.Artifact],
        training_record: dsl.Input[dsl.Artifact],
        evaluation_record: dsl.Input[dsl.Artifact],
    ) -> Issued:
        """Certifies every shard, merges the evidence, and signs."""
        pool = fixed.on(pool)
        common = {"specification": specification, "store": store}
        with dsl.ParallelFor(items=shard_names, parallelism=fixed.parallel_shards) as shard:
            certified = certification(
                **common, run_token=run_token, dataset=dataset, model=model, plan=plan, shard=shard, workers=workers
            )
            on_gpu_pool(opens_store(certified, pool), pool, fixed)
            certified.set_retry(num_retries=fixed.shard_retries, backoff_duration=fixed.retry_pause, backoff_factor=2.0)
        issued = certificate_issue(
            **common,
            source_folder=source_folder,
            signing_key=issue.signing_key,
            run_id=issue.run_id,
            job_id=dsl.PIPELINE_JOB_ID_PLACEHOLDER,
            supersedes=issue.supersedes,
            reason=issue.reason,
            dataset=dataset,
            data_report=data_report,
            model=model,
            history=history,
            evaluation_evidence=evaluation_evidence,
            adversarials=adversarials,
            validity=validity,
            shards=dsl.Collected(certified.outputs["evidence"]),
            shard_records=dsl.Collected(certified.outputs["record"]),
            data_record=data_record,
            training_record=training_record,
            evaluation_record=evaluation_record,
        )
        on_any_node(signs(opens_store(issued, pool), pool), pool)
        outputs = issued.outputs
        return Issued(certificate=outputs["certificate"], accepted=outputs["accepted"], summary=outputs["summary"])

    return certification_and_issue


def certify_issue_and_publish(
    certification_and_issue: Any,
    common: dict[str, Any],
    evaluated: Evaluated,
    *,
    source_folder: Any,
    sharding: Sharding,
    issue: Issue,
    pool: NodePool,
) -> None:
    """Plan, nested pipeline, gate and publication; `common` holds specification, store and run_token.

    kfp makes no pipeline inside another's function: the nested one is made before, in the factory of the outer.
    """
    planned = certification_plan(**common, dataset=evaluated.dataset, model=evaluated.model, shards=sharding.shards)
    on_any_node(opens_store(planned, pool), pool)
    issued = certification_and_issue(
        **common,
        source_folder=source_folder,
        shard_names=planned.outputs["shard_names"],
        workers=sharding.workers,
        **issue.parameters(),
        **pool.parameters(),
        plan=planned.outputs["plan"],
        **evaluated.artifacts(),
    )
    passed = gate(passed=issued.outputs["accepted"], reason=issued.outputs["summary"])
    on_any_node(passed, pool)
    registry = {"registry_token": issue.registry_token, "registry_ca": issue.registry_ca}
    published = publish(
        store=common["store"], certificate=issued.outputs["certificate"], registry=issue.registry, **registry
    ).after(passed)
    on_any_node(asks_registry(opens_store(published, pool), pool), pool)
