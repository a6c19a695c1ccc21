"""Repetition of a recorded row by a verifier, and what may differ between two machines.

On an equal environment a row is repeated bit for bit. Elsewhere logits may differ in their last bits, by less than half
of the fragile gap: every clear vote then stays what it is, or becomes fragile. So a class can gain no more votes than
were fragile in the recorded run, and lose no more than are fragile in the repeated one; anything beyond is a failure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from robustcert.data.dataset import Dataset
from robustcert.smoothing.certify import Row, Subject, certify
from robustcert.specification import Certification

FACTS = ("sample", "input", "label", "n0", "n")
VOTES = (("selection", "selectionFragile"), ("counts", "fragile"))


def replay_sample(model: Subject, dataset: Dataset, sample_id: int, *, certification: Certification, key0: int) -> Row:
    """The row of one sample, made anew by the code that certified it; DataError for an unknown sample."""
    return certify(model, dataset.rows([sample_id]), certification=certification, key0=key0)[0]


def rows_agree(recorded: Mapping[str, Any], replayed: Mapping[str, Any], *, bit_exact: bool) -> str | None:
    """The first disagreement in words, or None; `bit_exact` only where both environments are equal.

    Otherwise votes may move as far as fragile votes explain. Candidate, decision and radius follow from the counts,
    which is checked by recomputing them, not here.
    """
    for name in tuple(sorted(recorded.keys() | replayed.keys())) if bit_exact else FACTS:
        if recorded.get(name) != replayed.get(name):
            return _sentence(recorded, f"{name} {recorded.get(name)!r}, repeated {replayed.get(name)!r}")
    return next(
        (reason for votes, fragile in VOTES if (reason := _unexplained(recorded, replayed, votes, fragile))), None
    )


def _unexplained(recorded: Mapping[str, Any], replayed: Mapping[str, Any], votes: str, fragile: str) -> str | None:
    before, after = dict(map(tuple, recorded[votes])), dict(map(tuple, replayed[votes]))
    if len(before) != len(recorded[votes]) or min(before.values(), default=0) < 0:
        return _sentence(recorded, f"{votes} {recorded[votes]!r}, expected each class once")
    gained = sum(max(0, after[label] - before.get(label, 0)) for label in after)
    lost = sum(max(0, before[label] - after.get(label, 0)) for label in before)
    if gained > recorded[fragile]:
        return _sentence(recorded, f"{votes} gained {gained}, more than the {recorded[fragile]} fragile votes recorded")
    if lost > replayed[fragile]:
        return _sentence(recorded, f"{votes} lost {lost}, more than the {replayed[fragile]} fragile votes repeated")
    return None


def _sentence(recorded: Mapping[str, Any], difference: str) -> str:
    return f"sample {recorded['sample']}: recorded {difference}"
