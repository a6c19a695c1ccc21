"""Whether a model's results moved between two certificates by more than their intervals allow.

The same model, certified again, should give the same results within their confidence intervals. Two intervals that do
not meet are an anomaly that a person looks at; the new numbers do not just take the place of the old ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from monitoring.exporter.certificate_facts import CertificateFacts, Interval


def shifted(history: Sequence[CertificateFacts]) -> tuple[tuple[str, bool], ...]:
    """Metric and whether it moved: the first certificate against the newest of the others that it supersedes.

    Empty where it supersedes none of them. A metric is compared at the radii, or threats and sizes, that both have.
    """
    newest, *others = history
    before = next((item for item in others if item.certificate_sha256 in newest.supersedes), None)
    if before is None:
        return ()
    old = dict(before.intervals)
    return tuple((metric, _apart(old.get(metric, ()), new)) for metric, new in newest.intervals)


def _apart(old: Sequence[Interval], new: Sequence[Interval]) -> bool:
    there = {at: (Decimal(lower), Decimal(upper)) for at, lower, upper in old}
    return any(
        Decimal(lower) > there[at][1] or Decimal(upper) < there[at][0] for at, lower, upper in new if at in there
    )
