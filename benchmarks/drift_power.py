"""False alarms and power of the decision on 30 columns, beside Evidently's default tests at the same false-alarm rate.

    python -m benchmarks.drift_power --replicates 1000 --columns mixed

A replicate is a reference, a clean window, and the clean window with one of its 30 columns moved by a part of its
standard deviation. An alarm is any column called drifted: Holm at alpha 0.05, and no smallest effect, which could only
lower the rate of alarms. Evidently's tests are the ones that it chooses by itself for each column (Kolmogorov-Smirnov
and chi-square p-values up to 1,000 reference rows, distances beyond); it corrects for no multiplicity, so its common
threshold is set here such that it raises as many false alarms on the same clean windows as ours does.
Intervals are Clopper and Pearson's at 95 %; ours and theirs see the same rows and are compared pairwise (McNemar).
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from robustcert.drift.columns import column_tests
from robustcert.drift.histogram import ColumnCounts, categories, number_bins
from robustcert.evaluation.statistics import mcnemar_exact_p, rate

ALPHA = 0.05
COLUMNS = 30
SHIFTS = (0.05, 0.1, 0.25, 0.5, 1.0)
SIZES = ((200, 200), (1_000, 1_000), (10_000, 200), (10_000, 10_000))
WORDS = np.array([f"word{number}" for number in range(12)], dtype=object)

Column = np.ndarray
Maker = Callable[[int, np.random.Generator], Column]

CONTINUOUS: tuple[Maker, ...] = (
    lambda rows, rng: rng.standard_normal(rows),
    lambda rows, rng: np.exp(rng.standard_normal(rows)),
    lambda rows, rng: rng.standard_t(3, rows),
    lambda rows, rng: rng.random(rows),
)
DISCRETE: tuple[Maker, ...] = (
    lambda rows, rng: rng.poisson(2.0, rows).astype(float),
    lambda rows, rng: np.where(rng.random(rows) < 0.7, 0.0, rng.random(rows)),
    lambda rows, rng: WORDS[(len(WORDS) * rng.random(rows) ** 3).astype(np.int64)],
)
CONTINUOUS_PLACES = range(21)  # of mixed columns; only these are moved
KINDS: dict[str, tuple[Maker, ...]] = {
    "normal": (CONTINUOUS[0],) * COLUMNS,
    "mixed": tuple(
        CONTINUOUS[place % 4] if place in CONTINUOUS_PLACES else DISCRETE[place % 3] for place in range(COLUMNS)
    ),
}


@dataclass
class Alarms:
    """One entry for each replicate: our alarm on the clean window, and on it with each shift; the same in scores."""

    ours: dict[float, list[bool]] = field(default_factory=dict)
    theirs: dict[float, list[float]] = field(default_factory=dict)


def main() -> None:
    """Prints the false alarms, then alarms on both sides at each shift (0 is clean), for each pair of sizes."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--replicates", type=int, default=1000)
    parser.add_argument("--peer-replicates", type=int, help="how many of them have shifts, and are shown to Evidently")
    parser.add_argument("--columns", choices=KINDS, default="mixed")
    parser.add_argument("--sizes", type=int, nargs="*", help="reference rows, window rows, reference rows, ...")
    parser.add_argument("--small", action="store_true", help="one pair of sizes, 20 replicates")
    given = parser.parse_args()
    replicates = 20 if given.small else given.replicates
    sizes = tuple(zip(given.sizes[::2], given.sizes[1::2], strict=True)) if given.sizes else SIZES
    for n, m in sizes[:1] if given.small else sizes:
        peer = replicates if given.peer_replicates is None else given.peer_replicates
        _report(n, m, _alarms(KINDS[given.columns], n, m, replicates=replicates, peer=peer), columns=given.columns)


