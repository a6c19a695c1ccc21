"""One pass over a log: what its row checks found, and what its tables are made of. 16 bytes a row stay in memory."""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter
from dataclasses import dataclass, field, replace
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from robustcert.audit.lattice import Lattice
from robustcert.audit.log import LogRow
from robustcert.audit.row_checks import ATTAINABLE, CAP, Finding, RowCheck, fits, printed_above, row_checks
from robustcert.audit.source import LogSource
from robustcert.errors import InputError, expected
from robustcert.smoothing.certified_accuracy import Tally

MOST_RADII = 2_000_000  # different ones; n votes give at most n + 1
FINGERPRINT = 8
USUAL_ALPHAS = (0.05, 0.025, 0.01, 0.005, 0.002, 0.001, 0.0005, 0.0001)


@dataclass
class _Found:
    count: int = 0
    first: str = ""


@dataclass(kw_only=True)
class Survey:
    """What one pass has found: `right` counts radii of right rows, `wrong` those of wrong ones, as printed."""

    source: LogSource
    checks: tuple[RowCheck, ...]
    found: dict[str, _Found]
    samples: array[int] = field(default_factory=lambda: array("q"))
    rows: array[int] = field(default_factory=lambda: array("Q"))
    right: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    units: dict[str, Decimal] = field(default_factory=dict)
    abstained: int = 0
    abstained_called_right: Counter[str] = field(default_factory=Counter)
    above: int = 0

    @property
    def tally(self) -> Tally:
        """Counts for `robustcert.smoothing.certified_accuracy`; rows with impossible radii count as not certified."""
        return Tally(of=len(self.samples), abstained=self.abstained, right=dict(self.right))

    @property
    def ids(self) -> NDArray[np.int64]:
        """The samples' ids, in the log's order."""
        return np.frombuffer(self.samples, dtype=np.int64)

    @property
    def fingerprints(self) -> NDArray[np.uint64]:
        """A digest of label, prediction and radius of every row, in the log's order; 0 where none is certified."""
        return np.frombuffer(self.rows, dtype=np.uint64)

    @property
    def radius_counts(self) -> Counter[str]:
        """How many rows are certified with each radius above 0, right or wrong."""
        return Counter({radius: count for radius, count in (self.right + self.wrong).items() if Decimal(radius)})

    def findings(self) -> list[Finding]:
        """Findings of the row checks, in their order."""
        return [self._finding(check) for check in self.checks]

    def _finding(self, check: RowCheck) -> Finding:
        name, found = self.source.name, self.found[check.name]
        if check.fault is None:
            return Finding(file=name, check=check.name, status="cannot tell", message=check.open_because)
        if found.count:
            fits = self._fitting_alpha() if check.name in (CAP, ATTAINABLE) else ""
            message = f"{found.count} of {len(self.samples)} rows; the first: {found.first}{fits}"
            return Finding(file=name, check=check.name, status="WRONG", message=message)
        return Finding(file=name, check=check.name, status="ok", message=check.holds)

    def _fitting_alpha(self) -> str:
        """The usual failure probability with which every radius would be attainable, in words; empty for none."""
        claim = self.source.claim
        for alpha in USUAL_ALPHAS:
            lattice = Lattice.of(replace(claim, alpha=alpha))
            if lattice is not None and all(
                fits(Decimal(radius), self.units[radius], lattice=lattice, rounds_down=claim.rounding == "down")
                for radius in self.radius_counts
            ):
                return f"; every radius would fit alpha {alpha} with these n and sigma"
        return ""


def survey(source: LogSource) -> Survey:
    """Reads the log through, once."""
    checks = row_checks(
        source.claim,
        has_correct=source.has_correct,
        has_sigma=source.has_sigma,
        evidence=source.evidence,
        votes_open=source.votes_open,
    )
    taken = Survey(source=source, checks=checks, found={check.name: _Found() for check in checks})
    asked = [(check.fault, taken.found[check.name]) for check in checks if check.fault is not None]
    for row in source.rows:
        for fault, found in asked:
            reason = fault(row)
            if reason is not None:
                found.count += 1
                found.first = found.first or f"sample {row.sample} (line {row.line}): {reason}"
        _count(taken, row)
    return taken


def _count(taken: Survey, row: LogRow) -> None:
    taken.samples.append(row.sample)
    taken.rows.append(_fingerprint(row))
    if row.predicted is None:
        taken.abstained += 1
        taken.abstained_called_right[str(row.radius)] += bool(row.correct)
    elif row.radius.is_finite() and row.radius >= 0:
        counts = taken.right if row.predicted == row.label else taken.wrong
        counts[str(row.radius)] += 1
        taken.units[str(row.radius)] = row.unit
        if len(counts) > MOST_RADII:
            got = f"more in {taken.source.name}"
            raise InputError(expected(f"at most {MOST_RADII} different radii", got=got, remedy="round them down"))
        taken.above += not taken.source.evidence and printed_above(row, claim=taken.source.claim)


def _fingerprint(row: LogRow) -> int:
    if row.predicted is None or not row.radius.is_finite() or row.radius <= 0:
        return 0
    text = f"{row.label} {row.predicted} {row.radius}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=FINGERPRINT).digest(), "little")
