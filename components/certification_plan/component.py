"""Kubeflow component: cuts the planned samples into blocks and deals them out to shards by expected cost."""

from typing import List, NamedTuple  # noqa: UP035  kfp reads these names, not the built-in ones

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def certification_plan(
    specification: str,
    store: str,
    dataset: dsl.Input[dsl.Dataset],
    model: dsl.Input[dsl.Model],
    plan: dsl.Output[dsl.Artifact],
    shards: int = 1,
    run_token: str = "",
) -> NamedTuple("Outputs", [("shard_names", List[str])]):  # type: ignore[valid-type]  # noqa: UP006
    """Cuts the planned samples into blocks, and deals these out to shards by what they still cost.

    Args:
        specification: The specification as text, as a path, or as an s3:// URI.
        store: Folder or s3:// URI of the content-addressed store, which knows the blocks that are finished.
        dataset: The validated data set.
        model: The model file.
        shards: How many shards to make; fewer come where there are fewer blocks.
        run_token: Any text; a new one makes every step run again.

    Returns:
        plan: Blocks of samples with their costs, and which shard certifies which, as JSON.
        shard_names: Names of the shards, such as "1/2" and "2/2".
    """
    from pathlib import Path

    from robustcert.steps.certification_plan import plan_certification

    text = {"specification": specification, "store": store, "run_token": run_token}
    files = {"dataset": dataset, "model": model, "plan": plan}
    paths = {name: Path(artifact.path) for name, artifact in files.items()}
    return (plan_certification(**text, shards=shards, **paths),)  # type: ignore[arg-type]
