"""robustcert train-job: the manifest that trains a specification on several nodes with Kubeflow Trainer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from robustcert.errors import InputError, SpecificationError, expected

if TYPE_CHECKING:
    from robustcert.specification_file import LoadedSpecification
    from robustcert.training.train_job import Manifest


def register(app: typer.Typer) -> None:
    """Adds the commands of this file."""
    app.command("train-job", short_help="Print a Kubeflow TrainJob for several nodes.")(train_job)


def train_job(
    specification: Annotated[Path, typer.Argument(help="The specification, a YAML file.")],
    store: Annotated[str, typer.Option(help="s3://bucket/prefix of the pipeline's store.")],
    image: Annotated[str, typer.Option(help="The image that the pipeline runs its steps in.")],
    nodes: Annotated[int, typer.Option(min=1, max=1000, help="Nodes that train together.")] = 1,
    gpus: Annotated[int, typer.Option(min=0, max=64, help="GPUs of each node; 0 trains on its CPU.")] = 0,
    gpu_type: Annotated[str, typer.Option(help="Resource name of the GPUs.")] = "nvidia.com/gpu",
    cpu: Annotated[str, typer.Option(help="CPUs of each node.")] = "4",
    memory: Annotated[str, typer.Option(help="Memory of each node.")] = "16Gi",
    node_selector: Annotated[list[str] | None, typer.Option(help="KEY=VALUE of nodes; may be given again.")] = None,
    toleration: Annotated[
        list[str] | None, typer.Option(help="KEY[=VALUE]:EFFECT of a taint that is tolerated; may be given again.")
    ] = None,
    namespace: Annotated[str, typer.Option(help="Namespace of the job; that of kubectl where absent.")] = "",
    name: Annotated[str, typer.Option(help="Name of the job; from the specification where absent.")] = "",
    runtime: Annotated[str, typer.Option(help="ClusterTrainingRuntime that starts torchrun.")] = "torch-distributed",
    store_secret: Annotated[str, typer.Option(help="Secret with the store's credentials.")] = "robustcert-store",  # noqa: S107
    image_pull_secret: Annotated[str, typer.Option(help="Secret for pulling the image.")] = "",
    run_token: Annotated[str, typer.Option(help="The run token that the pipeline will be given.")] = "",
    data_uri: Annotated[str, typer.Option(help="s3:// URI of the data, if not where the specification says.")] = "",
) -> None:
    """Print the manifest of a TrainJob that trains the specification and keeps the model where the pipeline looks.

    Apply it with kubectl; then run the pipeline with `processes` = nodes * GPUs (at least 1 a node), the same image and
    the same kind of node, and its training step finds the model already there.
    """
    from robustcert.specification_file import read_specification
    from robustcert.training.train_job import NodePool, TrainJob, job_name
    from robustcert.training.train_job import toleration as parsed

    loaded = read_specification(specification)
    _refuse_unreachable(loaded, data_uri=data_uri)
    job = TrainJob(
        name=name or job_name(loaded.specification.name, loaded.canonical_sha256),
        specification=loaded.text,
        store=store,
        image=image,
        nodes=nodes,
        pool=NodePool(
            gpus=gpus,
            gpu_type=gpu_type,
            cpu=cpu,
            memory=memory,
            node_selector=tuple(_pair(text) for text in node_selector or ()),
            tolerations=tuple(parsed(text) for text in toleration or ()),
        ),
        namespace=namespace,
        runtime=runtime,
        store_secret=store_secret,
        image_pull_secret=image_pull_secret,
        run_token=run_token,
        data_uri=data_uri,
    )
    typer.echo(f"# then run the pipeline with processes={job.processes}")
    typer.echo(_yaml(job.manifest()), nl=False)


def _refuse_unreachable(loaded: LoadedSpecification, *, data_uri: str) -> None:
    """Where a pod could not do what the specification asks."""
    written = loaded.specification
    if written.training is None:
        raise SpecificationError(expected("a specification with 'training'", got="none", remedy="add it"))
    where = data_uri or written.data.source
    if not where.startswith(("s3://", "builtin:")):
        remedy = "put the data into S3 and give --data-uri, with data.sha256 in the specification"
        raise InputError(expected("data that every pod reaches, s3:// or builtin:", got=repr(where), remedy=remedy))


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise InputError(expected("KEY=VALUE for --node-selector", got=repr(text), remedy="write for example pool=gpu"))
    return key, value


def _yaml(manifest: Manifest) -> str:
    """YAML in the order of the manifest, the specification's text as a block that a person can read."""
    import yaml

    class Dumper(yaml.SafeDumper):
        pass

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)

    Dumper.add_representer(str, text)
    return yaml.dump(manifest, Dumper=Dumper, sort_keys=False, width=120, allow_unicode=True)
