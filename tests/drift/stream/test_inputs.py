"""Oracles: the data set's own encoding of a table, and distances written out."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from robustcert.data.coordinates import encode, table_coordinates
from robustcert.drift.reference import DriftReference
from robustcert.drift.stream.inputs import InputRows, category_index
from robustcert.errors import DataError
from robustcert.specification import Contract


def contract(reference: DriftReference) -> Contract:
    """The contract that the table reference was written from."""
    features: list[dict[str, Any]] = [
        {"name": column.name, "kind": column.kind, "categories": column.categories}
        | ({} if column.lower is None else {"minimum": float(column.lower), "maximum": float(column.upper or 0)})
        for column in reference.columns
    ]
    return Contract.model_validate(
        {"kind": "tabular", "classes": reference.classes, "features": tuple(features), "label": "y"}
    )


@pytest.mark.parametrize("shape", [(1, 2, 2), (3, 1, 2, 2), (3, 4)])
def test_images_are_read_in_any_shape_that_means_rows(image_reference: DriftReference, shape: tuple[int, ...]) -> None:
    values = np.arange(math.prod(shape), dtype=float).reshape(shape)
    assert np.array_equal(InputRows(image_reference).read(values.tolist()), values.reshape(-1, 4))


@pytest.mark.parametrize("values", [[1, 2, 3], [[1, 2, 3]], [], [[]], 5, [[[1, 2], [3, 4]]] * 2, [[1, 2, 3, 4, 5]]])
def test_rows_of_another_shape_are_refused(image_reference: DriftReference, values: Any) -> None:
    with pytest.raises(DataError, match=r"expected rows of shape \[1, 2, 2\], got shape"):
        InputRows(image_reference).read(values)


@pytest.mark.parametrize("values", [[[1, "a", 2, 3]], [[1, 2], [3]], [[1, None, {}, 3]], [[10**400, 1, 1, 1]]])
def test_what_is_no_number_is_refused(image_reference: DriftReference, values: Any) -> None:
    with pytest.raises(DataError, match="expected rows of numbers"):
        InputRows(image_reference).read(values)


def test_the_contracts_range_decides_what_is_valid(image_reference: DriftReference) -> None:
    rows = InputRows(image_reference)
    raw_BR = np.array([[0, 8, 4, 1], [0, 8.001, 0, 0], [-1e-9, 0, 0, 0], [math.nan, 0, 0, 0], [0, 0, math.inf, 0]])
    assert rows.valid(raw_BR).tolist() == [True, False, False, False, False]
    assert rows.fault(raw_BR[:1]) == ""
    assert rows.fault(raw_BR).startswith("expected a number from 0 to 8 as value 1 of row 1, got 8.001; ")


def test_a_tables_columns_are_held_to_their_kinds(table_reference: DriftReference) -> None:
    rows = InputRows(table_reference)
    good = [0.5, 3, 1, 2]
    bad = [[1.6, 3, 1, 2], [0.5, 3.5, 1, 2], [0.5, 3, 2, 2], [0.5, 3, 0.5, 2], [0.5, 3, 1, 3], [0.5, 3, 1, math.nan]]
    assert rows.valid(np.array([good, *bad])).tolist() == [True, *[False] * 6]
    assert "expected a whole number from 0 to 9 as 'rooms' of row 0, got 3.5" in rows.fault(np.array(bad[1:2]))


def test_coordinates_are_those_of_the_data_set(table_reference: DriftReference) -> None:
    raw_BR = np.array([[0.5, 3, 1, 2], [-1, 0, 0, 0], [1.5, 9, 1, 1]])
    wanted = encode(raw_BR, table_coordinates(contract(table_reference)))
    assert np.array_equal(InputRows(table_reference).coordinates(raw_BR), wanted)


def test_an_image_is_divided_as_the_contract_says(image_reference: DriftReference) -> None:
    assert InputRows(image_reference).coordinates(np.array([[8.0, 4, 2, 0]])).tolist() == [[1, 0.5, 0.25, 0]]


def test_the_distance_is_the_root_mean_square_of_standard_scores(image_reference: DriftReference) -> None:
    x = [0.75, 1.0, 0.0, 0.0]
    scores = [(0.75 - 0.5) / 0.25, (1.0 - 0.5) / 0.5, (0.0 - 0.25) / 0.25, 0.0]
    wanted = math.sqrt(sum(score**2 for score in scores) / 4)
    assert InputRows(image_reference).distances(np.array([x]))[0] == pytest.approx(wanted, rel=1e-12)


def test_a_category_is_known_by_name_and_by_index(table_reference: DriftReference) -> None:
    colour = table_reference.columns[3]
    assert [category_index(colour, value) for value in ("red", "blue", 1)] == [0, 2, 1]
    assert all(math.isnan(category_index(colour, value)) for value in ("pink", None, [1]))
