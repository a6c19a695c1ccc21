"""The word that was probably meant. The oracle is a list of misspellings with what they stand for."""

import pytest

from robustcert.suggestion import did_you_mean, nearest

KEYS = ("epsilon", "noiseSigma", "threatModels", "intendedUse", "n", "n0")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("epsilonn", "epsilon"),
        ("epslion", "epsilon"),
        ("noise_sigma", "noiseSigma"),
        ("noise-sigma", "noiseSigma"),
        ("THREATMODELS", "threatModels"),
        ("threatModel", "threatModels"),
        ("intendedUsage", "intendedUse"),
        ("contact", None),
        ("", None),
        ("x" * 1_000_000, None),
    ],
)
def test_the_nearest_key_is_found_or_none(written: str, meant: str | None) -> None:
    assert nearest(written, KEYS) == meant


def test_without_a_near_word_the_other_remedy_is_given() -> None:
    assert did_you_mean("epsilonn", KEYS, otherwise="see the list") == "did you mean 'epsilon'?"
    assert did_you_mean("contact", KEYS, otherwise="see the list") == "see the list"