def _alarms(makers: Sequence[Maker], n: int, m: int, *, replicates: int, peer: int) -> Alarms:
    found = Alarms(ours={0.0: []})
    for number in range(replicates):
        rng = np.random.default_rng([n, m, number])
        reference, window = ([maker(rows, rng) for maker in makers] for rows in (n, m))
        if number >= peer:
            found.ours[0.0].append(_ours(reference, {0.0: window}, 0)[0.0])
            continue
        planted = number % len(CONTINUOUS_PLACES)
        windows = _windows(window, planted)
        for shift, alarm in _ours(reference, windows, planted).items():
            found.ours.setdefault(shift, []).append(alarm)
        for shift, score in _theirs(reference, windows, planted).items():
            found.theirs.setdefault(shift, []).append(score)
    return found


def _windows(window: list[Column], planted: int) -> dict[float, list[Column]]:
    """The clean window, and what it is with one column moved, by shift."""
    moved = {shift: window[planted] + shift * window[planted].std() for shift in SHIFTS}
    return {0.0: window} | {shift: [*window[:planted], moved[shift], *window[planted + 1 :]] for shift in SHIFTS}


def _ours(reference: list[Column], windows: dict[float, list[Column]], planted: int) -> dict[float, bool]:
    """Whether any column counts as drifted; only the planted one has to be counted anew for each shift."""
    counted, clean = {}, {}
    for place, values in enumerate(reference):
        cells = categories(values) if values.dtype == object else number_bins(values)
        counted[str(place)] = ColumnCounts(cells=cells).add(values)
        clean[str(place)] = ColumnCounts(cells=cells).add(windows[0.0][place])
    alarms = {}
    for shift, window in windows.items():
        moved = ColumnCounts(cells=counted[str(planted)].cells).add(window[planted])
        tests = column_tests(counted, {**clean, str(planted): moved}, alpha=ALPHA, minimum_effect=0.0)
        alarms[shift] = any(test.drifted for test in tests)
    return alarms


def _theirs(reference: list[Column], windows: dict[float, list[Column]], planted: int) -> dict[float, float]:
    """The most drifted column's score by Evidently's default tests; larger is more, p-values as their negatives."""
    clean = [evidently_score(values, windows[0.0][place]) for place, values in enumerate(reference)]
    others = max(score for place, score in enumerate(clean) if place != planted)
    return {
        shift: max(others, evidently_score(reference[planted], window[planted])) for shift, window in windows.items()
    }


def evidently_score(reference: Column, window: Column) -> float:
    """What Evidently's own choice of test says of one column: a distance, or minus a p-value."""
    os.environ["DO_NOT_TRACK"] = "1"
    import pandas as pd
    from evidently.legacy.calculations.stattests import get_stattest
    from evidently.legacy.core import ColumnType

    kind = ColumnType.Categorical if reference.dtype == object else ColumnType.Numerical
    before, after = pd.Series(reference), pd.Series(window)
    test = get_stattest(before, after, kind, None)
    score = float(test(before, after, kind, None).drift_score)
    return score if test.default_threshold == 0.1 else -score


def _report(n: int, m: int, found: Alarms, *, columns: str) -> None:
    title = f"{columns} columns, {n:,} reference and {m:,} window rows"
    ours = found.ours[0.0]
    print(f"{title}: false alarms at alpha {ALPHA}: {rate(sum(ours), len(ours))}", flush=True)
    if not found.theirs:
        return
    peer = len(found.theirs[0.0])
    threshold = _threshold(np.array(found.theirs[0.0]), sum(ours[:peer]))
    for shift in (0.0, *SHIFTS):
        mine = np.array(found.ours[shift][:peer])
        other = np.array(found.theirs[shift]) > threshold
        p = mcnemar_exact_p(int((mine & ~other).sum()), int((other & ~mine).sum()))
        print(f"  {shift:4} sd: ours {rate(int(mine.sum()), peer)}")
        print(f"           Evidently {rate(int(other.sum()), peer)}, equally often: p = {p:.2g}", flush=True)


def _threshold(clean: np.ndarray, alarms: int) -> float:
    """The score that as many as `alarms` clean windows exceed; at equal scores fewer do."""
    return float(np.sort(clean)[::-1][alarms])


if __name__ == "__main__":
    main()
