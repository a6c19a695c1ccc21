"""Can a classifier tell rows of the window from rows of the reference? Its cross-validated AUC, with an exact p-value.

D. Lopez-Paz and M. Oquab, "Revisiting classifier two-sample tests", ICLR 2017. The classifier is kernel ridge
regression (RBF and linear parts), because its predictions are linear in the labels: one matrix predicts every row from
the folds that it is not in, for the true labels and for all permuted ones, so that the whole cross-validation is
permuted at the cost of one product, and folds that depend on each other do no harm. Columns are standardised by the
pooled rows, which no permutation changes: give them in any units.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.stats import rankdata

from robustcert.drift.blocks import Pooled, pool
from robustcert.drift.effect_size import auc_of_shift, shift_of_auc
from robustcert.drift.mmd import median_distance, squared_distances
from robustcert.drift.thresholds import DriftTest, Measurement, Signal, decide, permutation_law
from robustcert.errors import InputError, expected

PERMUTATIONS = 499
MOST_ROWS = 1000  # of each sample: time grows with the cube
FOLDS = 5
RIDGE = 1.0


@dataclass(frozen=True, kw_only=True)
class DomainClassifier:
    """The test, and how much each column contributes: shares that sum to 1, in the order of the columns."""

    test: DriftTest
    importance: tuple[float, ...]


def domain_classifier_test(
    x_ND: ArrayLike,
    y_MD: ArrayLike,
    *,
    alpha: float,
    seed: int,
    permutations: int = PERMUTATIONS,
    groups: tuple[ArrayLike, ArrayLike] | None = None,
    most_rows: int = MOST_ROWS,
    folds: int = FOLDS,
    minimum_effect: float = 0.0,
    signal: Signal = "features",
) -> DomainClassifier:
    """Score: AUC in cross-validation, 0.5 while nothing drifts; effect: the equivalent shift of one normal column.

    Parameters are those of `mmd_test`; with `groups` a group is never in two folds. Memory and time depend on
    `most_rows` and on `permutations`, not on how many rows are given.
    DataError for tables that can't be compared; InputError for too few permutations or groups to reach `alpha`.
    """
    pooled = pool(x_ND, y_MD, groups=groups, most=most_rows, seed=seed)
    pooled.require_arrangements(alpha)
    rng = np.random.default_rng([seed, 1])
    fold_L = _folds(pooled, folds, rng)
    rows_LD = _standardised(pooled.rows_LD)
    squared_LL = squared_distances(rows_LD)
    width = median_distance(squared_LL)
    kernel_LL = np.exp(squared_LL / (-2 * width**2)) + rows_LD @ rows_LD.T / rows_LD.shape[1]
    labels_LP = np.column_stack([pooled.window_L, pooled.permuted(permutations, rng)])
    auc_P = _cross_validated_auc(kernel_LL, labels_LP, fold_L)
    score = float(auc_P[0])
    found = Measurement(
        score=score,
        law=permutation_law(score, auc_P[1:], alpha=alpha),
        effect=shift_of_auc(score),
        effect_name="equivalent_shift",
        score_of_effect=auc_of_shift,
        n=int((pooled.window_L == 0).sum()),
        m=int(pooled.window_L.sum()),
    )
    test = decide(
        found, signal=signal, column="", method="domain_classifier", alpha=alpha, minimum_effect=minimum_effect
    )
    return DomainClassifier(test=test, importance=_importance(rows_LD, kernel_LL, pooled.window_L, width=width))


def _folds(pooled: Pooled, folds: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """The fold of each row: blocks are dealt out in random order, whichever sample they are of."""
    blocks = int(pooled.block_L.max()) + 1
    if not 2 <= folds <= blocks:
        raise InputError(expected(f"2 to {blocks} folds", got=folds, remedy="a fold holds at least one group of rows"))
    return np.asarray(rng.permutation(np.arange(blocks) % folds)[pooled.block_L])


def _standardised(rows_LD: NDArray[np.float64]) -> NDArray[np.float64]:
    deviation_D = rows_LD.std(axis=0)
    return np.asarray((rows_LD - rows_LD.mean(axis=0)) / np.where(deviation_D > 0, deviation_D, 1.0))


def _cross_validated_auc(
    kernel_LL: NDArray[np.float64], labels_LP: NDArray[np.float64], fold_L: NDArray[np.int64]
) -> NDArray[np.float64]:
    """The AUC of each of P labellings: averaged over folds, each weighed by its pairs of one row of either sample."""
    won_P, pairs_P = np.zeros(labels_LP.shape[1]), np.zeros(labels_LP.shape[1])
    for fold in np.unique(fold_L):
        held_out = fold_L == fold
        score_TP = _predicted(kernel_LL, labels_LP, held_out)
        label_TP = labels_LP[held_out]
        m_P = label_TP.sum(axis=0)
        won_P += (rankdata(score_TP, axis=0) * label_TP).sum(axis=0) - m_P * (m_P + 1) / 2
        pairs_P += m_P * (len(label_TP) - m_P)
    return np.asarray(np.where(pairs_P > 0, won_P / np.maximum(1, pairs_P), 0.5))


def _predicted(
    kernel_LL: NDArray[np.float64], labels_LP: NDArray[np.float64], held_out: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """(T, P): what ridge regression on the other rows predicts for the rows held out."""
    dual_SP = _dual(kernel_LL[np.ix_(~held_out, ~held_out)], labels_LP[~held_out])
    return np.asarray(kernel_LL[np.ix_(held_out, ~held_out)] @ dual_SP)


def _dual(kernel_SS: NDArray[np.float64], labels_SP: NDArray[np.float64]) -> NDArray[np.float64]:
    factor = cho_factor(kernel_SS + RIDGE * np.eye(len(kernel_SS)), lower=True)
    return np.asarray(cho_solve(factor, labels_SP - labels_SP.mean(axis=0)))


def _importance(
    rows_LD: NDArray[np.float64], kernel_LL: NDArray[np.float64], window_L: NDArray[np.float64], *, width: float
) -> tuple[float, ...]:
    """How steep the classifier fitted to all rows is along each column: the mean square of its slope, as shares."""
    dual_L = _dual(kernel_LL, window_L[:, None])[:, 0]
    linear_LL = rows_LD @ rows_LD.T / rows_LD.shape[1]
    pull_LL = (kernel_LL - linear_LL) * dual_L / width**2
    slope_LD = pull_LL @ rows_LD - pull_LL.sum(axis=1, keepdims=True) * rows_LD + dual_L @ rows_LD / rows_LD.shape[1]
    steep_D = (slope_LD**2).mean(axis=0)
    total = float(steep_D.sum())
    return tuple((steep_D / total).tolist()) if total > 0 else (0.0,) * rows_LD.shape[1]
