import re

import pytest
from scipy.stats import binomtest

from robustcert.report.plot import TOP
from robustcert.report.training_chart import HEIGHT, training_charts
from tests.report.page import read_page
from tests.report.sample_certificate import Sample


def test_an_own_model_has_no_charts() -> None:
    assert training_charts([]) == ()


def test_loss_and_accuracies_are_drawn_apart_and_named(digits: Sample) -> None:
    charts = training_charts(digits.history)
    assert [chart.series for chart in charts] == [("loss",), ("clean accuracy", "accuracy under attack")]
    assert [len(read_page(chart.drawing).all("path", class_="series-1")) for chart in charts] == [1, 1]


def test_a_line_has_a_point_for_every_epoch(digits: Sample) -> None:
    (drawn,) = read_page(training_charts(digits.history)[0].drawing).all("path", class_="series-1")
    assert len(re.findall("[ML]", drawn.attributes["d"])) == len(digits.history)


def test_the_band_is_the_exact_interval_over_validation_samples() -> None:
    history = [{"epoch": epoch, "loss": 1.0, "validationSamples": 20, "cleanAccuracy": 0.75} for epoch in (1, 2)]
    drawing = read_page(training_charts(history)[1].drawing)
    band = [
        float(y) for y in re.findall(r"[ML][\d.]+ ([\d.]+)", drawing.one("path", class_="series-band").attributes["d"])
    ]
    bottom = max(float(row.attributes["y1"]) for row in drawing.all("line", class_="grid"))
    assert bottom < HEIGHT
    interval = binomtest(15, 20).proportion_ci(0.95, method="exact")
    shares = [(bottom - y) / (bottom - TOP) for y in band]
    assert shares[:2] == pytest.approx([interval.high] * 2, abs=0.002)
    assert shares[2:] == pytest.approx([interval.low] * 2, abs=0.002)


def test_accuracies_without_a_number_of_samples_are_not_drawn() -> None:
    charts = training_charts([{"epoch": 1, "loss": 0.5, "cleanAccuracy": 0.9}])
    assert [chart.series for chart in charts] == [("loss",)]


def test_a_single_epoch_can_be_drawn() -> None:
    charts = training_charts([{"epoch": 1, "loss": 0.0, "validationSamples": 5, "cleanAccuracy": 1.0}])
    assert len(charts) == 2


def test_the_description_counts_samples(digits: Sample) -> None:
    last = digits.history[-1]
    of = int(last["validationSamples"])
    expected = f"clean accuracy {round(last['cleanAccuracy'] * of)} of {of} in the last epoch"
    assert expected in read_page(training_charts(digits.history)[1].drawing).one("desc").text()
