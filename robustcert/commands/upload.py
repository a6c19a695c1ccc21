"""robustcert upload: puts the compiled pipelines of this release and their versions in place on Kubeflow."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from robustcert.commands.cluster import CaOption, HostOption, NamespaceOption, TokenOption, connect
from robustcert.errors import InputError, expected

if TYPE_CHECKING:
    from robustcert.kubeflow.compiled import CompiledPipeline

_DONE = {"nothing": "in place", "version": "new version", "pipeline and version": "new pipeline and version"}


def register(app: typer.Typer) -> None:
    """Adds the commands of this file."""
    app.command(short_help="Put the pipelines in place on Kubeflow.")(upload)


def upload(
    host: HostOption = None,
    namespace: NamespaceOption = None,
    token_file: TokenOption = None,
    ca_file: CaOption = None,
    by_uri: Annotated[bool, typer.Option(help="Also the pipelines that run one component alone.")] = False,
    file: Annotated[
        list[Path] | None, typer.Option(help="A compiled pipeline of your own, instead of the release's; repeatable.")
    ] = None,
    dry_run: Annotated[bool, typer.Option(help="Only look (GET), and say what would be done.")] = False,
    offline: Annotated[bool, typer.Option(help="With --dry-run: ask no server at all.")] = False,
) -> None:
    """Put the compiled pipelines and their versions in place; doing so again changes nothing.

    A version is named after the release and the digest of its content. One of that name with other content is refused.
    """
    from robustcert.kubeflow.compiled import read_compiled, shipped

    if file and by_uri:
        raise InputError(expected("--file or --by-uri", got="both", remedy="leave one out"))
    pipelines = [read_compiled(path) for path in file] if file else shipped(by_uri=by_uri)
    if offline:
        _require_dry(dry_run)
        for compiled in pipelines:
            _say(compiled, "would be looked for")
        return
    _put(pipelines, host=host, namespace=namespace, token_file=token_file, ca_file=ca_file, dry_run=dry_run)


def _put(
    pipelines: list[CompiledPipeline],
    *,
    host: str | None,
    namespace: str | None,
    token_file: Path | None,
    ca_file: Path | None,
    dry_run: bool,
) -> None:
    from robustcert.kubeflow.upload import missing, put_in_place

    with connect(host=host, namespace=namespace, token_file=token_file, ca_file=ca_file) as client:
        for compiled in pipelines:
            if dry_run:
                lacks = missing(client, compiled)
                _say(compiled, "in place" if lacks == "nothing" else f"would make {_DONE[lacks]}")
            else:
                _say(compiled, _DONE[put_in_place(client, compiled).was_missing])


def _require_dry(dry_run: bool) -> None:
    if not dry_run:
        raise InputError(expected("--dry-run with --offline", got="--offline alone", remedy="add --dry-run"))


def _say(compiled: CompiledPipeline, outcome: str) -> None:
    typer.echo(f"{compiled.name:<32} {compiled.version:<24} {outcome}")
