import numpy as np
import pytest

from robustcert.data.checks import schema
from tests.data.examples import facts, image_data, raw_images, raw_table, table_data


@pytest.mark.parametrize("check", [schema.samples, schema.columns, schema.shape, schema.dtype])
def test_data_that_keep_their_contract_pass(check: object) -> None:
    assert check(facts(image_data(), raw_images())) is None  # type: ignore[operator]
    assert check(facts(table_data(), raw_table())) is None  # type: ignore[operator]


def test_no_sample_at_all_is_found() -> None:
    breach = schema.samples(facts(image_data(), raw_images(0)))
    assert breach is not None
    assert breach.message == "expected at least one sample, got none; give the data"


@pytest.mark.parametrize(
    ("columns", "got"),
    [
        (("age", "dose", "smoker"), "missing site"),
        (("age", "dose", "smoker", "site", "name"), "not in the contract name"),
        (("Age", "dose", "smoker", "site"), "missing age; not in the contract Age"),
    ],
)
def test_missing_and_extra_columns_are_found_by_name(columns: tuple[str, ...], got: str) -> None:
    breach = schema.columns(facts(table_data(), raw_table(columns=columns)))
    assert breach is not None
    assert breach.message == f"expected the contract's columns, got {got}; correct the table or contract.features"


def test_reordered_columns_are_fine() -> None:
    assert schema.columns(facts(table_data(), raw_table(columns=("site", "smoker", "dose", "age")))) is None


@pytest.mark.parametrize("shape", [(40, 4, 4), (40, 1, 4, 5), (40, 4, 4, 1), (40,)])
def test_images_of_another_shape_are_found(shape: tuple[int, ...]) -> None:
    breach = schema.shape(facts(image_data(), raw_images(values=np.zeros(shape, dtype=np.uint8))))
    assert breach is not None
    assert breach.message == (
        f"expected samples of shape [1, 4, 4], got {list(shape[1:])}; reshape x or correct the contract"
    )


def test_a_table_with_another_number_of_columns_is_found() -> None:
    breach = schema.shape(facts(table_data(), raw_table(values=np.zeros((40, 5)))))
    assert breach is not None
    assert breach.message.startswith("expected samples of shape [4], got [5];")


@pytest.mark.parametrize("dtype", [np.complex64, "U3", "datetime64[s]", [("a", "u1")]])
def test_values_that_are_no_real_numbers_are_found(dtype: object) -> None:
    breach = schema.dtype(facts(image_data(), raw_images(values=np.zeros((40, 1, 4, 4), dtype=dtype))))
    assert breach is not None
    assert breach.message.startswith("expected values that are real numbers, got ")


@pytest.mark.parametrize("dtype", [np.bool_, np.int16, np.uint64, np.float16, np.float64])
def test_booleans_integers_and_floats_are_fine(dtype: type) -> None:
    assert schema.dtype(facts(image_data(), raw_images(values=np.zeros((40, 1, 4, 4), dtype=dtype)))) is None
