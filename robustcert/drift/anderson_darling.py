"""Two-sample Anderson-Darling test on counts in common cells: decides for numbers unless another test is asked for.

The squared difference of two distribution functions, each point weighed by its variance, so that location, spread and
tails all count; a shifted normal column is found more often than by Kolmogorov-Smirnov (benchmarks/drift_power.py).
A. N. Pettitt, Biometrika 63 (1976) 161-168; F. W. Scholz and M. A. Stephens, Journal of the
American Statistical Association 82 (1987) 918-924.

Given the pooled counts, which rows are the window's is a draw without replacement while nothing drifts. Mean and
covariance of the differences then hold exactly, ties or not, and the score follows a quadratic form of normals.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from robustcert.drift.grouping import Counts, by_mass, grouped, tail_levels
from robustcert.drift.quadratic_form import QuadraticFormLaw
from robustcert.drift.thresholds import Measurement

GROUPS = 64
# A normal column shifted by d standard deviations has score 1 + NORMAL_SHIFT * d^2 * n m / (n + m), for small d: the
# integral of density^3 / (P (1 - P)), P the distribution function of a normal variable.
NORMAL_SHIFT = 0.4805


def anderson_darling_measurement(a_K: Counts, b_K: Counts, *, groups: int = GROUPS) -> Measurement:
    """Score: the statistic, 1 on average while nothing drifts; effect: the equivalent shift of a normal column."""
    a_G, b_G = grouped(a_K, b_K, by_mass(a_K + b_K, tail_levels(groups)))
    n, m = int(a_G.sum()), int(b_G.sum())
    weight_C, share_C = _weights(a_G + b_G)
    floor = 1.0 if len(share_C) else 0.0
    unit = (1 / n + 1 / m) / NORMAL_SHIFT
    score = _score(a_G, b_G, weight_C, share_C)
    return Measurement(
        score=score,
        law=QuadraticFormLaw(weights=_eigenvalues(weight_C, share_C)),
        effect=math.sqrt(max(0.0, score - floor) * unit),
        effect_name="equivalent_shift",
        score_of_effect=lambda effect: floor + effect**2 / unit,
        n=n,
        m=m,
    )


def _weights(total_G: Counts) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """For each cut C between two groups: its weight (they sum to 1) and the pooled share below it."""
    mass_G = total_G / total_G.sum()
    weight_C = (mass_G[1:] + mass_G[:-1]) / 2
    return weight_C / max(weight_C.sum(), np.finfo(float).tiny), np.cumsum(mass_G)[:-1]


def _score(a_G: Counts, b_G: Counts, weight_C: NDArray[np.float64], share_C: NDArray[np.float64]) -> float:
    n, m = int(a_G.sum()), int(b_G.sum())
    apart_C = (np.cumsum(a_G) / n - np.cumsum(b_G) / m)[:-1]
    variance_C = share_C * (1 - share_C) * (n + m) / (n + m - 1) * (1 / n + 1 / m)
    return float((weight_C * apart_C**2 / variance_C).sum())


def _eigenvalues(weight_C: NDArray[np.float64], share_C: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of the covariance of the weighed differences; at cuts of shares s < t they correlate by root(odds s / odds t)."""
    root_C = np.sqrt(share_C / (1 - share_C))
    correlation_CC = np.minimum.outer(root_C, root_C) / np.maximum.outer(root_C, root_C)
    scale_C = np.sqrt(weight_C)
    return np.maximum(np.linalg.eigvalsh(correlation_CC * np.outer(scale_C, scale_C)), 0.0)
