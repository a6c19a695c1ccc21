import math
import statistics
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.preprocessing import StandardScaler

from robustcert.data.build import build_dataset, nearest_power_of_two, population_std
from robustcert.data.dataset import save_dataset
from robustcert.data.raw import RawData
from robustcert.data.sources import load_raw
from robustcert.errors import DataError
from robustcert.specification import Data
from tests.data.examples import image_data, planted, raw_images, raw_table, table_data

DIGITS = Data.model_validate({"source": "builtin:digits"})
CANCER = Data.model_validate({"source": "builtin:breast-cancer"})


def test_digits_are_scikit_learns_pixels_divided_by_16_exactly() -> None:
    dataset = build_dataset(DIGITS, load_raw(DIGITS), seed=0)
    assert np.array_equal(dataset.x(), load_digits().images[:, None] / 16)
    assert np.array_equal(dataset.y, load_digits().target)
    assert np.array_equal(dataset.x_int, load_digits().images[:, None] * 16)
    assert set(dataset.unit.ravel().tolist()) == {1 / 256}
    assert (dataset.lower.min(), dataset.upper.max()) == (0.0, 1.0)
    assert (dataset.scale.min(), dataset.scale.max(), dataset.perturbable.all()) == (1.0, 1.0, True)


def test_breast_cancer_moves_by_at_most_half_a_grid_step() -> None:
    dataset = build_dataset(CANCER, load_raw(CANCER), seed=0)
    assert np.all(np.abs(dataset.x() - load_breast_cancer().data) <= dataset.unit / 2 * (1 + 1e-12))


def test_a_tables_scale_is_scikit_learns_standard_deviation_of_the_training_split() -> None:
    dataset = build_dataset(CANCER, load_raw(CANCER), seed=0)
    scaler = StandardScaler().fit(load_breast_cancer().data[dataset.split == 0])
    assert np.allclose(dataset.scale, scaler.scale_, rtol=1e-9)
    assert not np.allclose(dataset.scale, load_breast_cancer().data.std(axis=0), rtol=1e-4)


def test_a_tables_grid_is_the_power_of_two_nearest_to_a_4096th_of_the_scale() -> None:
    dataset = build_dataset(CANCER, load_raw(CANCER), seed=0)
    steps = np.log2(dataset.unit)
    assert np.array_equal(steps, np.rint(steps))
    assert np.abs(np.log2(dataset.scale / dataset.unit) - 12).max() <= 0.5


