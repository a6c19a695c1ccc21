"""robustcert audit: what is wrong with a certification log, what follows from it, and what it can't tell."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from robustcert.commands.plain_console import plain_console
from robustcert.errors import ClaimError, InputError, expected

if TYPE_CHECKING:
    from robustcert.audit.audit import Audit
    from robustcert.audit.claim import Claim
    from robustcert.audit.tables import Table

MARKS = {"ok": "ok      ", "WRONG": "WRONG   ", "cannot tell": "unknown "}


def register(app: typer.Typer) -> None:
    """Adds the commands of this file."""
    app.command(short_help="Audit certification logs, of any program.")(audit)


def audit(
    logs: Annotated[list[Path], typer.Argument(help="Logs (text or Parquet) or bundle folders; one for each sigma.")],
    sigma: Annotated[list[float] | None, typer.Option(help="Noise level; once for all logs, or once for each.")] = None,
    alpha: Annotated[float | None, typer.Option(help="Failure probability of one certificate.")] = None,
    n: Annotated[int | None, typer.Option("--n", help="Votes that bound one probability.")] = None,
    noise: Annotated[
        Literal["gaussian", "uniform", "laplace"] | None, typer.Option(help="Kind of noise; gaussian if absent.")
    ] = None,
    claimed_samples: Annotated[int | None, typer.Option(help="How many samples were said to be certified.")] = None,
    ids: Annotated[str, typer.Option(help="Claimed ids: first:end:step (end excluded), or a file of them.")] = "",
    radii: Annotated[str, typer.Option(help="Radii of the table, such as 0.25,0.5.")] = "",
    curve: Annotated[str, typer.Option(help="Published curve: 0.25=0.55,0.5=0.41 or a file radius,accuracy.")] = "",
    columns: Annotated[str, typer.Option(help="Names in the file, such as idx=sample,label=y.")] = "",
    abstention: Annotated[str, typer.Option(help="How the log writes an abstention as a prediction.")] = "-1",
    rounding: Annotated[
        Literal["nearest", "down"], typer.Option(help="How its radii were printed; nearest is lenient.")
    ] = "nearest",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Audit certification logs: 0 nothing wrong, 1 something is, 2 wrong usage or no log.

    Reads tab-separated logs of locuslab/smoothing, CSV and TSV with the columns idx, label, predict, radius (others by
    --columns), and evidence of robustcert. What was not given or is not in a log is listed as unknown.
    """
    from robustcert.audit.audit import audit as audit_logs
    from robustcert.audit.claim import Claim, parse_curve, parse_ids, parse_radii
    from robustcert.audit.log import LogForm, parse_columns
    from robustcert.smoothing.noise_kinds import KINDS

    claim = Claim(
        alpha=alpha,
        n=n,
        kind=KINDS[noise or "gaussian"],
        kind_told=noise is not None,
        samples=claimed_samples,
        ids=parse_ids(ids) if ids else None,
        radii=parse_radii(radii) if radii else (),
        curve=parse_curve(curve) if curve else (),
        rounding=rounding,
    )
    form = LogForm(columns=parse_columns(columns), abstention=abstention)
    found = audit_logs(logs, claims=_claims(claim, sigma or [], logs=len(logs)), form=form)
    if as_json:
        _print_json(found)
    else:
        _print(found, several=len(logs) > 1)
    if found.wrong:
        raise ClaimError(f"{found.wrong} of {len(found.findings)} checks found something wrong")


def _claims(claim: Claim, sigma: list[float], *, logs: int) -> list[Claim]:
    if len(sigma) not in (0, 1, logs):
        remedy = "repeat --sigma in the order of the logs"
        raise InputError(expected(f"one sigma, or {logs}", got=len(sigma), remedy=remedy))
    levels: list[float | None] = [*sigma] * logs if len(sigma) == 1 else [*sigma] or [None] * logs
    return [replace(claim, sigma=level) for level in levels]


def _print(found: Audit, *, several: bool) -> None:
    for finding in found.findings:
        where = f" ({finding.file})" if several and finding.file else ""
        typer.echo(f"{MARKS[finding.status]}{finding.check}{where}: {finding.message}")
    for name, of_log in found.tables:
        _print_table(name, of_log)


def _print_table(name: str, found: Table) -> None:
    from rich.table import Table as Grid

    grid = Grid("radius", "certified accuracy, 95 %", "true at once, 99.9 %", box=None)
    for point in found.curve:
        grid.add_row(point.radius, str(point.rate), "?" if point.true_at_once is None else str(point.true_at_once))
    typer.echo(f"\n{name}: {found.rows} rows")
    plain_console().print(grid)
    typer.echo(f"abstention             {found.abstention}")
    typer.echo(f"average radius (ACR)   {found.average_radius} [{', '.join(found.average_interval)}]")
    typer.echo(f"median radius          {found.median_radius} [{', '.join(found.median_interval)}]")


def _print_json(found: Audit) -> None:
    import json

    document = {
        "wrong": found.wrong,
        "findings": [asdict(finding) for finding in found.findings],
        "logs": [{"file": name, **asdict(of_log)} for name, of_log in found.tables],
    }
    typer.echo(json.dumps(document, indent=2))
