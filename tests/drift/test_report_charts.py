"""Drawings say what was counted: shares add up, bars hold what lies between their ends, thresholds stand still."""

from __future__ import annotations

import re

import numpy as np
import pytest

from robustcert.drift.histogram import ColumnCounts, categories, number_bins
from robustcert.drift.record import SignalPart
from robustcert.drift.report_charts import (
    BARS,
    Distribution,
    distribution,
    distribution_chart,
    share_bar,
    signal_bar,
)
from tests.report.page import read_page


def numbers(reference: np.ndarray, window: np.ndarray) -> Distribution:
    bins = number_bins(reference)
    found = distribution(ColumnCounts(cells=bins).add(reference), ColumnCounts(cells=bins).add(window))
    assert found is not None
    return found


def test_shares_of_numbers_are_those_of_equally_wide_bars() -> None:
    rng = np.random.default_rng(0)
    reference, window = rng.normal(0, 1, 20_000), rng.normal(1, 1, 5_000)
    found = numbers(reference, window)
    assert found.labels[0] == "less"
    assert found.labels[-1] == "more"
    assert len(found.labels) == BARS + 2
    low, high = np.quantile(reference, [0.005, 0.995])
    cuts = np.linspace(low, high, BARS + 1)
    for values, shares in ((reference, found.reference), (window, found.window)):
        assert sum(shares) == pytest.approx(1)
        wanted = np.histogram(values, np.concatenate([[-np.inf], cuts, [np.inf]]))[0] / len(values)
        assert np.allclose(shares, wanted, atol=0.005)


def test_a_column_of_one_value_is_one_bar_with_that_value() -> None:
    found = numbers(np.zeros(100), np.repeat([0.0, 1.0], [60, 40]))
    assert (found.labels, found.reference, found.window) == (("0", "more"), (1.0, 0.0), (0.6, 0.4))


def test_categories_are_named_and_what_the_reference_did_not_hold_has_a_bar_of_its_own() -> None:
    cells = categories(np.array([0.0, 1.0, 1.0]))
    sides = [ColumnCounts(cells=cells).add(np.array(values)) for values in ([0.0, 1.0, 1.0, 1.0], [0.0, 5.0])]
    found = distribution(*sides, label=lambda index: ("no", "yes")[index])
    assert found is not None
    assert found.labels == ("no", "yes", "(not in the reference)")
    assert (found.reference, found.window) == ((0.25, 0.75, 0.0), (0.5, 0.0, 0.5))


def test_many_categories_end_in_others() -> None:
    reference = np.repeat(np.arange(30.0), np.arange(1, 31))
    cells = categories(reference)
    found = distribution(ColumnCounts(cells=cells).add(reference), ColumnCounts(cells=cells).add(reference))
    assert found is not None
    assert (len(found.labels), found.labels[-1]) == (12, "others")
    assert sum(found.window) == pytest.approx(1)


def test_a_side_without_values_is_not_drawn() -> None:
    bins = number_bins(np.arange(10.0))
    assert distribution(ColumnCounts(cells=bins), ColumnCounts(cells=bins).add(np.arange(3.0))) is None


def test_a_chart_reads_aloud_what_it_shows_and_refers_to_nothing() -> None:
    found = Distribution(labels=("<b>", "x"), reference=(0.2, 0.8), window=(0.5, 0.5))
    text = str(distribution_chart(found, title="a & b"))
    drawing = read_page(text).one("svg")
    assert drawing.one("title").text() == "a & b"
    assert drawing.one("desc").text() == "<b>: reference 0.200, window 0.500; x: reference 0.800, window 0.500"
    assert len(drawing.all("rect", class_="reference-bar")) == len(drawing.all("rect", class_="window-bar")) == 2
    assert not re.search(r"href|url\(", text)


@pytest.mark.parametrize(
    ("score", "threshold", "width"), [("1", "2", 27.0), ("4", "2", 108.0), ("100", "2", 216.0), ("-1", "2", 1.0)]
)
def test_a_signals_bar_is_its_score_in_thresholds_up_to_four(score: str, threshold: str, width: float) -> None:
    drifted = float(score) > float(threshold)
    part = SignalPart(signal="outputs", method="psi", score=score, threshold=threshold, n=1, m=1, drifted=drifted)
    bar = read_page(str(signal_bar(part))).one("rect", class_="over" if drifted else "under")
    assert float(bar.attributes["width"]) == width


def test_a_share_lies_between_its_ends() -> None:
    drawing = read_page(str(share_bar(0.5, 0.25, 0.75, title="x", class_="realised")))
    interval, estimate = (drawing.one("line", class_=name).attributes for name in ("interval", "estimate"))
    assert float(interval["x1"]) < float(estimate["x1"]) == 160.0 < float(interval["x2"])