def test_the_order_of_rows_changes_not_a_byte(tmp_path: Path) -> None:
    order = np.random.default_rng(1).permutation(569)
    raw = load_raw(CANCER)
    shuffled = RawData(
        values=raw.values[order], labels=raw.labels[order], sample_ids=raw.sample_ids[order], columns=raw.columns,
        source=raw.source, source_sha256=raw.source_sha256,
    )  # fmt: skip
    for name, rows in (("a", raw), ("b", shuffled)):
        save_dataset(build_dataset(CANCER, rows, seed=7), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_the_seed_changes_the_splits_and_given_splits_stay() -> None:
    first, second = (build_dataset(image_data(), raw_images(), seed=seed) for seed in (0, 1))
    assert first.split.tolist() != second.split.tolist()
    given = np.arange(40, dtype=np.int8) % 3
    assert build_dataset(image_data(), raw_images(splits=given), seed=0).split.tolist() == given.tolist()


def test_pixels_of_255_keep_both_ends_of_their_range() -> None:
    values = planted(planted(raw_images().values, (0, 0, 0, 0), 255), (1, 0, 0, 0), 0)
    dataset = build_dataset(image_data(), raw_images(values=values), seed=0)
    assert np.array_equal(dataset.x_int, values.astype(np.int64) * 16)
    assert (dataset.x()[0, 0, 0, 0], dataset.x()[1, 0, 0, 0]) == (1.0, 0.0)
    assert np.allclose(dataset.x(), values / 255, rtol=0, atol=1e-15)


@pytest.mark.parametrize("divide_by", [3.0, 49.0, 100.0, 127.5, 200.0, 255.0])
def test_no_stored_integer_leaves_its_range_whatever_it_is_divided_by(divide_by: float) -> None:
    values = np.tile(np.arange(256, dtype=np.uint8).reshape(16, 1, 4, 4), (3, 1, 1, 1))
    data = image_data(divideBy=divide_by)
    dataset = build_dataset(data, raw_images(48, values=values), seed=0)
    assert np.array_equal(dataset.x_int, values.astype(np.int64) * 16)


def test_float_images_are_rounded_to_4096ths_and_stay_within_their_range() -> None:
    values = np.random.default_rng(0).uniform(0, 0.3, size=(40, 1, 4, 4)).astype(np.float32)
    values[0, 0, 0, 0] = 0.3
    data = image_data(range=(0.0, float(np.float32(0.3))), divideBy=1.0)
    dataset = build_dataset(data, raw_images(values=values), seed=0)
    assert np.array_equal(dataset.x_int * 1.0, np.minimum(np.rint(values.astype(np.float64) * 4096), 1228))
    assert dataset.x().max() == 1228 / 4096 <= 0.3
    assert dataset.card.transforms == (
        "input = stored value / 1",
        "grid: x_int = round(input / unit), steps 4096 per input unit",
    )


def test_an_input_at_the_end_of_its_range_stays_within_it() -> None:
    features = ({"name": "dose", "minimum": 0.1, "maximum": 0.7},)
    values = np.random.default_rng(0).uniform(0.1, 0.7, size=(40, 1))
    values[:2, 0] = 0.1, 0.7
    dataset = build_dataset(table_data(features=features), raw_table(values=values), seed=0)
    assert np.all((dataset.x() >= 0.1) & (dataset.x() <= 0.7))
    assert np.abs(dataset.x() - values).max() <= dataset.unit[0]


def test_categories_and_binary_features_are_whole_steps_that_nobody_may_change() -> None:
    raw = raw_table()
    dataset = build_dataset(table_data(), raw, seed=0)
    assert dataset.card.coordinates == ("age", "dose", "smoker", "site=north", "site=south", "site=east")
    assert np.array_equal(dataset.x_int[:, 2], raw.values[:, 2])
    assert np.array_equal(dataset.x_int[:, 3:].argmax(axis=1), raw.values[:, 3])
    assert dataset.x_int[:, 3:].sum(axis=1).tolist() == [1] * 40
    assert dataset.unit[2:].tolist() == dataset.scale[2:].tolist() == [1, 1, 1, 1]
    assert dataset.perturbable.tolist() == [True, True, False, False, False, False]


def test_integer_features_are_exact() -> None:
    raw = raw_table()
    assert np.array_equal(build_dataset(table_data(), raw, seed=0).x()[:, 0], raw.values[:, 0])


def test_a_constant_feature_has_scale_1() -> None:
    raw = raw_table(values=planted(raw_table().values, (slice(None), 1), 0.1))
    dataset = build_dataset(table_data(), raw, seed=0)
    assert (dataset.scale[1], dataset.unit[1]) == (1.0, 2.0**-12)


def test_the_card_records_source_provenance_and_every_transform_in_order() -> None:
    data = table_data(provenance={"transforms": ("names removed",)})
    card = build_dataset(data, raw_table(), seed=0).card
    assert (card.kind, card.shape, card.source, card.source_sha256) == ("tabular", (6,), "made.npz", "ab" * 32)
    assert card.units == ("years", "mg", "", "", "", "")
    assert card.provenance == data.provenance
    assert card.transforms == (
        "names removed",
        "categorical features one-hot in the contract's order",
        "grid: x_int = round(x / unit), unit = 2**(round(log2(std)) - 12) of the training split",
    )


def test_the_standard_deviation_is_exact_to_the_last_bits_and_the_same_in_any_order() -> None:
    values = (np.random.default_rng(0).normal(1e6, 1e-3, 999)).tolist()
    assert math.isclose(population_std(values), statistics.pstdev(values), rel_tol=1e-6)
    shuffled = np.random.default_rng(1).permutation(values).tolist()
    assert population_std(shuffled) == population_std(values)
    assert population_std([0.1] * 7) == 1.0


def test_the_nearest_power_of_two_is_that_of_the_logarithm() -> None:
    values = np.random.default_rng(0).lognormal(0, 20, 2000)
    assert [nearest_power_of_two(value) for value in values] == np.rint(np.log2(values)).astype(int).tolist()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_validation_would_have_found_are_refused(value: float) -> None:
    raw = raw_table(values=planted(raw_table().values, (3, 1), value))
    with pytest.raises(
        DataError, match=r"^expected finite values, got a missing value, NaN or inf; validate the data first$"
    ):
        build_dataset(table_data(), raw, seed=0)


def test_values_out_of_range_are_refused_and_not_clipped() -> None:
    raw = raw_table(values=planted(raw_table().values, (3, 1), 10.5))
    with pytest.raises(DataError, match=r"^expected every input within its range"):
        build_dataset(table_data(), raw, seed=0)


def test_labels_out_of_range_are_refused() -> None:
    raw = raw_images(labels=planted(raw_images().labels, 3, 2))
    with pytest.raises(DataError, match=r"^expected every label to be the index of a class"):
        build_dataset(image_data(), raw, seed=0)


def test_a_value_too_far_from_zero_for_the_grid_is_refused() -> None:
    features = ({"name": "time", "minimum": 0.0, "maximum": 1e12},)
    values = 1e9 + np.random.default_rng(0).uniform(0, 1, size=(40, 1))
    with pytest.raises(DataError, match=r"^expected values on a grid of 32 bits, got .*; store them from another zero"):
        build_dataset(table_data(features=features), raw_table(values=values), seed=0)


def test_an_empty_split_is_refused() -> None:
    with pytest.raises(DataError, match=r"^expected samples in every split, got none in validation; give more samples"):
        build_dataset(image_data(), raw_images(4, splits=np.array([0, 0, 2, 2], dtype=np.int8)), seed=0)
