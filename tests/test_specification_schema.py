"""What the schema says about a place, in words. The oracle is a list of places written down by hand."""

import pytest

from robustcert.specification_schema import in_words, is_required, keys_at, meaning, schema_at


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (("acceptance", 0, "threshold"), "a number from 0 to 1"),
        (("certification", "sigma"), "a number above 0"),
        (("certification", "alpha"), "a number above 0 and below 0.5"),
        (("certification", "radii"), "a list of 1 to 32"),
        (("certification", "radii", 3), "a number of at least 0"),
        (("certification", "samples"), "a whole number above 0"),
        (("evaluation", "suite"), "a suite as name@version"),
        (("evaluation", "curve"), "a list of at most 32"),
        (("training", "epochs"), "a whole number above 0 and at most 10000"),
        (("certification", "n"), "a whole number from 100 to 10000000"),
        (("training",), "a mapping of keys to values"),
        (("threatModels", 0, "norm"), "one of 'linf', 'l2'"),
        (("threatModels", 0, "bounds"), "'contract' or a list of 2"),
        (("name",), "a name of up to 63 lower-case letters, digits, '.' and '-'"),
        (("data", "contract", "features", 0, "perturbable"), "true or false"),
        (("data", "contract", "features", 0, "unit"), "text"),
        (("claim",), "text of 1 to 4000 characters"),
        (("rationale", "training.epochs"), "text of 1 to 4000 characters"),
        (("data", "contract", "features", 0, "nothing"), "another value"),
        (("apiVersion",), "'robustcert/v1'"),
        ((), "a mapping of keys to values"),
    ],
)
def test_every_place_says_what_it_expects(path: tuple[str | int, ...], words: str) -> None:
    assert in_words(schema_at(path)) == words


def test_keys_are_those_of_the_place() -> None:
    assert keys_at(("owner",)) == ("name", "contact")
    assert keys_at(("data", "provenance", "approvals", 0)) == ("id", "authority", "expires")
    assert keys_at(("seed",)) == ()
    assert keys_at(("rationale",)) == ()


def test_a_meaning_is_the_description_or_what_is_expected() -> None:
    assert meaning(("training", "epochs")) == "passes over the training split"
    assert meaning(("threatModels", 0, "goal")) == "one of 'untargeted', 'targeted'"
    assert "\n" not in meaning(())


def test_a_key_without_default_is_required() -> None:
    assert is_required(("certification", "sigma"))
    assert not is_required(("certification", "n"))
    assert not is_required(("training",))
