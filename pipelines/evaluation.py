"""What every certifying pipeline starts with: data are validated, a gate is passed, and a model is evaluated."""

from typing import Any

from kfp.dsl import PipelineTask

from components.data_validation.component import data_validation
from components.gate.component import gate
from components.robustness_evaluation.component import robustness_evaluation
from pipelines.certification_and_issue import Evaluated
from pipelines.inputs import Source
from pipelines.node_pool import CompileTime, NodePool, on_any_node, on_gpu_pool, opens_store


def common_inputs(source: Source) -> dict[str, Any]:
    """The inputs that every step but gate and publish has."""
    return {"specification": source.specification, "store": source.store, "run_token": source.run_token}


def validated_data(source: Source, *, pool: NodePool) -> tuple[PipelineTask, PipelineTask]:
    """data_validation, and the gate after it, which a model waits for."""
    where = {"source_folder": source.source_folder, "data_uri": source.data_uri}
    data = data_validation(**common_inputs(source), **where)
    on_any_node(opens_store(data, pool), pool)
    passed = gate(passed=data.outputs["passed"], reason=data.outputs["summary"])
    return data, on_any_node(passed, pool)


def evaluated_model(
    source: Source, data: PipelineTask, model: PipelineTask, *, pool: NodePool, fixed: CompileTime
) -> Evaluated:
    """robustness_evaluation of the model that `model` put out, and all artifacts up to here."""
    evaluation = robustness_evaluation(
        **common_inputs(source), dataset=data.outputs["dataset"], model=model.outputs["model"]
    )
    on_gpu_pool(opens_store(evaluation, pool), pool, fixed)
    return evaluated_by(data, model, evaluation)


def evaluated_by(data: PipelineTask, model: PipelineTask, evaluation: PipelineTask) -> Evaluated:
    """The artifacts of three tasks, by the names that certificate_issue knows them by."""
    return Evaluated(
        dataset=data.outputs["dataset"],
        data_report=data.outputs["report"],
        model=model.outputs["model"],
        history=model.outputs["history"],
        evaluation_evidence=evaluation.outputs["evidence"],
        adversarials=evaluation.outputs["adversarials"],
        validity=evaluation.outputs["validity"],
        data_record=data.outputs["record"],
        training_record=model.outputs["record"],
        evaluation_record=evaluation.outputs["record"],
    )
