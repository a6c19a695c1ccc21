"""Levels of verification, each with all that the ones below it ask (docs/verification-levels.md). No torch here.

L0  the signature holds, the schema too, and every digest and Merkle root is that of the files
L1  every radius, rate, interval and verdict follows from the evidence
L2  some rows, chosen after publication, are repeated by the model, vote by vote
L3  the same rows stand against fresh noise that nobody could foresee, and against an attack inside their radii
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum, unique
from pathlib import Path

from robustcert.certificate import file_checks, statement_checks
from robustcert.certificate.case import Case, Finding, Row, established, not_established, require
from robustcert.certificate.evidence import evidence_root
from robustcert.certificate.schema import EvidencePart
from robustcert.certificate.verify import CHECKS
from robustcert.provenance.digests import sha256_file

Check = Callable[[Case], Finding]


@unique
class Level(StrEnum):
    """A level, by its name in documents and on the command line."""

    L0 = "L0"
    L1 = "L1"
    L2 = "L2"
    L3 = "L3"


# What has to be established, by the names of findings, for a level to be reached.
ASKED = {
    Level.L0: ("signature", "certification digests", "evaluation digests"),
    Level.L1: ("signature", "certification evidence", "evaluation evidence", "results"),
    Level.L2: ("replay",),
    Level.L3: ("fresh noise",),
}
MEANING = {
    Level.L0: "signature, schema, digests and Merkle roots",
    Level.L1: "all that follows from the evidence was recomputed",
    Level.L2: "chosen rows were repeated by the model",
    Level.L3: "chosen rows stood against fresh noise and an attack",
}


HARDWARE = ("platform", "cpuCapability", "device", "gpu")


def certification_digests(case: Case) -> Finding:
    """The certification evidence is the certified file: bytes, rows and Merkle root."""
    name, part = "certification digests", case.predicate.certification.evidence
    if case.files.certification is None:
        return not_established(name, "no certification evidence was given")
    _require_bytes(name, case.files.certification, part)
    return _require_root(name, case.certification_rows, part)


def evaluation_digests(case: Case) -> Finding:
    """The evaluation evidence is the certified file: bytes, rows and Merkle root."""
    name, part = "evaluation digests", case.predicate.evaluation.evidence
    if case.files.evaluation is None:
        return not_established(name, "no evaluation evidence was given")
    _require_bytes(name, case.files.evaluation, part)
    return _require_root(name, case.evaluation_rows, part)


DIGEST_CHECKS: tuple[Check, ...] = (
    statement_checks.subject,
    statement_checks.registered_text,
    statement_checks.validity_period,
    statement_checks.accepted,
    file_checks.specification_file,
    file_checks.model_file,
    file_checks.data_file,
    certification_digests,
    evaluation_digests,
)


def checks_of(level: Level) -> tuple[Check, ...]:
    """The checks without a model: digests only for L0, everything that follows from files for all others."""
    return DIGEST_CHECKS if level is Level.L0 else CHECKS


def reached(findings: Sequence[Finding]) -> Level | None:
    """The highest level of which everything is established, and of those below it; None where not even L0 is."""
    established_names = {finding.check for finding in findings if finding.status == "established"}
    if any(finding.status == "refused" for finding in findings):
        return None
    if not established_names.issuperset(ASKED[Level.L1]):
        return Level.L0 if established_names.issuperset(ASKED[Level.L0]) else None
    level = Level.L1
    for above in (Level.L2, Level.L3):
        if not established_names.issuperset(ASKED[above]):
            break
        level = above
    return level


def scope_check(precision: str) -> Check:
    """A check that what is served computes as what was certified did; another precision is out of scope."""

    def scope(case: Case) -> Finding:
        certified = case.specification.certification.precision or "float32"
        context = _context(case, certified)
        require(precision == certified, f"out of scope: served in {precision}, {context}")
        return established("scope", context)

    return scope


def _context(case: Case, precision: str) -> str:
    """Arithmetic, batches, preprocessing and hardware, as the certificate states them."""
    part, machine = case.predicate.certification, case.predicate.environment
    stated = case.predicate.conditions or (
        f"batches of {part.batch}, preprocessing in the model's card",
        ", ".join(f"{name} {machine[name]}" for name in HARDWARE if machine.get(name, "none") != "none"),
    )
    return " ".join((f"certified in {precision}.", *stated))


def _require_bytes(name: str, path: Path, part: EvidencePart) -> None:
    found = sha256_file(path)
    require(found == part.sha256, f"{name}: SHA-256 is {found}, certified is {part.sha256}")


def _require_root(name: str, rows: Sequence[Row], part: EvidencePart) -> Finding:
    count, root = evidence_root(rows)
    require((count, root) == (part.rows, part.merkle_root), f"{name}: {count} rows with Merkle root {root}")
    return established(name, f"{count} rows with Merkle root {root}")
