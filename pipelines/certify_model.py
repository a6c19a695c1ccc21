"""certify_model: validate the data, take the user's own model, attack, certify, issue. How steps connect, no more."""

from typing import Any

from components.model_import.component import model_import
from pipelines.certification_and_issue import certification_and_issue_pipeline, certify_issue_and_publish
from pipelines.evaluation import common_inputs, evaluated_model, validated_data
from pipelines.input_group import pipeline
from pipelines.inputs import Issue, Sharding, Source
from pipelines.node_pool import CompileTime, NodePool, on_any_node, opens_store


def certify_model_pipeline(fixed: CompileTime) -> Any:
    """The pipeline with other settings than those of the committed file; compile it with kfp.compiler."""

    nested = certification_and_issue_pipeline(fixed)

    @pipeline(name="certify-model")
    def certify_model(source: Source, sharding: Sharding, issue: Issue, pool: NodePool, model_uri: str = "") -> None:
        """From a specification of your own model to a signed certificate: nothing is trained.

        Args:
            model_uri: Where the model lies, if elsewhere than the specification says, which registers its SHA-256.
        """
        pool = fixed.on(pool)
        data, gate = validated_data(source, pool=pool)
        model = model_import(
            **common_inputs(source),
            source_folder=source.source_folder,
            dataset=data.outputs["dataset"],
            model_uri=model_uri,
        ).after(gate)
        on_any_node(opens_store(model, pool), pool)
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

    return certify_model


certify_model = certify_model_pipeline(CompileTime())
