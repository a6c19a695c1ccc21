import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robustcert.report.domain_units import domain_sizes, example_features, rounded_down
from tests.report.sample_certificate import Sample


def test_an_l2_radius_of_an_image_in_grey_levels_and_per_value(digits: Sample) -> None:
    """0.5 of the range is 127.5 grey levels; spread over 8 x 8 values it is 127.5 / 8 = 15.9375 each."""
    sizes = domain_sizes(digits.dataset, "0.5", unit="input", norm="l2")
    assert [(size.value, size.unit) for size in sizes] == [
        ("127", "grey levels of 255"),
        ("15.9", "grey levels of 255"),
    ]


def test_grey_levels_of_255_convert_to_themselves(digits: Sample) -> None:
    assert [size.value for size in domain_sizes(digits.dataset, "8", unit="1/255", norm="linf")] == ["8"]


def test_a_wider_range_has_fewer_grey_levels_per_unit(digits: Sample) -> None:
    wider = replace(digits.dataset, upper=digits.dataset.upper * 2)
    assert [size.value for size in domain_sizes(wider, "0.1", unit="input", norm="linf")] == ["12.7"]


def test_a_tables_size_is_given_on_the_three_features_that_vary_most(table: Sample) -> None:
    train = table.dataset.select("train").x()
    largest = np.argsort(-train.std(axis=0))[:3]
    sizes = domain_sizes(table.dataset, "0.25", unit="feature_std", norm="l2")
    assert [size.label for size in sizes] == [table.dataset.card.coordinates[index] for index in largest]
    for size, index in zip(sizes, largest, strict=True):
        assert float(size.value) == pytest.approx(0.25 * train[:, index].std(), rel=0.01)
        assert size.unit == table.dataset.card.units[index]
        assert size.text == f"{size.label} {size.value} {size.unit}"
        assert size.title == f"{size.label}, {size.unit}"


def test_features_that_may_not_change_are_no_examples(table: Sample) -> None:
    fixed = replace(table.dataset, perturbable=np.arange(len(table.dataset.scale)) < 2)
    assert set(example_features(fixed)) == {0, 1}


@given(st.floats(1e-6, 1e9))
def test_sizes_round_down_to_three_digits(value: float) -> None:
    printed = Fraction(rounded_down(value))
    assert printed <= Fraction(value) * (1 + Fraction(1, 10**11))
    assert printed >= Fraction(value) * (1 - Fraction(1, 99)) or math.isclose(value, float(printed), rel_tol=0.01)
