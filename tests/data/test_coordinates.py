import numpy as np
import pytest
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder

from robustcert.data.coordinates import encode, finite, image_bounds, image_shape, relative_rows, table_coordinates
from robustcert.errors import DataError
from robustcert.specification import Contract
from tests.data.examples import image_data, raw_images, raw_table, table_data

TABLE = table_data().contract


def test_features_become_coordinates_in_the_contracts_order() -> None:
    coordinates = table_coordinates(TABLE)
    assert [c.name for c in coordinates] == ["age", "dose", "smoker", "site=north", "site=south", "site=east"]
    assert [(c.lower, c.upper) for c in coordinates] == [(0, 120), (0, 10), (0, 1), (0, 1), (0, 1), (0, 1)]
    assert [c.unit for c in coordinates[:2]] == ["years", "mg"]


def test_only_numbers_that_the_contract_lets_change_are_perturbable() -> None:
    assert [c.perturbable for c in table_coordinates(TABLE)] == [True, True, False, False, False, False]
    fixed = table_data(features=({"name": "age", "minimum": 0.0, "maximum": 1.0, "perturbable": False},)).contract
    assert [(c.perturbable, c.scaled) for c in table_coordinates(fixed)] == [(False, True)]


def test_categories_are_coded_as_scikit_learns_one_hot_encoder_does() -> None:
    values = raw_table(50).values
    coded = OneHotEncoder(categories=[range(3)], sparse_output=False).fit_transform(values[:, 3:])
    assert np.array_equal(encode(values, table_coordinates(TABLE)), np.hstack([values[:, :3], coded]))


def test_relative_rows_run_from_0_to_1_within_the_contracts_range() -> None:
    values = raw_images(9).values
    scaler = MinMaxScaler().fit(np.array([[0.0] * 16, [255.0] * 16]))
    assert np.allclose(
        relative_rows(values, image_data().contract), scaler.transform(values.reshape(9, 16)), atol=1e-15
    )
    table = np.array([[60.0, 2.5, 1.0, 2.0]])
    assert relative_rows(table, TABLE).tolist() == [[0.5, 0.25, 1.0, 0.0, 0.0, 1.0]]


def test_an_image_contract_gives_its_shape_and_range() -> None:
    assert image_shape(image_data().contract) == (1, 4, 4)
    assert image_bounds(image_data().contract) == (0.0, 255.0)


def test_a_contract_without_what_its_kind_needs_is_refused() -> None:
    empty = Contract.model_construct(kind="image", shape=None, range=None)
    with pytest.raises(DataError, match=r"^expected 'shape' in an image contract, got none; add shape"):
        image_shape(empty)
    with pytest.raises(DataError, match=r"^expected 'range' in an image contract, got none; add range"):
        image_bounds(empty)
    with pytest.raises(DataError, match=r"^expected 'minimum' and 'maximum' of a feature, got none"):
        finite(None)
