"""Maximum mean discrepancy of two samples of rows, such as embeddings: an RBF kernel and a permutation test.

A. Gretton et al., Journal of Machine Learning Research 13 (2012) 723-773: the unbiased estimate (their equation 3), the
median of all distances as the kernel's width. The p-value is exact for every sample size, whatever the distribution,
as long as rows (or groups of rows) are exchangeable while nothing drifts.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from robustcert.drift.blocks import pool
from robustcert.drift.thresholds import DriftTest, Measurement, Signal, decide, permutation_law

PERMUTATIONS = 999
MOST_ROWS = 1000  # of each sample: time and memory grow with the square


def mmd_test(
    x_ND: ArrayLike,
    y_MD: ArrayLike,
    *,
    alpha: float,
    permutations: int = PERMUTATIONS,
    seed: int,
    groups: tuple[ArrayLike, ArrayLike] | None = None,
    most_rows: int = MOST_ROWS,
    minimum_effect: float = 0.0,
    signal: Signal = "embedding",
) -> DriftTest:
    """Score: squared discrepancy of reference `x_ND` and window `y_MD` (0 on average while nothing drifts).

    Effect: its root, 0 to about 1.4. Columns count by their units: standardise features first. Of each sample at most
    `most_rows` rows are used, drawn by `seed`, as are the permutations. `groups` holds the session, day or other group
    of each row of `x_ND` and of `y_MD`; groups then move as wholes.
    DataError for tables that can't be compared; InputError for too few permutations or groups to reach `alpha`.
    """
    pooled = pool(x_ND, y_MD, groups=groups, most=most_rows, seed=seed)
    pooled.require_arrangements(alpha)
    kernel_LL = rbf_kernel(pooled.rows_LD)
    score = float(_discrepancy(kernel_LL, pooled.window_L[:, None])[0])
    permuted_P = _discrepancy(kernel_LL, pooled.permuted(permutations, np.random.default_rng([seed, 1])))
    found = Measurement(
        score=score,
        law=permutation_law(score, permuted_P, alpha=alpha),
        effect=math.sqrt(max(0.0, score)),
        effect_name="mmd",
        score_of_effect=lambda effect: effect**2,
        n=int((pooled.window_L == 0).sum()),
        m=int(pooled.window_L.sum()),
    )
    return decide(found, signal=signal, column="", method="mmd", alpha=alpha, minimum_effect=minimum_effect)


def rbf_kernel(rows_LD: NDArray[np.float64], *, width: float | None = None) -> NDArray[np.float64]:
    """exp(-distance^2 / (2 width^2)) of each pair; without `width`, the median distance of two different rows."""
    squared_LL = squared_distances(rows_LD)
    if width is None:
        width = median_distance(squared_LL)
    return np.asarray(np.exp(squared_LL / (-2 * width**2)))


def squared_distances(rows_LD: NDArray[np.float64]) -> NDArray[np.float64]:
    """Between each pair of rows; about the mean, so that a common offset costs no digits."""
    apart_LD = rows_LD - rows_LD.mean(axis=0)
    norm_L = (apart_LD**2).sum(axis=1)
    squared_LL = np.maximum(norm_L[:, None] + norm_L[None] - 2 * apart_LD @ apart_LD.T, 0.0)
    np.fill_diagonal(squared_LL, 0.0)
    return np.asarray(squared_LL)


def median_distance(squared_LL: NDArray[np.float64]) -> float:
    """Of two different rows (root of the median square); where most rows are equal the mean, and 1 where all are."""
    pairs = squared_LL[np.triu_indices(len(squared_LL), k=1)]
    return math.sqrt(float(np.median(pairs)) or float(pairs.mean()) or 1.0)


def _discrepancy(kernel_LL: NDArray[np.float64], window_LP: NDArray[np.float64]) -> NDArray[np.float64]:
    """The unbiased estimate for each of P ways to call rows the window's; sizes may differ with groups."""
    toward_LP = kernel_LL @ window_LP
    diagonal_L = np.diagonal(kernel_LL)
    m_P = window_LP.sum(axis=0)
    n_P = len(kernel_LL) - m_P
    within_P, row_sum_P = (window_LP * toward_LP).sum(axis=0), toward_LP.sum(axis=0)
    across_P = row_sum_P - within_P
    own_P = diagonal_L @ window_LP
    rest_P = kernel_LL.sum() - within_P - 2 * across_P
    one_P = (within_P - own_P) / np.maximum(1, m_P * (m_P - 1))
    other_P = (rest_P - (diagonal_L.sum() - own_P)) / np.maximum(1, n_P * (n_P - 1))
    return np.asarray(one_P + other_P - 2 * across_P / np.maximum(1, n_P * m_P))
