"""robustcert submit: starts the pipeline of a specification on Kubeflow, once, and watches it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from robustcert.commands.cluster import CaOption, HostOption, NamespaceOption, TokenOption, connect
from robustcert.commands.plain_console import plain_console
from robustcert.errors import InputError, expected

if TYPE_CHECKING:
    from robustcert.commands.submission import Prepared, Wanted
    from robustcert.kubeflow.client import KubeflowClient
    from robustcert.kubeflow.runs import Care


def register(app: typer.Typer) -> None:
    """Adds the commands of this file."""
    app.command(short_help="Start a certification on Kubeflow, once.")(submit)


def submit(
    specification: Annotated[Path, typer.Argument(help="The specification, a YAML file.")],
    store: Annotated[str, typer.Option(help="s3://bucket/prefix?endpoint=... of the store, as pods reach it.")],
    host: HostOption = None,
    namespace: NamespaceOption = None,
    token_file: TokenOption = None,
    ca_file: CaOption = None,
    experiment: Annotated[str, typer.Option(help="Group of runs; made where there is none.")] = "robustcert",
    pipeline: Annotated[
        str, typer.Option(help="Its name; certified-training or certify-model by the specification where absent.")
    ] = "",
    version: Annotated[str, typer.Option(help="Version of the pipeline; the newest where absent.")] = "",
    shards: Annotated[int | None, typer.Option(min=1, max=1000, help="Parts that certification is cut into.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Any other input of the pipeline.")
    ] = None,
    gpus: Annotated[int | None, typer.Option(min=0, help="GPUs for each training and certifying task.")] = None,
    gpu_type: Annotated[str | None, typer.Option(help="Resource name of the GPUs, such as nvidia.com/gpu.")] = None,
    node_selector: Annotated[list[str] | None, typer.Option(help="Label of the nodes, key=value.")] = None,
    toleration: Annotated[list[str] | None, typer.Option(help="Taint to tolerate, key[=value][:effect].")] = None,
    affinity: Annotated[Path | None, typer.Option(help="Node affinity, a YAML or JSON file.")] = None,
    service_account: Annotated[str, typer.Option(help="Service account of the run's pods.")] = "",
    run_token: Annotated[str, typer.Option(help="Any text; a new one is a new run, in which every step runs.")] = "",
    again: Annotated[bool, typer.Option(help="Start anew where the run failed; finished steps are kept.")] = False,
    wait: Annotated[bool, typer.Option(help="Watch it to its end; 0 it succeeded, 1 it did not.")] = False,
    dry_run: Annotated[bool, typer.Option(help="Print the request; send only GETs, change nothing.")] = False,
    offline: Annotated[bool, typer.Option(help="With --dry-run: send nothing at all.")] = False,
    state: Annotated[
        Path | None, typer.Option(help="Folder that notes what was asked for; the user's state folder where absent.")
    ] = None,
    settle: Annotated[
        float, typer.Option(min=0, max=3600, help="Seconds that a lost answer's run is looked for.")
    ] = 30.0,
    poll: Annotated[float, typer.Option(min=0.01, max=3600, help="Seconds between two looks with --wait.")] = 5.0,
) -> None:
    """Start the certification of a specification on Kubeflow, once: asked again, the same run is found.

    A run is named after pipeline, subject, and the digest of specification, parameters and run token. One that is
    active or succeeded is taken; one that failed stays the answer (exit status 1) until --again or a new --run-token.
    """
    from robustcert.commands.node_pool import node_pool_values
    from robustcert.commands.submission import Wanted, state_folder
    from robustcert.kubeflow.runs import Care
    from robustcert.specification_file import read_specification

    wanted = Wanted(
        loaded=read_specification(specification),
        store=store,
        pipeline=pipeline,
        version=version,
        experiment=experiment,
        values={
            **({} if shards is None else {"shards": shards}),
            **node_pool_values(gpus, gpu_type, node_selector or (), toleration or (), affinity),
        },
        settings=tuple(settings or ()),
        service_account=service_account,
        run_token=run_token,
        again=again,
    )
    care = Care(folder=state_folder(state, os.environ), settle_seconds=settle)
    if offline:
        _require_dry(dry_run)
        _act(None, wanted, care=care, dry_run=True, every_seconds=None)
        return
    with connect(host=host, namespace=namespace, token_file=token_file, ca_file=ca_file) as client:
        _act(client, wanted, care=care, dry_run=dry_run, every_seconds=poll if wait else None)


def _act(
    client: KubeflowClient | None, wanted: Wanted, *, care: Care, dry_run: bool, every_seconds: float | None
) -> None:
    from robustcert.commands.submission import prepare, rehearse

    prepared = prepare(wanted, client)
    if client is None or dry_run:
        for line in rehearse(client, wanted, prepared):
            typer.echo(line)
    else:
        _run(client, wanted, prepared, care=care, every_seconds=every_seconds)


def _run(
    client: KubeflowClient, wanted: Wanted, prepared: Prepared, *, care: Care, every_seconds: float | None
) -> None:
    from robustcert.commands import submission

    found = submission.submit(client, wanted, prepared, care=care)
    run, url = found.run, client.run_url(found.run.run_id)
    typer.echo(f"{run.display_name}: {'started' if found.started else f'found, {run.state}'}\n{url}")
    if not run.active or every_seconds is not None:
        console = plain_console()
        run = submission.watch(client, run, prepared.steps, console=console, every_seconds=every_seconds or 0)
    if run.succeeded:
        typer.echo(f"{run.display_name}: {run.state}")
    elif not run.active:
        hint = "" if found.started else "; --again starts it anew"
        typer.echo(f"robustcert: {submission.failure(run, prepared.steps)}; {url}{hint}", err=True)
        raise typer.Exit(1)


def _require_dry(dry_run: bool) -> None:
    if not dry_run:
        raise InputError(expected("--dry-run with --offline", got="--offline alone", remedy="add --dry-run"))
