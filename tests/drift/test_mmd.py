"""MMD against its definition written as loops; its guarantee with and without groups."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import pdist, squareform

from robustcert.drift.mmd import median_distance, mmd_test, rbf_kernel, squared_distances
from robustcert.errors import InputError
from robustcert.evaluation.statistics import binomial_quantile

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(9, 3)), RNG.normal(0.5, size=(7, 3))


def definition(x_ND: np.ndarray, y_MD: np.ndarray) -> float:
    """Equation 3 of Gretton et al., with the median heuristic by scipy."""
    rows = np.concatenate([x_ND, y_MD])
    width = np.sqrt(np.median(pdist(rows) ** 2))
    kernel = np.exp(-(squareform(pdist(rows)) ** 2) / (2 * width**2))
    n, m = len(x_ND), len(y_MD)
    within = sum(kernel[i, j] for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    other = sum(kernel[n + i, n + j] for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    across = sum(kernel[i, n + j] for i in range(n) for j in range(m)) / (n * m)
    return float(within + other - 2 * across)


def test_the_score_is_the_definition() -> None:
    test = mmd_test(X, Y, alpha=0.05, permutations=99, seed=0)
    assert test.score == pytest.approx(definition(X, Y), rel=1e-9)
    assert test.effect == pytest.approx(np.sqrt(max(0.0, test.score)))
    assert (test.signal, test.method, test.effect_name, test.n, test.m) == ("embedding", "mmd", "mmd", 9, 7)


def test_distances_and_their_median_are_those_of_scipy_also_far_from_the_origin() -> None:
    rows = X + 1e6
    assert np.sqrt(squared_distances(rows)) == pytest.approx(squareform(pdist(rows)), abs=1e-6)
    assert median_distance(squared_distances(X)) == pytest.approx(np.sqrt(np.median(pdist(X) ** 2)))


def test_rows_that_are_mostly_or_all_equal_have_a_width_too() -> None:
    assert median_distance(squared_distances(np.array([[0.0]] * 9 + [[3.0]]))) > 0
    assert median_distance(np.zeros((4, 4))) == 1.0
    assert not mmd_test(np.ones((20, 2)), np.ones((30, 2)), alpha=0.05, permutations=99, seed=0).drifted


def test_the_kernel_is_one_on_its_diagonal_and_knows_its_width() -> None:
    assert np.diagonal(rbf_kernel(X)).tolist() == [1.0] * 9
    assert rbf_kernel(np.array([[0.0], [2.0]]), width=1.0)[0, 1] == pytest.approx(np.exp(-2))


@pytest.mark.parametrize("grouped", [False, True])
def test_clean_rows_alarm_as_rarely_as_alpha_says_though_sessions_resemble_themselves(grouped: bool) -> None:
    """300 clean pairs at 5 %; fails by chance below 1e-4. Ten sessions of six rows each have a mean of their own."""
    rng, alarms = np.random.default_rng(5), 0
    names = np.repeat(np.arange(10), 6)
    for seed in range(300):
        x, y = (rng.normal(size=(60, 2)) + grouped * rng.normal(size=(10, 2))[names] for _ in range(2))
        groups = (names, names) if grouped else None
        alarms += mmd_test(x, y, alpha=0.05, permutations=99, seed=seed, groups=groups).drifted
    assert 1 <= alarms <= binomial_quantile(0.9999, 300, 0.05)


def test_permuting_rows_of_sessions_one_by_one_would_alarm_on_nothing() -> None:
    rng, alarms = np.random.default_rng(5), 0
    names = np.repeat(np.arange(10), 6)
    for seed in range(40):
        x, y = (rng.normal(size=(60, 2)) + rng.normal(size=(10, 2))[names] for _ in range(2))
        alarms += mmd_test(x, y, alpha=0.05, permutations=99, seed=seed).drifted
    assert alarms > 10


def test_a_change_that_no_column_shows_alone_is_found() -> None:
    """Equal margins, opposite correlation."""
    rng = np.random.default_rng(1)
    x, z = rng.normal(size=(2, 400))
    before, after = np.column_stack([x, 0.8 * x + 0.6 * z]), np.column_stack([x, -0.8 * x + 0.6 * z])
    assert mmd_test(before, after, alpha=0.01, seed=0, permutations=199).p_value == 1 / 200


def test_parameters_do_what_they_say() -> None:
    y = RNG.normal(0.3, size=(200, 3))
    x = RNG.normal(size=(300, 3))
    plain = mmd_test(x, y, alpha=0.05, seed=1)
    assert plain == mmd_test(x, y, alpha=0.05, seed=1)
    assert (plain.n, plain.m, plain.drifted) == (300, 200, True)
    fewer = mmd_test(x, y, alpha=0.05, seed=1, most_rows=50, signal="outputs")
    assert (fewer.n, fewer.m, fewer.signal) == (50, 50, "outputs")
    assert mmd_test(x, y, alpha=0.05, seed=2, most_rows=50).score != fewer.score
    gated = mmd_test(x, y, alpha=0.05, seed=1, minimum_effect=0.9)
    assert (gated.drifted, gated.threshold) == (False, pytest.approx(0.81))
    assert mmd_test(x, y, alpha=0.001, seed=1).threshold > plain.threshold
    with pytest.raises(InputError, match="expected at least 19 permutations, got 9"):
        mmd_test(x, y, alpha=0.05, permutations=9, seed=0)
    with pytest.raises(InputError, match="expected enough groups"):
        mmd_test(X, Y, alpha=0.05, seed=0, groups=([0] * 9, [1] * 7))
