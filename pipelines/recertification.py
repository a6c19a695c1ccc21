"""recertification: a certified model is tested again, on its own test data and on a window of production data besides.

    open the certificate -> gate -> window evaluation -> keep or train anew -> window evaluation -> gate
      -> attack -> certify -> issue (superseding) -> gate -> publish

Whether to keep the model is decided inside one step, since kfp can't choose between artifacts. The second evaluation of
a model that was kept takes over what the first one found. How steps connect, no more.
"""

from dataclasses import dataclass, field, fields
from typing import Any

from kfp import dsl
from kfp.dsl import PipelineTask

from components.gate.component import gate
from components.recertification_inputs.component import recertification_inputs
from components.recertification_model.component import recertification_model
from components.robustness_evaluation.component import robustness_evaluation
from components.window_evaluation.component import window_evaluation
from pipelines.certification_and_issue import Evaluated, certification_and_issue_pipeline, certify_issue_and_publish
from pipelines.evaluation import evaluated_by
from pipelines.input_group import InputGroup, form, pipeline
from pipelines.inputs import Issue, Sharding, Source
from pipelines.node_pool import CompileTime, NodePool, on_any_node, on_gpu_pool, opens_store


def _as_in(group: type, name: str) -> Any:
    """An input that another group has too, with its default and its sentence."""
    found = next(part for part in fields(group) if part.name == name)
    return field(default=found.default, metadata=found.metadata)


@dataclass(frozen=True, kw_only=True)
class Request(InputGroup):
    """Which certificate, why, and what besides its own test data."""

    certificate: str = field(
        metadata=form("The certificate: its SHA-256, 8 digits of it or more, or the name it is published under.")
    )
    reason: str = field(metadata=form("Why it is certified again; kept in the run record."))
    store: str = _as_in(Source, "store")
    run_token: str = field(
        default="",
        metadata=form("Any text; makes every step run again, and the seed of a new training. The run's name."),
    )
    trusted_key: str = field(
        default="",
        metadata=form("Public key that must have signed it, as PEM text or a path; empty leaves that unchecked."),
    )
    window_uri: str = field(
        default="", metadata=form("Labelled rows of production data: an s3:// URI or a path; empty for none.")
    )
    window_sha256: str = field(default="", metadata=form("SHA-256 of the window's file; required with a window."))


@dataclass(frozen=True, kw_only=True)
class Signing(InputGroup):
    """Who signs, under which name, and where the certificate is announced."""

    signing_key: str = _as_in(Issue, "signing_key")
    run_id: str = _as_in(Issue, "run_id")
    registry: str = _as_in(Issue, "registry")
    registry_token: str = _as_in(Issue, "registry_token")
    registry_ca: str = _as_in(Issue, "registry_ca")


def recertification_pipeline(fixed: CompileTime) -> Any:
    """The pipeline with other settings than those of the committed file; compile it with kfp.compiler."""
    nested = certification_and_issue_pipeline(fixed)

    @pipeline(name="recertification")
    def recertification(request: Request, sharding: Sharding, signing: Signing, pool: NodePool) -> None:
        """From a certificate to the one that supersedes it, where the claim still holds; nothing is deployed by it."""
        pool = fixed.on(pool)
        opened, passed = _opened(request, signing, pool=pool)
        common = {
            "specification": opened.outputs["specification"],
            "store": request.store,
            "run_token": opened.outputs["token"],
        }
        model, holds = _model(common, opened, passed, pool=pool, fixed=fixed)
        certify_issue_and_publish(
            nested,
            common,
            _evaluated(common, opened, model, holds, pool=pool, fixed=fixed),
            source_folder="",
            sharding=sharding,
            issue=_issue(signing, opened),
            pool=pool,
        )

    return recertification


def _opened(request: Request, signing: Signing, *, pool: NodePool) -> tuple[PipelineTask, PipelineTask]:
    """recertification_inputs, and the gate behind it, which a window off its contract does not pass."""
    opened = recertification_inputs(
        **request.parameters(), run_id=signing.run_id, job_id=dsl.PIPELINE_JOB_ID_PLACEHOLDER
    )
    on_any_node(opens_store(opened, pool), pool)
    passed = gate(passed=opened.outputs["passed"], reason=opened.outputs["summary"])
    return opened, on_any_node(passed, pool)


def _model(
    common: dict[str, Any], opened: PipelineTask, passed: PipelineTask, *, pool: NodePool, fixed: CompileTime
) -> tuple[PipelineTask, PipelineTask]:
    """The model to certify, and the gate that only one which holds on the window passes."""
    first = _on_window(common, opened, opened.outputs["model"], pool=pool, fixed=fixed).after(passed)
    model = recertification_model(
        **common,
        holds=first.outputs["holds"],
        dataset=opened.outputs["dataset"],
        certified_model=opened.outputs["model"],
        certified_history=opened.outputs["history"],
    )
    on_gpu_pool(opens_store(model, pool), pool, fixed)
    second = _on_window(common, opened, model.outputs["model"], pool=pool, fixed=fixed)
    holds = gate(passed=second.outputs["holds"], reason=second.outputs["summary"])
    return model, on_any_node(holds, pool)


def _on_window(
    common: dict[str, Any], opened: PipelineTask, model: Any, *, pool: NodePool, fixed: CompileTime
) -> PipelineTask:
    task = window_evaluation(
        **common,
        run_id=opened.outputs["run"],
        certificate_sha256=opened.outputs["certificate_sha256"],
        model=model,
        window=opened.outputs["window"],
    )
    return on_gpu_pool(opens_store(task, pool), pool, fixed)


def _evaluated(
    common: dict[str, Any],
    opened: PipelineTask,
    model: PipelineTask,
    holds: PipelineTask,
    *,
    pool: NodePool,
    fixed: CompileTime,
) -> Evaluated:
    """robustness_evaluation on the certified test data, once the window's gate is passed."""
    dataset, file = opened.outputs["dataset"], model.outputs["model"]
    evaluation = robustness_evaluation(**common, dataset=dataset, model=file).after(holds)
    on_gpu_pool(opens_store(evaluation, pool), pool, fixed)
    return evaluated_by(opened, model, evaluation)


def _issue(signing: Signing, opened: PipelineTask) -> Issue:
    return Issue(
        signing_key=signing.signing_key,
        run_id=opened.outputs["run"],
        supersedes=opened.outputs["certificate_sha256"],
        reason=opened.outputs["why"],
        registry=signing.registry,
        registry_token=signing.registry_token,
        registry_ca=signing.registry_ca,
    )


recertification = recertification_pipeline(CompileTime())
