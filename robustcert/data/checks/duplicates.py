"""Duplicates, label conflicts, and leakage: samples of a held-out split that an earlier split already shows.

A sample leaks where train holds its like (for validation), or train or validation do (for test). Fractions are taken
per held-out split, so that a leak in one is not diluted by the other.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from robustcert.data.checks.facts import Breach, Facts, Severity
from robustcert.data.coordinates import relative_rows
from robustcert.data.near_duplicates import has_near_duplicate
from robustcert.data.splits import SPLITS
from robustcert.errors import expected

HELD_OUT = (1, 2)


def duplicates(facts: Facts) -> Breach | None:
    """At most `maximum_duplicate_fraction` of the samples repeat an earlier one; a warning for fewer."""
    repeats = facts.first_copy != np.arange(len(facts.raw))
    if not repeats.any():
        return None
    most = facts.contract.maximum_duplicate_fraction
    row = int(np.argmax(repeats))
    got = f"{repeats.sum()} of {len(repeats)}: {facts.name(row)} repeats {facts.name(int(facts.first_copy[row]))}"
    message = expected(f"at most {most:g} of the samples repeated", got=got, remedy="drop the copies")
    severity: Severity = "error" if repeats.mean() > most else "warning"
    return Breach(message=message, affected=repeats, severity=severity)


def label_conflicts(facts: Facts) -> Breach | None:
    """No two equal inputs have different labels."""
    first = facts.first_copy
    disagree = facts.raw.labels != facts.raw.labels[first]
    if not disagree.any():
        return None
    row = int(np.argmax(disagree))
    one, other = (facts.raw.label_name(int(facts.raw.labels[place])) for place in (first[row], row))
    got = f"{one} in {facts.name(int(first[row]))}, {other} in {facts.name(row)}"
    message = expected("one label for equal inputs", got=got, remedy="correct the labels or drop the samples")
    return Breach(message=message, affected=np.isin(first, first[disagree]))


def exact_leakage(facts: Facts) -> Breach | None:
    """At most `maximum_leaked_fraction` of a held-out split equals a sample of an earlier split."""
    return _leakage(facts, _exact_copies(facts), like="equal to")


def near_duplicate_leakage(facts: Facts) -> Breach | None:
    """As exact leakage, for inputs within `near_duplicate_distance`: RMS over coordinates, relative to the range."""
    near = _near_copies(facts)
    if not np.any(near & ~_exact_copies(facts)):
        return None
    return _leakage(facts, near, like=f"within {facts.contract.near_duplicate_distance:g} of")


def _exact_copies(facts: Facts) -> NDArray[np.bool_]:
    earliest = np.full(len(facts.raw), len(SPLITS), dtype=np.int8)
    np.minimum.at(earliest, facts.first_copy, facts.split)
    return np.asarray(earliest[facts.first_copy] < facts.split)


def _near_copies(facts: Facts) -> NDArray[np.bool_]:
    values, near = facts.raw.values, np.zeros(len(facts.raw), dtype=np.bool_)
    whole = np.isfinite(values.reshape(len(values), -1)).all(axis=1)
    for code in HELD_OUT:
        queries = np.flatnonzero(whole & (facts.split == code))
        near[queries] = has_near_duplicate(
            queries,
            np.flatnonzero(whole & (facts.split < code)),
            rows=lambda index: relative_rows(values[index], facts.contract),
            distance=facts.contract.near_duplicate_distance,
        )
    return near


def _leakage(facts: Facts, leaked: NDArray[np.bool_], *, like: str) -> Breach | None:
    most = facts.contract.maximum_leaked_fraction
    shares = [_share(facts, leaked, code) for code in HELD_OUT]
    worst = int(np.argmax(shares))
    if shares[worst] <= most:
        return None
    code = HELD_OUT[worst]
    inside = facts.split == code
    first = facts.name(int(np.argmax(leaked & inside)))
    got = f"{(leaked & inside).sum()} of {inside.sum()} in {SPLITS[code]}, the first {first}"
    what = f"at most {most:g} of a held-out split {like} a sample of an earlier split"
    message = expected(what, got=got, remedy="drop them, or keep such samples in one split")
    return Breach(message=message, affected=leaked, of=int(np.isin(facts.split, HELD_OUT).sum()))


def _share(facts: Facts, leaked: NDArray[np.bool_], code: int) -> float:
    inside = facts.split == code
    return float(leaked[inside].mean()) if inside.any() else 0.0
