"""Where the rows of an audited log come from: a text log, an evidence table of ours, or a bundle's folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import Any

from robustcert.audit.claim import Claim
from robustcert.audit.log import LogForm, LogRow, read_log
from robustcert.certificate.bundle import CERTIFICATION, files_in
from robustcert.certificate.evidence import CERTIFICATION_SCHEMA, SEQUENTIAL_SCHEMA, column_names, read_rows
from robustcert.errors import InputError, RobustcertError, expected

EVIDENCE_UNIT = Decimal("0.000001")
PARQUET = b"PAR1"
BY_BUNDLE = "the table does not name method, sigma and alpha: audit the bundle's folder"

Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class LogSource:
    """One log: `rows` can be iterated once. `has_votes`: every row was recomputed from its counts.

    `evidence` marks tables of ours, whose radii are rounded down; `votes_open` says why theirs were not recomputed.
    """

    name: str
    claim: Claim
    rows: Iterator[LogRow]
    has_correct: bool = False
    has_sigma: bool = False
    evidence: bool = False
    votes_open: str = ""


def open_source(path: Path, *, claim: Claim, form: LogForm) -> LogSource:
    """The log at `path`, whatever it is; InputError where it is none, holds no rows, or contradicts the claim."""
    if path.is_dir():
        return _bundle(path, claim)
    if _is_parquet(path):
        return _nonempty(_evidence(path, claim, recompute=None))
    return _nonempty(LogSource(name=str(path), claim=claim, rows=read_log(path, form=form)))


def _nonempty(source: LogSource) -> LogSource:
    """The same source, its optional columns known from its first row."""
    first = next(source.rows, None)
    if first is None:
        raise InputError(expected(f"rows in {source.name}", got="none", remedy="name a log with results"))
    return replace(
        source,
        rows=chain([first], source.rows),
        has_correct=first.correct is not None,
        has_sigma=first.sigma is not None,
    )


def _is_parquet(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(PARQUET)) == PARQUET
    except OSError as error:
        raise InputError(expected("a log", got=f"{error.strerror}: {path}", remedy="check the name")) from error


def _bundle(folder: Path, claim: Claim) -> LogSource:
    """The evidence of a bundle, judged by the parameters that its certificate names; its signature is not checked."""
    from robustcert.certificate.published import unverified_statement
    from robustcert.specification_file import recorded_specification

    files = files_in(folder)
    if files.certification is None or not files.certificate.is_file():
        got = f"no certificate with {CERTIFICATION} in '{folder}'"
        raise InputError(expected("a log or a bundle's folder", got=got, remedy="check the name"))
    predicate = unverified_statement(files.certificate.read_bytes()).predicate
    text = predicate.specification.text
    certification = recorded_specification(text, name="the certificate's specification").specification.certification
    told = _told(claim, certification)
    classes = len(predicate.data.classes)
    return _nonempty(_evidence(files.certification, told, recompute=(certification, classes)))


def _told(claim: Claim, certification: Any) -> Claim:
    from robustcert.smoothing.decisions import noise_of

    for name in ("sigma", "alpha", "n"):
        given, found = getattr(claim, name), getattr(certification, name)
        if given is not None and given != found:
            remedy = f"leave --{name} out"
            raise InputError(expected(f"the {name} {found} of the certificate", got=given, remedy=remedy))
    kind = noise_of(certification)
    if claim.kind_told and claim.kind != kind:
        what = f"the noise {kind.name} of the certificate"
        raise InputError(expected(what, got=claim.kind.name, remedy="leave --noise out"))
    return replace(
        claim,
        sigma=certification.sigma,
        alpha=certification.alpha,
        n=certification.n,
        kind=kind,
        samples=claim.samples or certification.samples,
        radii=claim.radii or tuple(Decimal(repr(radius)) for radius in certification.radii),
    )


def _evidence(path: Path, claim: Claim, *, recompute: tuple[Any, int] | None) -> LogSource:
    schema = SEQUENTIAL_SCHEMA if "path" in column_names(path) else CERTIFICATION_SCHEMA
    fault: Callable[[Row], str | None] = (lambda row: None) if recompute is None else _recomputed(*recompute)
    rows = (_evidence_row(line, row, fault(row)) for line, row in enumerate(read_rows(path, schema=schema), start=1))
    return LogSource(
        name=str(path), claim=claim, rows=rows, evidence=True, votes_open=BY_BUNDLE if recompute is None else ""
    )


def _evidence_row(line: int, row: Row, fault: str | None) -> LogRow:
    from robustcert.audit.claim import number
    from robustcert.smoothing.certified_accuracy import CERTIFIED

    return LogRow(
        line=line,
        sample=row["sample"],
        label=row["label"],
        predicted=row["candidate"] if row["decision"] == CERTIFIED else None,
        radius=number(row["radius"], what=f"a radius in row {line}"),
        unit=EVIDENCE_UNIT,
        correct=None,
        sigma=None,
        fault=fault,
    )


def _recomputed(certification: Any, classes: int) -> Callable[[Row], str | None]:
    """What is wrong with a row of votes by the registered method, or None."""
    from robustcert.smoothing.decisions import dense, finished_row

    def fault(row: Row) -> str | None:
        try:
            wanted = finished_row(
                sample=row["sample"],
                input_sha256=row["input"],
                label=row["label"],
                selection=dense(row["selection"], fragile=row["selectionFragile"], draws=row["n0"], n_classes=classes),
                estimation=dense(row["counts"], fragile=row["fragile"], draws=row["n"], n_classes=classes),
                path=row.get("path", ()),
                certification=certification,
                n_classes=classes,
            )
        except RobustcertError as error:
            return str(error)
        differing = [name for name in wanted if wanted[name] != row.get(name)]
        return f"{differing[0]} {row.get(differing[0])!r} for {wanted[differing[0]]!r}"[:160] if differing else None

    return fault
