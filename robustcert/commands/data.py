"""robustcert check-data: holds the data of a specification to their contract, without running anything else."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from robustcert.errors import DataError, expected


def register(app: typer.Typer) -> None:
    """Adds the commands of this file."""
    app.command("check-data", short_help="Hold the data to their contract.")(check_data)


def check_data(
    specification: Annotated[Path, typer.Argument(help="The specification, a YAML file.")],
    metrics: Annotated[Path | None, typer.Option(help="File for the findings as Prometheus metrics.")] = None,
) -> None:
    """Hold the data to their contract: schema, ranges, nulls, duplicates, labels, leakage; exit 2 where they fail."""
    from robustcert.data.sources import load_raw
    from robustcert.data.validation import prometheus_text, validate
    from robustcert.specification_file import read_specification
    from robustcert.storage.atomic import write_whole

    written = read_specification(specification).specification
    raw = load_raw(written.data, folder=specification.resolve().parent)
    report = validate(written.data, raw, profile=written.profile, today=datetime.now(UTC).date(), seed=written.seed)
    for finding in report.findings:
        typer.echo(f"{finding.severity}: {finding.check}: {finding.message}")
    if metrics is not None:
        write_whole(metrics, prometheus_text(report).encode())
    if not report.passed:
        errors = sum(finding.severity == "error" for finding in report.findings)
        raise DataError(
            expected(f"{written.data.source} to hold its contract", got=f"{errors} error(s)", remedy="see above")
        )
    typer.echo(f"{written.data.source}: contract holds, {len(report.findings)} warning(s)")
