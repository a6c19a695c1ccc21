"""Which samples a log is about: how many, which ids, and whether any of its rows are copies of others."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from robustcert.audit.row_checks import Finding, Status
from robustcert.audit.survey import Survey

COPY_CHANCE = 1e-6  # of independent rows that repeat by accident
LONGEST_RUN = 64
MOST_ALIKE = 0.5  # chance of two radii to be equal, above which runs tell nothing


def sample_checks(taken: Survey) -> list[Finding]:
    """Findings about the samples of one log."""
    return [_rows_claimed(taken), _ids_claimed(taken), _repeated_ids(taken), _copied_rows(taken)]


def _rows_claimed(taken: Survey) -> Finding:
    found, wanted = len(taken.samples), taken.source.claim.samples
    if wanted is None:
        return _finding(taken, "row count", "cannot tell", f"{found} rows; how many were claimed was not given")
    if found != wanted:
        missing = "missing ones have to count as not certified" if found < wanted else "more than were claimed"
        return _finding(taken, "row count", "WRONG", f"{found} rows for {wanted} claimed; {missing}")
    return _finding(taken, "row count", "ok", f"{found} rows, as claimed")


def _ids_claimed(taken: Survey) -> Finding:
    ids, claimed = np.unique(taken.ids), taken.source.claim.ids
    if claimed is None:
        return _finding(taken, "sample ids", "cannot tell", f"{pattern(ids)}; which were claimed was not given")
    wanted = np.fromiter(claimed, dtype=np.int64, count=len(claimed))
    missing, foreign = np.setdiff1d(wanted, ids), np.setdiff1d(ids, wanted)
    if len(missing) or len(foreign):
        parts = [f"{len(missing)} claimed ids are missing (first {missing[0]})"] if len(missing) else []
        parts += [f"{len(foreign)} are not claimed (first {foreign[0]})"] if len(foreign) else []
        return _finding(taken, "sample ids", "WRONG", "; ".join(parts))
    return _finding(taken, "sample ids", "ok", f"all {len(wanted)} claimed ids and no other")


def pattern(ids: NDArray[np.int64]) -> str:
    """Ascending, different ids in words.

    >>> pattern(np.array([0, 20, 40, 80]))
    '4 ids from 0 to 80, every 20th, 1 left out'
    """
    if len(ids) < 2:
        return f"one id, {ids[0]}"
    steps, counts = np.unique(np.diff(ids), return_counts=True)
    step = int(steps[np.argmax(counts)])
    left_out = int(ids[-1] - ids[0]) // step + 1 - len(ids)
    regular = bool(np.all((ids - ids[0]) % step == 0))
    shape = f"every {step}th, {left_out} left out" if regular and step > 1 else f"steps of 1 to {int(steps[-1])}"
    return f"{len(ids)} ids from {ids[0]} to {ids[-1]}, {shape}"


def _repeated_ids(taken: Survey) -> Finding:
    ids, counts = np.unique(taken.ids, return_counts=True)
    if len(ids) == len(taken.samples):
        return _finding(taken, "duplicated rows", "ok", "every sample once")
    repeated = ids[counts > 1]
    message = f"{len(repeated)} samples come more than once, such as {repeated[0]}, {counts.max()} times at most"
    return _finding(taken, "duplicated rows", "WRONG", message)


def _copied_rows(taken: Survey) -> Finding:
    """Runs of certified rows that repeat label, prediction and radius in order, under other ids, beyond chance."""
    places = np.flatnonzero(taken.fingerprints)
    rows, ids = taken.fingerprints[places], taken.ids[places]
    length = run_length(len(rows), taken.radius_counts)
    if length is None:
        return _finding(taken, "copied rows", "cannot tell", "rows are too few or too alike to tell copies from chance")
    pair = repeated_run(rows, length)
    if pair is None:
        return _finding(taken, "copied rows", "ok", f"no {length} certified rows in sequence repeat others")
    first, second = (int(ids[place]) for place in pair)
    message = f"{length} rows from sample {second} on repeat labels, predictions and radii of those from {first} on"
    return _finding(taken, "copied rows", "WRONG", message)


def run_length(rows: int, radius_counts: Mapping[str, int]) -> int | None:
    """The shortest run that one of so many rows repeats by accident with chance COPY_CHANCE at most; None for none.

    Radii count as independent with the frequencies they have; nothing is assumed of labels, which may be sorted.
    """
    pairs, alike = rows * (rows - 1) / 2, sum((count / rows) ** 2 for count in radius_counts.values())
    if pairs < 1 or alike > MOST_ALIKE:
        return None
    length = max(2, math.ceil(math.log(COPY_CHANCE / pairs) / math.log(alike)))
    return length if length <= min(LONGEST_RUN, rows // 2) else None


def repeated_run(rows: NDArray[np.uint64], length: int) -> tuple[int, int] | None:
    """Places of two runs of that length which are equal and do not overlap; None where there are none."""
    windows = np.zeros(len(rows) - length + 1, dtype=np.uint64)
    with np.errstate(over="ignore"):
        for offset in range(length):  # a polynomial in each window's rows, modulo 2^64
            windows = windows * np.uint64(0x9E3779B97F4A7C15) + rows[offset : len(windows) + offset]
    order = np.argsort(windows, kind="stable")
    equal = np.flatnonzero(windows[order[1:]] == windows[order[:-1]])
    for place in equal:
        first, second = int(order[place]), int(order[place + 1])
        if second - first >= length and np.array_equal(rows[first : first + length], rows[second : second + length]):
            return first, second
    return None


def _finding(taken: Survey, check: str, status: Status, message: str) -> Finding:
    return Finding(file=taken.source.name, check=check, status=status, message=message)
