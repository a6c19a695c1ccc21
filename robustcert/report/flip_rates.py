"""How often a prediction changes under attack, against the strength of the attack, counted from the evaluation rows.

Some sources call a prediction that is not kept an abstention. Here an abstention is a vote without a majority, a flip a
prediction of the plain model that some attack of the suite changed, to whatever class. Samples that are wrong without
any perturbation are not attacked and count as not flipped, so that every rate is over the same samples.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from robustcert.certificate.schema import Predicate
from robustcert.evaluation.curve import CLEAN
from robustcert.evaluation.statistics import Rate, rate
from robustcert.report.attack_curve import parts_of

Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class FlipLine:
    """One strength: epsilon of a threat model in its unit, and the share of all samples whose prediction changed."""

    threat: str
    epsilon: str
    unit: str
    rate: Rate


def flip_lines(predicate: Predicate, rows: Iterable[Row]) -> tuple[FlipLine, ...]:
    """Every threat's strengths, ascending; each interval (Clopper-Pearson) holds on its own."""
    flipped, samples = _flipped(rows)
    return tuple(
        FlipLine(
            threat=threat.name,
            epsilon=part.epsilon,
            unit=part.unit,
            rate=rate(len(flipped[threat.name, part.epsilon]), len(samples)),
        )
        for threat in predicate.threat_models
        for part in parts_of(predicate, threat)
    )


def _flipped(rows: Iterable[Row]) -> tuple[dict[tuple[str, str], set[int]], set[int]]:
    """(threat, epsilon) -> samples that some attack changed there, and all samples."""
    flipped: dict[tuple[str, str], set[int]] = defaultdict(set)
    samples = set()
    for row in rows:
        samples.add(int(row["sample"]))
        if row["attack"] != CLEAN and row["adversarial"] != row["prediction"]:
            flipped[row["threat"], row["epsilon"]].add(int(row["sample"]))
    return flipped, samples
