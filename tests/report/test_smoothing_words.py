"""Words about the smoothing method: each option changes what a reader is told. Oracle: the options themselves."""

from __future__ import annotations

from typing import Any

import pytest

from robustcert.certificate.schema import CertificationPart
from robustcert.report import smoothing_words as words
from tests.report.sample_certificate import sample


def part(**changes: Any) -> CertificationPart:
    return sample("digits").predicate.certification.model_copy(update=changes)


SEQUENTIAL = {"method": "randomized-smoothing-group-sequential", "n": 100_000}


def test_a_fixed_number_of_votes_is_told_with_noise_and_unit() -> None:
    assert " ".join(words.votes_words(part()).split()) == (
        "10 000 inputs with Gaussian noise of sigma 0.25 (units of the model's input)"
    )


@pytest.mark.parametrize(
    ("method", "text"),
    [
        (
            "randomized-smoothing-group-sequential",
            "exact sequential test at the registered radii takes, at most 100 000",
        ),
        ("randomized-smoothing-adaptive-pilot", "as many as a pilot of other votes plans, at most 100 000"),
    ],
)
def test_methods_that_stop_early_say_what_ends_the_votes(method: str, text: str) -> None:
    assert text in " ".join(words.votes_words(part(method=method, n=100_000)).split())


@pytest.mark.parametrize(("kind", "name"), [(None, "Gaussian"), ("uniform", "uniform"), ("laplace", "Laplace")])
def test_the_noise_is_named(kind: str | None, name: str) -> None:
    assert f"with {name} noise of sigma" in words.votes_words(part(noise_kind=kind))


def test_votes_are_counted_over_all_rows() -> None:
    text = " ".join(words.drawn_words([{"n": 32}, {"n": 5000}, {"n": 64}]).split())
    assert text == "5 096 votes were counted for 3 samples: 32 to 5 000 for one, half of them with at most 64."


def test_an_abstention_is_defined_for_each_option() -> None:
    plain = words.abstention_words(part())
    assert "do not show, at failure probability 0.001, that the class that they single out has a majority." in plain
    assert "No radius is certified for it, not even 0, and it never counts as right." in plain
    from_zero = part(**SEQUENTIAL, radii=("0", "0.25"))
    assert words.abstention_words(from_zero) == plain
    above = words.abstention_words(part(**SEQUENTIAL, radii=("0.1", "0.25")))
    assert "has a majority within radius 0.1, the smallest registered one (0 would ask for a majority alone)." in above
    assert "is more probable than every other." in words.abstention_words(part(bounds=2))
    label = words.abstention_words(part(candidate="label"))
    assert "that the true class has a majority" in label
    assert label.endswith("A sample that is voted wrong is an abstention here too.")


def test_radii_at_registered_steps_are_said_to_be_lower_bounds() -> None:
    assert "largest registered one that was shown" in words.radius_words(part(**SEQUENTIAL))
    assert "rounded down" in words.radius_words(part())
