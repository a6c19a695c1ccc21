"""robustcert compare: two models on the same samples, or one model certified twice."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from robustcert.commands.plain_console import plain_console
from robustcert.errors import ClaimError

if TYPE_CHECKING:
    from robustcert.certificate.case import Case
    from robustcert.certificate.comparison import Agreement, PairedOutcome
    from robustcert.certificate.seed_comparison import Seeds


def register(app: typer.Typer) -> None:
    """Adds the commands of this file."""
    app.command(short_help="Compare two certificates, sample by sample.")(compare)


def compare(
    first: Annotated[Path, typer.Argument(help="Folder of one bundle.")],
    second: Annotated[Path, typer.Argument(help="Folder of the other bundle.")],
    key: Annotated[Path, typer.Option(help="Public key of the issuer.")],
    second_key: Annotated[Path | None, typer.Option(help="Public key of the second issuer; --key if absent.")] = None,
    also_first: Annotated[
        list[Path] | None, typer.Option(help="Bundle of the first from another seed; repeat.")
    ] = None,
    also_second: Annotated[list[Path] | None, typer.Option(help="Bundle of the other from another seed.")] = None,
) -> None:
    """Compare two certificates on the samples that both are about: a paired exact test for every common metric.

    Two certificates of one model, such as from CPU and GPU, must agree on its votes too: exit status 1 if they don't.
    A claim about methods needs three training seeds on each side: --also-first, --also-second.
    Signatures and evidence are checked; rejected and expired records may be compared.
    """
    from robustcert.certificate.comparison import agreement, paired_outcomes
    from robustcert.certificate.seed_comparison import ONE_SEED

    one, other = _opened(first, key), _opened(second, second_key or key)
    if also_first or also_second:
        firsts = [one, *(_opened(bundle, key) for bundle in also_first or [])]
        seconds = [other, *(_opened(bundle, second_key or key) for bundle in also_second or [])]
        _show_seeds(firsts, seconds)
        return
    same_model = one.predicate.model.sha256 == other.predicate.model.sha256
    for name, case in (("first", one), ("second", other)):
        typer.echo(f"{name:7} {case.predicate.name}, model {case.predicate.model.sha256}")
    _show(paired_outcomes(one, other))
    if not same_model:
        typer.echo(ONE_SEED)
    if same_model:
        _conclude(agreement(one, other))


def _opened(bundle: Path, key: Path) -> Case:
    from datetime import UTC, datetime

    from robustcert.certificate import file_checks
    from robustcert.certificate.bundle import files_in
    from robustcert.certificate.case import Case
    from robustcert.certificate.keys import load_verification_key
    from robustcert.certificate.verify import read_statement
    from robustcert.errors import InputError, expected

    files = files_in(bundle)
    if None in (files.evaluation, files.certification) or not files.certificate.is_file():
        remedy = "give folders made by `robustcert run` or `robustcert export-bundle`"
        raise InputError(expected(f"certificate and evidence in '{bundle}'", got="not all of them", remedy=remedy))
    statement = read_statement(files.certificate.read_bytes(), key=load_verification_key(key))
    case = Case(statement, files, datetime.now(UTC))
    file_checks.certification_evidence(case)
    file_checks.evaluation_evidence(case)
    return case


def _show(outcomes: tuple[PairedOutcome, ...]) -> None:
    from rich.table import Column, Table

    table = Table(
        Column("metric", overflow="fold"),
        "both",
        "first only",
        "second only",
        "neither",
        "difference, 95 %",
        "p",
        box=None,
    )
    for found in outcomes:
        counts = map(str, (found.both, found.first_only, found.second_only, found.neither))
        table.add_row(found.metric, *counts, f"{found.lower} to {found.upper}", f"{found.p:.3g}")
    console = plain_console()
    console.print(table)
    console.print("p: exact McNemar test that both are right equally often, adjusted by Holm over all rows")


def _show_seeds(firsts: list[Case], seconds: list[Case]) -> None:
    from rich.table import Table

    from robustcert.certificate.seed_comparison import label, seed_outcomes

    table = Table("metric", "first: mean, sd, min, 95 %", "second: mean, sd, min, 95 %", "difference", "p", box=None)
    for found in seed_outcomes(firsts, seconds):
        p = "-" if found.p is None else f"{found.p:.3g}"
        table.add_row(found.metric, _seeds(found.first), _seeds(found.second), _between(found.interval), p)
    plain_console().print(table)
    typer.echo(
        "difference: Welch's 95 % interval; p: his test, adjusted by Holm over all rows; both take rates as normal"
    )
    typer.echo(label(len(firsts), len(seconds)))


def _seeds(found: Seeds) -> str:
    deviation = "-" if found.deviation is None else f"{found.deviation:.3f}"
    return f"{found.mean:.3f}, {deviation}, {found.least:.3f}, {_between(found.interval)}"


def _between(interval: tuple[float, float] | None) -> str:
    from robustcert.evaluation.statistics import round_down, round_up

    return "-" if interval is None else f"{round_down(interval[0], 3)} to {round_up(interval[1], 3)}"


def _conclude(found: Agreement) -> None:
    typer.echo(
        f"one model: of {found.samples} rows {found.identical} identical, {found.within_fragile_votes} within fragile "
        f"votes; {found.other_decisions} other decisions, radii differ by at most {found.largest_radius_difference}"
    )
    if not found.holds:
        raise ClaimError(f"the votes do not agree: Fisher's exact test gives p = {found.smallest_p:.3g} for one sample")
