"""Each method by name takes its own groups; new and rare categories do not fool any of them."""

from __future__ import annotations

import numpy as np
import pytest

from robustcert.drift.chi_square import chi_square_measurement
from robustcert.drift.column_methods import FOR_CATEGORIES, FOR_NUMBERS, METHODS, Pair, measure_of
from robustcert.drift.histogram import ColumnCounts, categories, number_bins
from robustcert.drift.psi import psi
from robustcert.drift.thresholds import ChiSquareLaw
from robustcert.evaluation.statistics import binomial_quantile

RNG = np.random.default_rng(0)


def pair(x: np.ndarray, y: np.ndarray) -> Pair:
    cells = categories(x) if x.dtype.kind in "OU" else number_bins(x)
    reference, window = (ColumnCounts(cells=cells).add(values) for values in (x, y))
    return Pair(column="c", reference=reference, window=window)


NUMBERS = pair(RNG.normal(size=3_000), RNG.normal(0.2, size=2_000))
WORDS = pair(np.repeat(["a", "b", "c"], 300), np.repeat(["a", "b", "new"], [250, 260, 90]))


@pytest.mark.parametrize("method", METHODS)
def test_a_method_applies_to_numbers_or_categories_as_its_table_says(method: str) -> None:
    assert (measure_of(NUMBERS, method) is not None) == (method in FOR_NUMBERS)
    assert (measure_of(WORDS, method) is not None) == (method in FOR_CATEGORIES)


@pytest.mark.parametrize("method", FOR_NUMBERS)
def test_every_method_for_numbers_finds_a_shift_of_the_size_that_it_is(method: str) -> None:
    found = FOR_NUMBERS[method](NUMBERS)
    assert found.p_value < 1e-6
    assert found.effect == pytest.approx(0.2, abs=0.1)
    assert (found.n, found.m) == (3_000, 2_000)


@pytest.mark.parametrize("method", FOR_CATEGORIES)
def test_every_method_for_categories_finds_a_new_one(method: str) -> None:
    found = FOR_CATEGORIES[method](WORDS)
    assert found.p_value < 1e-20
    assert (found.n, found.m) == (900, 600)


def test_psi_and_js_compare_ten_groups_of_equal_mass() -> None:
    for method in ("psi", "js"):
        law = FOR_NUMBERS[method](NUMBERS).law
        assert isinstance(law, ChiSquareLaw)
        assert law.degrees == 9


def test_psi_of_numbers_is_that_of_deciles_by_numpy() -> None:
    x, y = RNG.normal(size=5_000), RNG.normal(0.3, size=4_000)
    edges = np.quantile(x, np.arange(1, 10) / 10)
    by_numpy = [np.histogram(values, [-np.inf, *edges, np.inf])[0] for values in (x, y)]
    assert FOR_NUMBERS["psi"](pair(x, y)).score == pytest.approx(psi(*by_numpy), rel=0.05)


def test_a_small_window_has_fewer_groups_of_psi() -> None:
    law = FOR_NUMBERS["psi"](pair(RNG.normal(size=3_000), RNG.normal(size=100))).law
    assert isinstance(law, ChiSquareLaw)
    assert law.degrees == 4


@pytest.mark.parametrize("method", FOR_CATEGORIES)
def test_rare_categories_that_come_and_go_are_no_drift(method: str) -> None:
    """A hundred categories of which a clean window holds some that the reference lacks; fails by chance below 1e-4."""
    rng, alarms = np.random.default_rng(3), 0
    words = np.array([f"w{number}" for number in range(100)])
    shares = 1 / np.arange(1, 101)
    for _ in range(600):
        x, y = (rng.choice(words, 250, p=shares / shares.sum()) for _ in range(2))
        alarms += FOR_CATEGORIES[method](pair(x, y)).p_value <= 0.02
    assert alarms <= binomial_quantile(0.9999, 600, 0.02)


def test_identifiers_that_never_come_twice_are_no_drift() -> None:
    x, y = (np.array([f"{side}{number}" for number in range(5_000)]) for side in "xy")
    assert FOR_CATEGORIES["chi_square"](pair(x, y)).p_value == 1.0


def test_the_share_of_nulls_is_compared_where_there_are_any() -> None:
    with_nulls = pair(np.where(np.arange(1_000) < 50, np.nan, 1.0), np.where(np.arange(500) < 100, np.nan, 1.0))
    assert with_nulls.sizes("nulls") == (1_000, 500)
    assert with_nulls.sizes("ks") == (950, 400)
    measure = measure_of(with_nulls, "nulls")
    assert measure is not None
    assert measure(with_nulls).score == chi_square_measurement(np.array([950, 50]), np.array([400, 100])).score
    assert measure_of(NUMBERS, "nulls") is None
