"""certified_training: validate the data, train, attack, certify, issue the certificate. How steps connect, no more."""

from typing import Any

from components.adversarial_training.component import adversarial_training
from pipelines.certification_and_issue import certification_and_issue_pipeline, certify_issue_and_publish
from pipelines.evaluation import common_inputs, evaluated_model, validated_data
from pipelines.input_group import pipeline
from pipelines.inputs import Issue, Sharding, Source
from pipelines.node_pool import CompileTime, NodePool, on_gpu_pool, opens_store


def certified_training_pipeline(fixed: CompileTime) -> Any:
    """The pipeline with other settings than those of the committed file; compile it with kfp.compiler."""

    nested = certification_and_issue_pipeline(fixed)

    @pipeline(name="certified-training")
    def certified_training(
        source: Source, sharding: Sharding, issue: Issue, pool: NodePool, processes: int = 1
    ) -> None:
        """From a specification to a signed certificate: the model is trained by this run.

        Args:
            processes: Training processes; above 1 they share each batch, one GPU each where there are GPUs.
        """
        pool = fixed.on(pool)
        data, gate = validated_data(source, pool=pool)
        model = adversarial_training(
            **common_inputs(source),
            source_folder=source.source_folder,
            dataset=data.outputs["dataset"],
            processes=processes,
        ).after(gate)
        on_gpu_pool(opens_store(model, pool), pool, fixed)
        evaluated = evaluated_model(source, data, model, pool=pool, fixed=fixed)
        certify_issue_and_publish(
            nested,
            common_inputs(source),
            evaluated,
            source_folder=source.source_folder,
            sharding=sharding,
            issue=issue,
            pool=pool,
        )

    return certified_training


certified_training = certified_training_pipeline(CompileTime())
