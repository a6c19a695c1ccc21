"""Numbers against the range of the data. Digits are 8x8 pixels with inputs from 0 to 1, so that the diagonal is 8."""

from typing import Any

import pytest

from robustcert.specification_checks import magnitudes
from tests.specification_checks.edited import messages, said

EPSILON = "threatModels__0__epsilon"
UNIT = "threatModels__0__unit"
BELOW, NOTICEABLE = magnitudes.amounts_are_below_the_range, magnitudes.amounts_are_noticeable


def test_an_epsilon_in_grey_levels_is_recognised() -> None:
    assert messages(BELOW, **{EPSILON: 8}) == [
        "expected less than the whole range of the data, 1 in unit input, got 8 in unit input; "
        "did you mean 8 with unit 1/255?"
    ]
    assert said(BELOW, **{EPSILON: 8, UNIT: "1/255"}) == []


def test_an_epsilon_in_input_units_under_unit_grey_level_is_advised_against() -> None:
    changes = {EPSILON: 0.03, UNIT: "1/255"}
    assert said(NOTICEABLE, **changes) == [("threatModels.0.epsilon", "warning")]
    assert "did you mean 0.03 with unit input?" in messages(NOTICEABLE, **changes)[0]


@pytest.mark.parametrize(("norm", "limit"), [("linf", 1.0), ("l2", 8.0)])
def test_the_limit_is_the_longest_way_between_two_inputs(norm: str, limit: float) -> None:
    changes: dict[str, Any] = {"threatModels__0__norm": norm}
    assert said(BELOW, **changes, **{EPSILON: limit - 0.01}) == []
    assert said(BELOW, **changes, **{EPSILON: limit}) == [("threatModels.0.epsilon", "error")]


def test_stored_values_up_to_255_make_an_epsilon_of_eight_small() -> None:
    changes = {"data__contract__divideBy": 1, EPSILON: 8, UNIT: "input", "threatModels__1__epsilon": 100}
    assert said(BELOW, "images", **changes) == []
    found = messages(NOTICEABLE, "images", **changes)
    assert found == [
        "expected at least 0.001 of the range of the data, 255 in unit input, got 0.25 in unit input; check the unit"
    ], "sigma stays at 0.25 of 255"


def test_sigma_is_held_to_the_range_too() -> None:
    assert said(BELOW, certification__sigma=64) == [("certification.sigma", "error")]


def test_many_standard_deviations_are_advised_against() -> None:
    assert said(BELOW, "table", **{EPSILON: 6}) == [("threatModels.0.epsilon", "warning")]
    assert said(BELOW, "table", **{EPSILON: 5}) == []


def test_a_table_in_input_units_is_held_to_its_widest_perturbable_feature() -> None:
    changes = {UNIT: "input", "data__contract__features__1__perturbable": False}
    assert said(BELOW, "table", **changes, **{EPSILON: 119}) == []
    assert said(BELOW, "table", **changes, **{EPSILON: 120}) == [("threatModels.0.epsilon", "error")]


def test_units_belong_to_their_kind_of_data() -> None:
    check = magnitudes.units_fit_the_data
    assert said(check, **{UNIT: "feature_std"}) == [("threatModels.0.unit", "error")]
    assert said(check, certification__unit="feature_std") == [("certification.unit", "error")]
    assert said(check, "table", **{UNIT: "1/255"}) == [("threatModels.0.unit", "error")]
    assert said(check, "table", certification__unit="input") == [("certification.unit", "warning")]
    assert said(check) == said(check, "table") == []


@pytest.mark.parametrize(
    ("bounds", "severity"), [("contract", None), ([0, 1], None), ([0.1, 1], "error"), ([0, 0.9], "error")]
)
def test_bounds_hold_every_clean_image(bounds: object, severity: str | None) -> None:
    found = said(magnitudes.bounds_hold_the_data, threatModels__0__bounds=bounds)
    assert found == ([("threatModels.0.bounds", severity)] if severity else [])


def test_bounds_in_stored_values_are_advised_against() -> None:
    found = messages(magnitudes.bounds_hold_the_data, threatModels__0__bounds=[0, 16])
    assert len(found) == 1
    assert "in unit input: [0, 1], got [0, 16]" in found[0]


def test_bounds_of_a_table_hold_every_perturbable_feature() -> None:
    check = magnitudes.bounds_hold_the_data
    assert said(check, "table", threatModels__0__bounds=[0, 200]) == [("threatModels.0.bounds", "error")]
    assert said(check, "table", threatModels__0__bounds=[0, 365]) == [("threatModels.0.bounds", "warning")]


def test_a_table_without_anything_to_perturb_is_refused() -> None:
    only_binary = [{"name": "smoker", "kind": "binary"}]
    found = said(magnitudes.something_can_be_perturbed, "table", data__contract__features=only_binary)
    assert found == [("data.contract.features", "error")]


@pytest.mark.parametrize("value", [1e-13, 1e13])
def test_numbers_that_a_certificate_can_not_print_are_refused(value: float) -> None:
    found = said(magnitudes.numbers_are_of_a_sane_size, training__learningRate=value)
    assert found == [("training.learningRate", "error")]
    assert said(magnitudes.numbers_are_of_a_sane_size, training__weightDecay=0) == []


@pytest.mark.parametrize("divide_by", [1e-300, 1e300])
def test_absurd_ranges_are_judged_without_overflow(divide_by: float) -> None:
    """Found by fuzzing: squaring a width of 1e302 raises OverflowError."""
    changes = {"data__contract__divideBy": divide_by}
    for check in (BELOW, NOTICEABLE, magnitudes.bounds_hold_the_data):
        assert {path for path, _ in said(check, "images", **changes)} <= {
            "threatModels.0.epsilon",
            "threatModels.1.epsilon",
            "certification.sigma",
        }
    found = said(magnitudes.numbers_are_of_a_sane_size, "images", **changes)
    assert found == [("data.contract.divideBy", "error")]
