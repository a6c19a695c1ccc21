"""Two-sample Kolmogorov-Smirnov test on counts in common cells.

The distance of two distribution functions, taken at the cells' edges only: never larger than the exact one, and smaller
by at most the share of the fullest cell of several values. So binning loses a little power and adds no false alarm.
"""

from __future__ import annotations

import numpy as np

from robustcert.drift.effect_size import distance_of_shift, shift_of_distance
from robustcert.drift.grouping import Counts
from robustcert.drift.thresholds import KolmogorovLaw, Measurement


def ks_measurement(a_K: Counts, b_K: Counts) -> Measurement:
    """Score: the largest difference of cumulated shares; effect: the shift of a normal column that has it."""
    n, m = int(a_K.sum()), int(b_K.sum())
    score = ks_distance(a_K, b_K)
    return Measurement(
        score=score,
        law=KolmogorovLaw(n=n, m=m),
        effect=shift_of_distance(score),
        effect_name="equivalent_shift",
        score_of_effect=distance_of_shift,
        n=n,
        m=m,
    )


def ks_distance(a_K: Counts, b_K: Counts) -> float:
    """0 to 1.

    >>> ks_distance(np.array([5, 5, 0]), np.array([0, 5, 5]))
    0.5
    """
    return float(np.abs(np.cumsum(a_K) / a_K.sum() - np.cumsum(b_K) / b_K.sum()).max())
