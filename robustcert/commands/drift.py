"""robustcert drift: a window of production data against a certificate's own reference."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from robustcert.commands.plain_console import plain_console
from robustcert.errors import ClaimError, DataError, InputError, expected

if TYPE_CHECKING:
    from robustcert.drift.faults import Fault
    from robustcert.drift.record import DriftRecord
    from robustcert.steps.drift_monitoring import DriftOutcome

REPORT, EVIDENCE, RECORD = "report.html", "evidently.html", "record.json"
MOST_HINTS = 3


def register(app: typer.Typer) -> None:
    """Adds the commands of this file."""
    app.command(short_help="Compare production data with what was certified.")(drift)


def drift(
    certificate: Annotated[
        str, typer.Argument(help="SHA-256 of the certificate, its first 8 digits or more, or its published name.")
    ],
    window: Annotated[
        str,
        typer.Option(help="Rows of production data: .parquet, a folder of it, .csv or .npz; a path or s3://."),
    ],
    key: Annotated[Path, typer.Option(help="Private key that signs the drift record.")],
    store: Annotated[str, typer.Option(help="Folder or s3://bucket/prefix of the store that holds it.")] = "store",
    labels: Annotated[
        str, typer.Option(help="Labels that came later, with columns id and label, time optional: a path or s3://.")
    ] = "",
    reference_window: Annotated[
        str, typer.Option(help="An earlier window to compare with, in place of the certified test data.")
    ] = "",
    policy: Annotated[Path | None, typer.Option(help="YAML file that says what counts as drift.")] = None,
    last_hours: Annotated[
        int, typer.Option(min=0, help="Only rows of so many hours before now; all of them where 0.")
    ] = 0,
    trusted_key: Annotated[
        Path | None,
        typer.Option(help="Public key, or a folder of them, one of which must have signed the certificate."),
    ] = None,
    inject: Annotated[
        str,
        typer.Option(help="Plant a fault first, KIND or KIND:SEVERITY (1 to 5), such as noise:3; nothing is stored."),
    ] = "",
    out: Annotated[Path | None, typer.Option(help="Folder for the pages; out/<name>-drift where absent.")] = None,
    report_only: Annotated[
        bool, typer.Option(help="Exit status 0 once a signed record is stored, whatever it says: for scheduled jobs.")
    ] = False,
) -> None:
    """Test a window of production data for drift, and put a signed record into the store.

    Exit status 0: clean. 1: drifted, so that the certificate's premise does not surely hold; no model was run anew and
    nothing was recertified. 2: wrong input, or a window that can't tell (too few rows, broken data). With --report-only
    0 wherever a record was stored: alerts on it do the rest.
    """
    from robustcert.certificate.keys import load_signing_key
    from robustcert.commands.keys import PASSPHRASE_VARIABLE
    from robustcert.commands.pipeline_run import absolute
    from robustcert.extras import require_modules
    from robustcert.steps.drift_monitoring import DriftOrder, measure_drift

    if report_only and inject:
        raise InputError(expected("--report-only or --inject", got="both", remedy="a replay stores no record"))
    require_modules("torch", "jinja2", "pyarrow")
    passphrase = os.environ.get(PASSPHRASE_VARIABLE)
    order = DriftOrder(
        store=absolute(store),
        certificate=certificate,
        window=window,
        labels=labels,
        reference_window=reference_window,
        policy="" if policy is None else str(policy),
        trusted_key="" if trusted_key is None else str(trusted_key),
        last_hours=last_hours,
        fault=fault_of(inject) if inject else None,
    )
    found = measure_drift(
        order,
        key=load_signing_key(key, passphrase=passphrase.encode() if passphrase else None),
        now=datetime.now(UTC),
        on_progress=lambda done, total, text: None,
    )
    folder = out or Path("out") / f"{found.record.name}-drift"
    _write(found, folder)
    show(found.record, plain_console())
    typer.echo(f"record       {found.document or 'not stored: a replay'}\nreport       {folder / REPORT}")
    if not report_only:
        _end(found.record)


def fault_of(text: str) -> Fault:
    """The fault that KIND or KIND:SEVERITY names; InputError for another text.

    >>> fault_of("noise:5").size
    0.4
    """
    from robustcert.drift.faults import SEVERITIES, Fault

    kind, _, severity = text.partition(":")
    found = next((name for name in SEVERITIES if name == kind), None)
    if found is None or (severity and severity not in tuple("12345")):
        what = f"KIND or KIND:SEVERITY with a kind of {', '.join(SEVERITIES)} and 1 to 5"
        raise InputError(expected(what, got=repr(text), remedy="choose one"))
    return Fault(kind=found, severity=int(severity or 3))


def show(record: DriftRecord, console: Console) -> None:
    """One table of the signals, and a line each about columns, quality, accuracy and verdict."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for head in ("signal", "method", "score", "threshold", "reference", "window", "finding"):
        table.add_column(head)
    for part in record.signals:
        numbers = (f"{float(part.score):.4g}", f"{float(part.threshold):.4g}", str(part.n), str(part.m))
        table.add_row(part.signal, part.method, *numbers, "DRIFTED" if part.drifted else "within")
    console.print(table)
    console.print(f"columns      {record.features_drifted} of {record.features_tested} drifted")
    failed = [part.check for part in record.quality if not part.passed]
    console.print(
        f"quality      {record.quality_ratio} of the rows without a defect; failed: {', '.join(failed) or '-'}"
    )
    if (found := record.realised) is not None:
        console.print(f"accuracy     {found.correct} of {found.of} on labels [{found.lower}, {found.upper}]")
    if (guess := record.estimate) is not None:
        worth = "" if guess.valid else f", NOT VALID: {guess.why}"
        console.print(f"estimate     {guess.accuracy} without labels [{guess.lower}, {guess.upper}]{worth}")
    for hint in record.hints[:MOST_HINTS]:
        console.print(f"look at      {hint}")
    console.print(f"verdict      {record.verdict.upper()}: {record.summary}")


def _write(found: DriftOutcome, folder: Path) -> None:
    from robustcert.storage.atomic import write_whole

    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / REPORT, found.report.html)
    write_whole(folder / RECORD, found.signed)
    if found.report.evidently is not None:
        write_whole(folder / EVIDENCE, found.report.evidently)


def _end(record: DriftRecord) -> None:
    """ClaimError where the window drifted, DataError where it can't tell."""
    if record.verdict == "undecided":
        remedy = "give more or sounder rows; the record says what is wrong with these"
        raise DataError(expected("a window that can be judged", got=record.summary, remedy=remedy))
    if record.verdict != "clean":
        remedy = "look at the report; `robustcert recertify` tests the model on the window"
        raise ClaimError(expected("data like those that were certified", got=record.summary, remedy=remedy))
