import numpy as np
import pytest

from robustcert.data.checks import values
from robustcert.data.checks.facts import Check, Facts
from robustcert.data.raw import Cell, CellFault
from tests.data.examples import facts, image_data, planted, raw_images, raw_table, table_data

CHECKS = (
    values.nulls, values.numeric_cells, values.categories, values.nan, values.infinity, values.ranges,
    values.feature_kinds, values.constant_features,
)  # fmt: skip
CELLS = np.zeros((40, 4), dtype=np.uint8)


def table_with(*places: tuple[int, int], value: float, cell: Cell = Cell.READ, text: str = "") -> Facts:
    """The table with a value and a state of the cell planted at these places."""
    array, cells = raw_table().values, CELLS
    for place in places:
        array, cells = planted(array, place, value), planted(cells, place, cell)
    columns = ("age", "dose", "smoker", "site")
    faults = tuple(CellFault(sample=row, column=columns[column], text=text) for row, column in places[:1] if text)
    return facts(table_data(), raw_table(values=array, cells=cells, faults=faults))


def images_with(*places: tuple[int, ...], value: float) -> Facts:
    """Float images with a value planted at these places."""
    array = raw_images().values.astype(np.float32)
    for place in places:
        array = planted(array, place, value)
    return facts(image_data(), raw_images(values=array))


def found(check: Check, given: Facts) -> tuple[str, list[int]]:
    """Message and samples of a breach, of which only this check may speak as an error."""
    breaches = {other.__name__: other(given) for other in CHECKS}  # type: ignore[attr-defined]
    assert [name for name, breach in breaches.items() if breach] == [check.__name__]  # type: ignore[attr-defined]
    breach = check(given)
    assert breach is not None
    assert breach.affected is not None
    assert breach.severity == "error"
    return breach.message, np.flatnonzero(breach.affected).tolist()


@pytest.mark.parametrize("check", CHECKS)
def test_data_that_keep_their_contract_pass(check: Check) -> None:
    assert check(facts(image_data(), raw_images())) is None
    assert check(facts(table_data(), raw_table())) is None
    assert check(facts(table_data(), raw_table(cells=CELLS))) is None


def test_nulls_are_found_and_are_not_nan() -> None:
    given = table_with((3, 1), (3, 2), (9, 3), value=np.nan, cell=Cell.ABSENT)
    message, samples = found(values.nulls, given)
    assert message == (
        "expected a value in every cell, got none in sample 3, column 'dose' and 1 more; fill in or drop the samples"
    )
    assert samples == [3, 9]


def test_cells_that_are_no_numbers_are_found_with_row_column_and_text() -> None:
    given = table_with((5, 1), (7, 1), value=np.nan, cell=Cell.UNREADABLE, text="abc")
    message, samples = found(values.numeric_cells, given)
    assert message == ("expected numbers, got 'abc' in sample 5, column 'dose' and 1 more; correct the cells")
    assert samples == [5, 7]


def test_an_unknown_category_is_found_with_row_column_and_text() -> None:
    message, samples = found(values.categories, table_with((5, 3), value=np.nan, cell=Cell.UNREADABLE, text="west"))
    assert message == (
        "expected known categories, got 'west' in sample 5, column 'site'; correct the cells or add the category"
    )
    assert samples == [5]


@pytest.mark.parametrize("index", [3, -1, 0.5])
def test_a_category_index_out_of_the_list_is_found(index: float) -> None:
    message, samples = found(values.categories, table_with((5, 3), value=index))
    assert message.startswith(f"expected known categories, got {index:g} in sample 5, column 'site';")
    assert samples == [5]


def test_nan_is_found() -> None:
    message, samples = found(values.nan, images_with((4, 0, 1, 2), (6, 0, 0, 0), value=np.nan))
    assert message == ("expected no NaN, got nan in sample 4, pixel [0, 1, 2] and 1 more; fill in or drop the samples")
    assert samples == [4, 6]
    assert found(values.nan, table_with((5, 1), value=np.nan))[0].startswith(
        "expected no NaN, got nan in sample 5, column 'dose';"
    )


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_inf_is_found(value: float) -> None:
    message, samples = found(values.infinity, images_with((4, 0, 1, 2), value=value))
    assert message.startswith(f"expected finite values, got {value} in sample 4, pixel [0, 1, 2];")
    assert samples == [4]
    assert found(values.infinity, table_with((5, 1), value=value))[1] == [5]


@pytest.mark.parametrize("value", [-1.0, 255.5, 1e9])
def test_pixels_out_of_range_are_found(value: float) -> None:
    message, samples = found(values.ranges, images_with((4, 0, 1, 2), value=value))
    assert message == (
        f"expected values within [0, 255], got {value:.9g} in sample 4, pixel [0, 1, 2]; "
        "correct the samples or widen the contract's range"
    )
    assert samples == [4]


def test_integer_pixels_out_of_range_are_found() -> None:
    given = facts(image_data(range=(0.0, 200.0)), raw_images())
    breach = values.ranges(given)
    assert breach is not None
    assert breach.affected is not None
    assert breach.affected.tolist() == (raw_images().values.reshape(40, 16).max(axis=1) > 200).tolist()


@pytest.mark.parametrize(
    ("column", "value", "limits"), [(0, 121, "[0, 120]"), (0, -1, "[0, 120]"), (1, 10.5, "[0, 10]")]
)
def test_table_values_out_of_their_features_range_are_found(column: int, value: float, limits: str) -> None:
    message, samples = found(values.ranges, table_with((5, column), value=value))
    name = ("age", "dose")[column]
    assert message.startswith(f"expected values within {limits}, got {value:g} in sample 5, column '{name}';")
    assert samples == [5]


def test_the_ends_of_a_range_are_within_it() -> None:
    for column, end in ((0, 0), (0, 120), (1, 0), (1, 10)):
        assert values.ranges(table_with((5, column), value=end)) is None


@pytest.mark.parametrize(("column", "value"), [(0, 2.5), (2, 2), (2, 0.5), (2, -1)])
def test_fractions_of_integers_and_other_values_of_binary_features_are_found(column: int, value: float) -> None:
    message, samples = found(values.feature_kinds, table_with((5, column), value=value))
    name = ("age", "dose", "smoker")[column]
    assert message == (
        f"expected integers in integer features, 0 or 1 in binary ones, got {value:g} in sample 5, column '{name}'; "
        "correct the cells or the feature's kind"
    )
    assert samples == [5]


def test_constant_features_are_a_warning() -> None:
    raw = raw_table(values=planted(planted(raw_table().values, (slice(None), 1), 3.0), (slice(None), 2), 1.0))
    breach = values.constant_features(facts(table_data(), raw))
    assert breach is not None
    assert breach.severity == "warning"
    assert breach.message == "expected features that vary, got one value throughout in 'dose', 'smoker'; drop them"
