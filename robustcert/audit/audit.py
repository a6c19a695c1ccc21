"""The audit of certification logs: every check in its order, then what follows from the rows, then what can't be told.

A log of radii is not evidence as a certificate's is: nobody can recompute what was not stored. LIMITS says it of every
audit, so that nothing that an audit did not find passes for established.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from robustcert.audit.claim import Claim
from robustcert.audit.claimed_curve import curve_falls, curve_follows, envelope
from robustcert.audit.log import LogForm
from robustcert.audit.row_checks import Finding
from robustcert.audit.sample_checks import sample_checks
from robustcert.audit.source import open_source
from robustcert.audit.survey import Survey, survey
from robustcert.audit.tables import Table, table
from robustcert.errors import InputError, expected

LIMITS = (
    ("base classifier", "which model cast the votes, whether in eval mode and in which precision, no log shows"),
    ("noise", "that noise was independent, of this sigma, and added before normalisation, no log shows"),
    ("selection", "that model, sigma and seed were not chosen on these samples, no log shows"),
    ("attempts", "whether this was the first run or the luckiest of several, no log shows"),
)


@dataclass(frozen=True, kw_only=True)
class Audit:
    """All findings in order, and one table for each log."""

    findings: tuple[Finding, ...]
    tables: tuple[tuple[str, Table], ...]

    @property
    def wrong(self) -> int:
        """How many checks failed."""
        return sum(finding.status == "WRONG" for finding in self.findings)


def audit(paths: Sequence[Path], *, claims: Sequence[Claim], form: LogForm | None = None) -> Audit:
    """Audits the logs at `paths`, each with its claim; a claimed curve is the first claim's, and one for all of them.

    InputError where a file can't be read as a log.
    """
    if len(paths) != len(claims) or not paths:
        raise InputError(expected("one claim for each log", got=f"{len(claims)} for {len(paths)}", remedy="match them"))
    several = [
        survey(open_source(path, claim=claim, form=form or LogForm()))
        for path, claim in zip(paths, claims, strict=True)
    ]
    findings = [finding for taken in several for finding in _of_one(taken)]
    return Audit(
        findings=(*findings, *_of_all(several, claims[0]), *_limits()),
        tables=tuple((taken.source.name, table(taken)) for taken in several),
    )


def _of_one(taken: Survey) -> list[Finding]:
    return [*_with_rounding(taken), *sample_checks(taken)]


def _with_rounding(taken: Survey) -> list[Finding]:
    """The row findings; where rounding to nearest raised radii, the finding that allowed it says how often."""
    if not taken.above:
        return taken.findings()
    note = f"; {taken.above} are printed above their true value, by rounding to nearest: as claims they are too large"
    return [
        replace(finding, message=finding.message + note)
        if finding.check == "radii attainable" and finding.status == "ok"
        else finding
        for finding in taken.findings()
    ]


def _of_all(several: list[Survey], claim: Claim) -> list[Finding]:
    same = _same_rows(several)
    if not claim.curve:
        open_curve = Finding(file="", check="claimed curve", status="cannot tell", message="none was given (--curve)")
        return [*same, open_curve]
    if len(several) == 1:
        return [curve_falls(claim.curve), curve_follows(several[0], claim.curve)]
    return [*same, curve_falls(claim.curve), envelope(several, claim.curve)]


def _same_rows(several: list[Survey]) -> list[Finding]:
    """Two logs with equal rows in equal order are one log under two names."""
    seen: dict[bytes, str] = {}
    found = []
    for taken in several:
        rows, name = taken.rows.tobytes(), taken.source.name
        if rows in seen and any(taken.rows):
            message = f"its certified rows are those of {seen[rows]}"
            found.append(Finding(file=name, check="different logs", status="WRONG", message=message))
        seen.setdefault(rows, name)
    return found


def _limits() -> list[Finding]:
    return [Finding(file="", check=check, status="cannot tell", message=message) for check, message in LIMITS]
