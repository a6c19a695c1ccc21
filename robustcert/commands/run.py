"""robustcert run: a certifying pipeline on this machine, from a specification to a bundle."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from robustcert.commands.plain_console import plain_console
from robustcert.errors import InputError, expected

if TYPE_CHECKING:
    from robustcert.certificate.schema import CriterionPart, Statement
    from robustcert.provenance.run_record import RunRecord


def register(app: typer.Typer) -> None:
    """Adds the commands of this file."""
    app.command(short_help="Validate, train, attack, certify and sign.")(run)


def run(
    specification: Annotated[Path, typer.Argument(help="The specification, a YAML file.")],
    key: Annotated[Path, typer.Option(help="Private key that signs; `robustcert keys new` makes one.")],
    out: Annotated[Path | None, typer.Option(help="Folder for the bundle; out/<name> where absent.")] = None,
    store: Annotated[str, typer.Option(help="Folder or s3://bucket/prefix of the content-addressed store.")] = "store",
    shards: Annotated[int, typer.Option(min=1, max=1000, help="Parts that certification is cut into.")] = 1,
    workers: Annotated[
        int | None, typer.Option(min=1, max=1024, help="Worker processes per shard; all cores where absent.")
    ] = None,
    supersedes: Annotated[str, typer.Option(help="SHA-256 of the certificate that this one replaces.")] = "",
    reason: Annotated[
        str, typer.Option(help="Why the run is started; kept in the run record.")
    ] = "started by a person",
    run_token: Annotated[str, typer.Option(help="Any text; a new one makes every step run again.")] = "",
    official: Annotated[
        bool, typer.Option(help="Refuse to run from a git work tree with uncommitted changes.")
    ] = False,
) -> None:
    """Validate the data, train, attack, certify and sign; finished steps are kept and not run again.

    A specification without training is run by the pipeline certify_model, which takes your own model instead.
    Exit status 1 means that the run ended well and the model did not meet its acceptance criteria.
    """
    from robustcert.commands.pipeline_run import RunOrder, absolute, run_to_bundle
    from robustcert.extras import require_modules
    from robustcert.specification_file import read_specification
    from robustcert.storage.store import open_store

    require_modules("torch", "sklearn", "jinja2", "PIL", "kfp")

    console = plain_console()
    loaded = read_specification(specification)
    _require_ready(key, specification.parent, supersedes, official=official)
    order = RunOrder(
        loaded=loaded,
        store=open_store(absolute(store)),
        key=key,
        source_folder=specification.resolve().parent,
        target=out or Path("out") / loaded.specification.name,
        shards=shards,
        workers=workers or os.cpu_count() or 1,
        supersedes=supersedes,
        reason=reason,
        run_token=run_token,
    )
    record, refusal = run_to_bundle(order, console=console)
    show(record, order.target, console)
    if refusal is not None:
        raise refusal


def show(record: RunRecord, target: Path, console: Console) -> None:
    """Prints criteria, verdict, and where certificate and report lie."""
    from robustcert.certificate.bundle import CERTIFICATE

    statement = _statement(target / CERTIFICATE)
    console.print(_criteria(statement.predicate.criteria))
    predicate = statement.predicate
    console.print(f"verdict      {predicate.verdict.upper()}, valid until {predicate.not_after}", highlight=False)
    console.print(f"certificate  {target / CERTIFICATE}  SHA-256 {record.certificate_sha256}", highlight=False)
    console.print(f"report       {target / 'report.html'}", highlight=False)


def _criteria(criteria: tuple[CriterionPart, ...]) -> Table:
    table = Table("criterion", "kind", "required", "weak end", "met", box=None, pad_edge=False)
    for part in criteria:
        about = part.threat_model or (f"radius {part.radius}" if part.radius is not None else "")
        required = f"{part.comparator} {part.threshold}"
        table.add_row(
            f"{part.metric} {about}".rstrip(), part.kind, required, part.observed, "yes" if part.met else "NO"
        )
    return table


def _statement(path: Path) -> Statement:
    """The statement of a certificate that this process has just made; no signature is checked here."""
    import base64
    import json

    from robustcert.certificate.schema import Statement

    payload = base64.b64decode(json.loads(path.read_bytes())["payload"])
    return Statement.model_validate_json(payload)


def _require_ready(key: Path, folder: Path, supersedes: str, *, official: bool) -> None:
    from robustcert.certificate.keys import load_signing_key
    from robustcert.commands.keys import PASSPHRASE_VARIABLE
    from robustcert.provenance.environment import source_revision

    passphrase = os.environ.get(PASSPHRASE_VARIABLE)
    load_signing_key(key, passphrase=passphrase.encode() if passphrase else None)
    if supersedes and not (len(supersedes) == 64 and set(supersedes) <= set("0123456789abcdef")):
        raise InputError(
            expected("64 hexadecimal digits for --supersedes", got=repr(supersedes), remedy="use sha256sum")
        )
    revision = source_revision(folder) if official else None
    if official and (revision is None or revision["dirty"]):
        got = "no git work tree" if revision is None else f"changes on top of {str(revision['commit'])[:12]}"
        raise InputError(expected("a committed specification for --official", got=got, remedy="commit it first"))
