"""How a certificate describes its method. Oracle: words and parameters of the first certificates, and the options."""

from __future__ import annotations

from typing import Any

import pytest

from robustcert.certificate.smoothing_method import (
    LATER,
    certification_parameters,
    drawn_words,
    noise_words,
    source_words,
)
from robustcert.specification import Certification


def certification(**options: Any) -> Certification:
    values = {"sigma": 0.25, "unit": "input", "radii": (0.1, 0.5), "n0": 64, "n": 2000, "alpha": 0.01} | options
    return Certification(**values)


def test_without_options_everything_is_as_in_the_first_certificates() -> None:
    wanted = certification()
    assert source_words(wanted).endswith("Randomized Smoothing, ICML 2019")
    assert noise_words(wanted) == (
        "Philox4x64-10, key (key0, sample id), streams 0 selection and 2 estimation, inverse normal, "
        "rounded to the grid"
    )
    found = certification_parameters(wanted)
    assert {name: value for name, value in found.items() if name not in LATER} == {
        "method": "randomized-smoothing-fixed-n", "threat": "l2", "sigma": "0.25", "unit": "input", "n0": 64, "n": 2000,
        "alpha": "0.01", "radii": ("0.1", "0.5"), "simultaneous_gamma": "0.001", "precision": "float32",
    }  # fmt: skip
    assert {name: found[name] for name in LATER} == LATER


def test_written_defaults_mean_what_absent_ones_mean() -> None:
    written = certification(method="fixed-n", noise="gaussian", candidate="selected", bounds=1, precision="float32")
    assert certification_parameters(written) == certification_parameters(certification())


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"method": "group-sequential"}, {"beta": "0.01", "look_multiple": 32, "look_ratio": "1.1", "tolerance": None}),
        ({"method": "group-sequential", "beta": 0.2}, {"beta": "0.2"}),
        ({"method": "adaptive-pilot"}, {"tolerance": "0.05", "n0": 0, "beta": None, "look_multiple": None}),
        ({"method": "adaptive-pilot", "tolerance": 0.1, "bounds": 2}, {"tolerance": "0.1", "bounds": 2}),
        ({"candidate": "label"}, {"candidate": "label", "n0": 0}),
        ({"candidate": "most-voted"}, {"candidate": "most-voted", "n0": 0}),
        ({"noise": "uniform"}, {"noise_kind": "uniform", "threat": "l1"}),
        ({"precision": "bfloat16"}, {"precision": "bfloat16"}),
    ],
)
def test_each_option_is_told(options: dict[str, Any], told: dict[str, object]) -> None:
    found = certification_parameters(certification(**options))
    assert {name: found[name] for name in told} == told


def test_sources_streams_and_quantiles_follow_method_and_noise() -> None:
    wanted = certification(method="adaptive-pilot", noise="laplace")
    assert [text.split(":")[0] for text in source_words(wanted).split("; ")] == [
        "Cohen, Rosenfeld, Kolter", "Clopper, Pearson", "Teng, Lee, Yuan",
    ]  # fmt: skip
    assert "streams 1 pilot and 2 estimation, inverse Laplace" in noise_words(wanted)
    assert "stream 2 estimation, inverse uniform" in noise_words(certification(candidate="label", noise="uniform"))


def test_how_many_votes_are_drawn_is_said_in_a_few_words() -> None:
    assert drawn_words(certification()) == "n 2000"
    assert drawn_words(certification(method="group-sequential")) == "group-sequential, at most 2000 votes"
    assert drawn_words(certification(method="adaptive-pilot")) == "adaptive-pilot, at most 2000 votes after the pilot's"
