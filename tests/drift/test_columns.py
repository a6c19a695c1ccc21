"""The decision on many columns: one error rate for all, both gates, and every documented parameter."""

from __future__ import annotations

import numpy as np
import pytest

from robustcert.drift.columns import TOO_FEW, column_tests
from robustcert.drift.histogram import ColumnCounts, categories, number_bins
from robustcert.drift.thresholds import DriftTest
from robustcert.errors import DataError, InputError
from robustcert.evaluation.statistics import binomial_quantile

Counts = dict[str, ColumnCounts]


def counted(reference: dict[str, np.ndarray], window: dict[str, np.ndarray]) -> tuple[Counts, Counts]:
    cells = {
        name: categories(values) if values.dtype.kind in "OU" else number_bins(values)
        for name, values in reference.items()
    }
    first, second = (
        {name: ColumnCounts(cells=cells[name]).add(values) for name, values in rows.items()}
        for rows in (reference, window)
    )
    return first, second


def columns(rows: int, seed: int, *, shift: float = 0.0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    made = {f"normal{place}": rng.normal(size=rows) for place in range(6)}
    made["count"] = rng.poisson(3, rows).astype(float)
    made["word"] = rng.choice(["red", "green", "blue"], rows, p=[0.5, 0.3, 0.2])
    made["normal2"] = made["normal2"] + shift
    return made


CLEAN = counted(columns(2_000, 0), columns(1_500, 1))
SHIFTED = counted(columns(2_000, 0), columns(1_500, 1, shift=0.3))


def drifted(tests: list[DriftTest]) -> list[str]:
    return [test.column for test in tests if test.drifted]


def test_a_planted_shift_is_found_in_its_column_and_nowhere_else() -> None:
    tests = column_tests(*SHIFTED)
    assert [test.column for test in tests] == list(SHIFTED[0])
    assert drifted(tests) == ["normal2"]
    assert tests[2].effect == pytest.approx(0.3, abs=0.1)
    assert tests[2].note.startswith("mean +0.26 sd, spread x 1.0")
    assert {test.method for test in tests} == {"anderson_darling", "chi_square"}
    assert {(test.n, test.m, test.signal) for test in tests} == {(2_000, 1_500, "features")}


def test_clean_columns_do_not_drift() -> None:
    assert drifted(column_tests(*CLEAN)) == []


@pytest.mark.parametrize("correction", ["holm", "bh"])
@pytest.mark.parametrize("methods", [("anderson_darling", "chi_square"), ("ks", "psi", "js", "chi_square")])
def test_drifted_is_score_above_threshold_is_adjusted_p_of_at_most_alpha(
    correction: str, methods: tuple[str, ...]
) -> None:
    for alpha in (0.5, 0.1, 0.01):
        tests = column_tests(*SHIFTED, alpha=alpha, correction=correction, methods=methods, minimum_effect=0.0)
        assert len(tests) == 7 * (len(methods) - 1) + sum(method in ("psi", "js", "chi_square") for method in methods)
        for test in tests:
            assert test.adjusted_p is not None
            assert test.drifted == (test.score > test.threshold) == (test.adjusted_p <= alpha)
        assert "normal2" in drifted(tests)


def test_the_chance_of_any_false_alarm_is_at_most_alpha() -> None:
    """120 clean windows of 8 columns at 10 %; fails by chance below 1e-4."""
    alarms = 0
    for seed in range(120):
        clean = counted(columns(300, 2 * seed), columns(200, 2 * seed + 1))
        alarms += bool(drifted(column_tests(*clean, alpha=0.1, minimum_effect=0.0)))
    assert 1 <= alarms <= binomial_quantile(0.9999, 120, 0.1)


def test_a_significant_difference_too_small_to_matter_is_no_drift() -> None:
    big = counted(columns(200_000, 0), columns(200_000, 1, shift=0.05))
    assert drifted(column_tests(*big, minimum_effect=0.0)) == ["normal2"]
    gated = column_tests(*big, minimum_effect=0.1)
    assert drifted(gated) == []
    assert gated[2].p_value is not None
    assert gated[2].p_value < 1e-10
    assert gated[2].score <= gated[2].threshold


@pytest.mark.parametrize(("minimum_rows", "tested"), [(1_500, True), (1_501, False)])
def test_fewer_rows_than_the_minimum_are_not_tested(minimum_rows: int, tested: bool) -> None:
    tests = column_tests(*SHIFTED, minimum_rows=minimum_rows)
    assert {test.note == TOO_FEW for test in tests} == {not tested}
    assert {test.p_value is None for test in tests} == {not tested}
    assert bool(drifted(tests)) == tested


def test_columns_that_can_not_be_tested_take_no_share_of_alpha() -> None:
    reference, window = columns(2_000, 0), columns(1_500, 1, shift=0.3)
    for place in (3, 4, 5):
        window[f"normal{place}"] = np.full(1_500, np.nan)
    tests = {
        test.column: test
        for test in column_tests(*counted(reference, window), methods=("anderson_darling", "chi_square"))
    }
    full = {test.column: test for test in column_tests(*SHIFTED)}
    assert tests["normal4"].note == TOO_FEW
    assert (tests["normal4"].n, tests["normal4"].m) == (2_000, 0)
    assert tests["normal0"].threshold < full["normal0"].threshold


def test_nulls_are_tested_only_where_there_are_any_and_alarm_when_they_spread() -> None:
    reference, window = columns(2_000, 0), columns(1_500, 1)
    window["count"] = np.where(np.arange(1_500) % 10 == 0, np.nan, window["count"])
    tests = column_tests(*counted(reference, window))
    assert [test.column for test in tests if test.method == "nulls"] == ["count"]
    assert [(test.column, test.method) for test in tests if test.drifted] == [("count", "nulls")]
    (nulls,) = (test for test in tests if test.drifted)
    assert (nulls.note, nulls.n, nulls.m) == ("share of nulls 0.000 to 0.100", 2_000, 1_500)


def test_a_column_that_is_null_everywhere_and_a_constant_one_are_taken_as_they_are() -> None:
    same = {"null": np.full(500, np.nan), "constant": np.full(500, 7.0)}
    tests = column_tests(*counted(same, same))
    assert [(test.column, test.method, test.note == TOO_FEW, test.drifted) for test in tests] == [
        ("null", "anderson_darling", True, False),
        ("null", "nulls", False, False),
        ("constant", "anderson_darling", False, False),
    ]
    moved = counted(same, {**same, "constant": np.full(500, 8.0)})
    assert drifted(column_tests(*moved)) == ["constant"]


def test_the_label_whose_share_changed_most_is_named_also_when_it_is_new() -> None:
    words = {"word": np.repeat(["red", "green"], [600, 400])}
    tests = column_tests(*counted(words, {"word": np.repeat(["red", "green", "mauve"], [450, 300, 250])}))
    assert tests[0].drifted
    assert tests[0].note == "share of mauve 0.000 to 0.250"


def test_benjamini_hochberg_lets_several_drifted_columns_help_each_other() -> None:
    """Its level is never below Holm's, hence thresholds never above."""
    reference, window = columns(2_000, 0), columns(1_500, 1)
    for place in range(4):
        window[f"normal{place}"] = window[f"normal{place}"] + 0.2
    both = [column_tests(*counted(reference, window), correction=correction) for correction in ("holm", "bh")]
    assert all(bh.threshold <= holm.threshold for holm, bh in zip(*both, strict=True))
    assert set(drifted(both[0])) <= set(drifted(both[1]))


def test_the_signal_is_the_callers() -> None:
    assert {test.signal for test in column_tests(*CLEAN, signal="outputs")} == {"outputs"}


def test_other_columns_or_cells_are_refused() -> None:
    reference, window = CLEAN
    with pytest.raises(DataError, match="expected the reference's columns, got others; only one has word"):
        column_tests(reference, {name: counts for name, counts in window.items() if name != "word"})
    other = {**window, "count": ColumnCounts(cells=number_bins([1.0]))}
    with pytest.raises(DataError, match="expected column 'count' counted in the same cells"):
        column_tests(reference, other)


def test_a_method_that_is_unknown_or_does_not_apply_is_refused() -> None:
    with pytest.raises(InputError, match="got 'wave'; choose among them"):
        column_tests(*CLEAN, methods=("anderson_darling", "wave"))
    with pytest.raises(InputError, match=r"expected a method for 'word' \(one of chi_square, psi, js\), got ks"):
        column_tests(*CLEAN, methods=("ks",))


@pytest.mark.parametrize("alpha", [0.0, 0.7])
def test_an_alpha_that_is_none_is_refused(alpha: float) -> None:
    with pytest.raises(InputError, match=r"expected 0 < alpha <= 0\.5"):
        column_tests(*CLEAN, alpha=alpha)
