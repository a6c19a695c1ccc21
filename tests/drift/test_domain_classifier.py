"""The domain classifier against scikit-learn's, row by row; its guarantee, and what it blames."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist, pdist
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics import roc_auc_score

from robustcert.drift.blocks import pool
from robustcert.drift.domain_classifier import FOLDS, RIDGE, _folds, domain_classifier_test
from robustcert.errors import InputError
from robustcert.evaluation.statistics import binomial_quantile


def by_sklearn(x_ND: np.ndarray, y_MD: np.ndarray, *, seed: int, folds: int) -> float:
    """The same folds, scikit-learn's ridge regression and AUC."""
    pooled = pool(x_ND, y_MD, groups=None, most=1_000, seed=seed)
    fold_L = _folds(pooled, folds, np.random.default_rng([seed, 1]))
    rows = (pooled.rows_LD - pooled.rows_LD.mean(axis=0)) / pooled.rows_LD.std(axis=0)
    kernel = np.exp(-(cdist(rows, rows) ** 2) / (2 * np.median(pdist(rows)) ** 2)) + rows @ rows.T / rows.shape[1]
    won = pairs = 0.0
    for fold in range(folds):
        out, labels = fold_L == fold, pooled.window_L
        model = KernelRidge(alpha=RIDGE, kernel="precomputed")
        model.fit(kernel[np.ix_(~out, ~out)], labels[~out] - labels[~out].mean())
        weight = labels[out].sum() * (1 - labels[out]).sum()
        won += weight * roc_auc_score(labels[out], model.predict(kernel[np.ix_(out, ~out)]))
        pairs += weight
    return won / pairs


@pytest.mark.parametrize("folds", [2, FOLDS])
def test_the_score_is_what_scikit_learn_computes(folds: int) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(120, 4)), rng.normal(0.2, 1.5, size=(80, 4))
    test = domain_classifier_test(x, y, alpha=0.05, seed=3, permutations=19, folds=folds).test
    assert test.score == pytest.approx(by_sklearn(x, y, seed=3, folds=folds), rel=1e-9)
    assert (test.signal, test.method, test.effect_name) == ("features", "domain_classifier", "equivalent_shift")


@pytest.mark.parametrize("grouped", [False, True])
def test_clean_rows_alarm_as_rarely_as_alpha_says_though_sessions_resemble_themselves(grouped: bool) -> None:
    """200 clean pairs at 5 %; fails by chance below 1e-4."""
    rng, alarms = np.random.default_rng(6), 0
    names = np.repeat(np.arange(10), 5)
    for seed in range(200):
        x, y = (rng.normal(size=(50, 2)) + grouped * rng.normal(size=(10, 2))[names] for _ in range(2))
        groups = (names, names) if grouped else None
        found = domain_classifier_test(x, y, alpha=0.05, seed=seed, permutations=39, groups=groups)
        alarms += found.test.drifted
    assert 1 <= alarms <= binomial_quantile(0.9999, 200, 0.05)


@pytest.mark.parametrize("change", ["shift", "spread"])
def test_the_column_that_changed_is_blamed_most(change: str) -> None:
    rng = np.random.default_rng(7)
    x, y = rng.normal(size=(400, 6)), rng.normal(size=(400, 6))
    y[:, 4] = y[:, 4] + 0.8 if change == "shift" else 2 * y[:, 4]
    found = domain_classifier_test(x, y, alpha=0.01, seed=0, permutations=99)
    assert found.test.drifted
    assert sum(found.importance) == pytest.approx(1.0)
    assert np.argmax(found.importance) == 4
    assert max(found.importance) > 0.4


def test_a_change_that_no_column_shows_alone_is_found() -> None:
    rng = np.random.default_rng(1)
    x, z = rng.normal(size=(2, 400))
    before, after = np.column_stack([x, 0.8 * x + 0.6 * z]), np.column_stack([x, -0.8 * x + 0.6 * z])
    assert domain_classifier_test(before, after, alpha=0.01, seed=0, permutations=99).test.score > 0.7


def test_the_effect_of_one_shifted_normal_column_is_nearly_its_shift() -> None:
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(600, 1)), rng.normal(1.0, size=(600, 1))
    assert domain_classifier_test(x, y, alpha=0.05, seed=0, permutations=19).test.effect == pytest.approx(1.0, abs=0.15)


def test_units_and_constant_columns_make_no_difference() -> None:
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(100, 2)), rng.normal(0.5, size=(100, 2))
    plain = domain_classifier_test(x, y, alpha=0.05, seed=0, permutations=19)
    scaled = domain_classifier_test(x * [1e6, 1e-6] + 3, y * [1e6, 1e-6] + 3, alpha=0.05, seed=0, permutations=19)
    assert scaled.test.score == pytest.approx(plain.test.score, abs=1e-6)
    same = domain_classifier_test(np.ones((30, 3)), np.ones((40, 3)), alpha=0.05, seed=0, permutations=19)
    assert (same.test.score, same.test.drifted, same.importance) == (0.5, False, (0.0, 0.0, 0.0))


def test_parameters_do_what_they_say() -> None:
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(300, 3)), rng.normal(0.4, size=(200, 3))
    plain = domain_classifier_test(x, y, alpha=0.05, seed=1)
    assert plain == domain_classifier_test(x, y, alpha=0.05, seed=1)
    assert (plain.test.n, plain.test.m, plain.test.drifted, plain.test.p_value) == (300, 200, True, 1 / 500)
    fewer = domain_classifier_test(x, y, alpha=0.05, seed=1, most_rows=60, permutations=99, signal="embedding").test
    assert (fewer.n, fewer.m, fewer.signal) == (60, 60, "embedding")
    assert domain_classifier_test(x, y, alpha=0.05, seed=2, most_rows=60, permutations=99).test.score != fewer.score
    assert not domain_classifier_test(x, y, alpha=0.05, seed=1, minimum_effect=3.0).test.drifted
    for folds in (1, 501):
        with pytest.raises(InputError, match=f"expected 2 to 500 folds, got {folds}"):
            domain_classifier_test(x, y, alpha=0.05, seed=1, folds=folds)
    with pytest.raises(InputError, match="expected at least 19 permutations, got 9"):
        domain_classifier_test(x, y, alpha=0.05, seed=1, permutations=9)
    with pytest.raises(InputError, match="expected enough groups"):
        domain_classifier_test(x, y, alpha=0.05, seed=0, groups=(np.zeros(300), np.zeros(200)))
