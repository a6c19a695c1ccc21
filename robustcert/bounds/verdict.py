"""A verdict per sample, and the invariant that holds between any two stages: never both verified and falsified.

Shapes: Q = K - 1 rows, one for each class but the label, in ascending order of the class.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from robustcert.bounds.dense import Array
from robustcert.errors import ValidityError, expected
from robustcert.evaluation.statistics import Rate, rate, round_down, round_up
from robustcert.provenance.digests import sha256_bytes

Verdict = Literal["wrong", "falsified", "verified", "unknown"]
VERDICTS: tuple[Verdict, ...] = ("wrong", "falsified", "verified", "unknown")
STAGES = ("clean", "attack", "interval", "crown", "alpha-crown", "milp", "branch-and-bound")
DIGITS = 9
OWN = ""

Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class SampleVerdict:
    """What is known of one sample: `stage` that decided, or `reason` where none did.

    `bounds_Q` are lower bounds of logit[label] - logit[other] over the ball, minus infinity where there are none;
    `witness` is float32 (*X), only of a falsified sample.
    """

    sample: int
    input_sha256: str
    label: int
    verdict: Verdict
    stage: str = ""
    reason: str = ""
    tolerance: float = 0.0
    bounds_Q: Array | None = None
    witness: NDArray[np.float32] | None = None

    def row(self) -> dict[str, str | int | list[str]]:
        """The canonical row: integers, and decimal strings rounded toward the weaker claim."""
        return {
            "sample": self.sample,
            "input": self.input_sha256,
            "label": self.label,
            "verdict": self.verdict,
            "stage": self.stage,
            "reason": self.reason,
            "tolerance": round_up(self.tolerance, DIGITS),
            "bounds": bounds_text(self.bounds_Q, label=self.label),
            "witness": "" if self.witness is None else witness_sha256(self.witness),
        }


def bounds_text(bounds_Q: Array | None, *, label: int) -> list[str]:
    """One decimal per class, rounded down; empty for the label and where there is no finite bound."""
    if bounds_Q is None:
        return []
    found = [round_down(float(bound), DIGITS) if np.isfinite(bound) else "" for bound in bounds_Q]
    return [*found[:label], OWN, *found[label:]]


def witness_sha256(witness: NDArray[np.float32]) -> str:
    """SHA-256 of a witness's little-endian float32, C order."""
    return sha256_bytes(np.ascontiguousarray(witness).astype("<f4").tobytes())


def refuse_below(margins_Q: Array, bounds_Q: Array, *, sample: int, tolerance: float, stage: str) -> None:
    """ValidityError where a point inside the ball has a margin below a bound that was proved: some stage is unsound.

    `margins_Q` are the deployed model's, so that they may lie below a bound by the tolerance; `stage` found the point.
    """
    gap = float(np.max(bounds_Q - margins_Q, initial=-np.inf))
    if gap > tolerance:
        got = f"a point of {stage} that lies {gap:.3g} below a bound, at sample {sample}"
        raise ValidityError(expected("every point of the ball above every bound", got=got, remedy=REPORT))


def refuse_both(sample: int, *, verified: str, falsified: str) -> None:
    """ValidityError: two stages contradict each other."""
    got = f"sample {sample} verified by {verified} and falsified by {falsified}"
    raise ValidityError(expected("no sample both verified and falsified", got=got, remedy=REPORT))


REPORT = "use none of these verdicts, and report this as a soundness bug with model and data set"


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Counts of the verdicts over the samples, and what they say about robust accuracy."""

    counts: Mapping[Verdict, int]

    @property
    def total(self) -> int:
        """Samples."""
        return sum(self.counts.values())

    @property
    def verified(self) -> Rate:
        """At least so many are robust: verified ones, with their Clopper-Pearson interval."""
        return rate(self.counts["verified"], self.total)

    @property
    def possible(self) -> Rate:
        """At most so many are robust: all but the wrong and the falsified ones."""
        return rate(self.total - self.counts["wrong"] - self.counts["falsified"], self.total)


def summary(rows: Iterable[Row]) -> Summary:
    """Counts of rows."""
    verdicts = [row["verdict"] for row in rows]
    return Summary(counts={verdict: verdicts.count(verdict) for verdict in VERDICTS})


def margins(logits_K: Sequence[float] | NDArray[np.floating], *, label: int) -> Array:
    """logit[label] - logit[other] (Q,), float64."""
    values = np.asarray(logits_K, np.float64)
    return np.asarray(values[label] - np.delete(values, label))
