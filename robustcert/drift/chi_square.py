"""Chi-square test that two counts over the same cells come from one distribution.

Pearson (1900); rare categories are merged (`grouping.merge_rare`). Where two groups are left and either sample expects
fewer than fifty of one, they are tested exactly instead: given both margins the count is hypergeometric (Fisher, 1935),
and the p-value is the probability of tables whose chi-square is at least as large.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from robustcert.drift.effect_size import cramers_v, score_of_cramers_v
from robustcert.drift.grouping import LEAST_EXPECTED, Counts, merge_rare
from robustcert.drift.thresholds import ChiSquareLaw, FiniteLaw, Law, Measurement

EXACT_BELOW = 50.0
TOLERANCE = 1e-9  # tables whose chi-square is equal but for rounding count as equal


def chi_square_measurement(
    a_K: Counts, b_K: Counts, *, rest: tuple[int, int] = (0, 0), least_expected: float = LEAST_EXPECTED
) -> Measurement:
    """Score: Pearson's chi-square after merging; effect: Cramer's V without its bias (`effect_size.cramers_v`).

    `a_K` and `b_K` are the reference's and the window's counts in the same K cells, neither of them empty; `rest` are
    rows of both beside these cells.
    """
    a_G, b_G = merge_rare(*_held(a_K, b_K), rest=rest, least=least_expected)
    n, m = int(a_G.sum()), int(b_G.sum())
    degrees = len(a_G) - 1
    score = chi_square(a_G, b_G)
    exact = degrees == 1 and (a_G + b_G).min() * min(n, m) < EXACT_BELOW * (n + m)
    law: Law = _exact_law(a_G, b_G) if exact else ChiSquareLaw(scale=1.0, degrees=degrees)
    return Measurement(
        score=_snapped(score, law),
        law=law,
        effect=cramers_v(score, degrees=degrees, n=n, m=m),
        effect_name="cramers_v",
        score_of_effect=lambda effect: score_of_cramers_v(effect, degrees=degrees, n=n, m=m),
        n=n,
        m=m,
    )


def chi_square(a_G: Counts, b_G: Counts) -> float:
    """Pearson's chi-square of a table of two rows; no group may be empty in both.

    >>> round(chi_square(np.array([10, 20]), np.array([20, 10])), 4)
    6.6667
    """
    n, m = a_G.sum(), b_G.sum()
    apart_G = a_G / n - b_G / m
    return float((apart_G**2 / (a_G + b_G)).sum() * n * m)


def _held(a_K: Counts, b_K: Counts) -> tuple[Counts, Counts]:
    held_K = a_K + b_K > 0
    return a_K[held_K], b_K[held_K]


def _exact_law(a_G: Counts, b_G: Counts) -> FiniteLaw:
    """All chi-squares that the margins of this table of two by two allow."""
    n, m = int(a_G.sum()), int(b_G.sum())
    first = int(a_G[0] + b_G[0])
    count_T = np.arange(max(0, first - m), min(n, first) + 1)
    log_T = _log_binomial(n, count_T) + _log_binomial(m, first - count_T) - _log_binomial(n + m, np.array(first))
    score_T = (count_T / n - (first - count_T) / m) ** 2 * n * m * (1 / first + 1 / (n + m - first))
    order = np.argsort(score_T, kind="stable")
    new_T = np.diff(score_T[order], prepend=-np.inf) > TOLERANCE
    mass_K = np.bincount(np.cumsum(new_T) - 1, weights=np.exp(log_T[order]))
    tail_K = np.minimum(1.0, mass_K[::-1].cumsum()[::-1])
    return FiniteLaw(scores_K=score_T[order][new_T], tail_K=tail_K)


def _snapped(score: float, law: Law) -> float:
    """On an exact law, the attainable score itself rather than one that rounding has moved off it."""
    if not isinstance(law, FiniteLaw):
        return score
    return float(law.scores_K[np.abs(law.scores_K - score).argmin()])


def _log_binomial(of: int, count: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.asarray(gammaln(of + 1) - gammaln(count + 1) - gammaln(of - count + 1))
