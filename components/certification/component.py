"""Kubeflow component: certifies one shard of the planned samples by randomized smoothing."""

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def certification(
    specification: str,
    store: str,
    dataset: dsl.Input[dsl.Dataset],
    model: dsl.Input[dsl.Model],
    plan: dsl.Input[dsl.Artifact],
    evidence: dsl.Output[dsl.Artifact],
    record: dsl.Output[dsl.Artifact],
    shard: str = "1/1",
    workers: int = 1,
    run_token: str = "",
) -> None:
    """Certifies one shard of the plan, block by block; its rows depend on neither plan nor workers.

    Args:
        specification: The specification as text, as a path, or as an s3:// URI.
        store: Folder or s3:// URI of the content-addressed store.
        dataset: The validated data set.
        model: The model file.
        plan: What certification_plan wrote.
        shard: Which of the plan's shards, such as 2/5 for the second of five.
        workers: Worker processes in this step; each uses one processor core.
        run_token: Any text; a new one makes every step run again.

    Returns:
        evidence: One row per sample with the votes it got under noise, as Parquet.
        record: Digests and cost of this step.
    """
    from pathlib import Path

    from robustcert.steps.certification import certify_shard

    text = {"specification": specification, "store": store, "run_token": run_token, "shard": shard}
    files = {"dataset": dataset, "model": model, "plan": plan, "evidence": evidence, "record": record}
    paths = {name: Path(artifact.path) for name, artifact in files.items()}
    certify_shard(**text, workers=workers, **paths)  # type: ignore[arg-type]
