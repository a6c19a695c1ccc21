import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from robustcert.data.build import build_dataset
from robustcert.data.dataset import Dataset, load_dataset, save_dataset
from robustcert.errors import DataError, StorageError
from tests.data.examples import planted, raw_images, raw_table, table_data


@pytest.fixture
def dataset() -> Dataset:
    return build_dataset(table_data(), raw_table(), seed=0)


@pytest.fixture
def saved(dataset: Dataset, tmp_path: Path) -> Path:
    save_dataset(dataset, tmp_path / "data.safetensors")
    return tmp_path / "data.safetensors"


def rewritten(path: Path, **arrays: np.ndarray) -> Path:
    """The file with some arrays replaced, by safetensors itself."""
    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
    save_file({**load_file(path), **arrays}, path, metadata=metadata)
    return path


def test_a_saved_data_set_loads_as_it_was(dataset: Dataset, saved: Path) -> None:
    loaded = load_dataset(saved)
    assert loaded.card == dataset.card
    for name in vars(dataset).keys() - {"card"}:
        array = getattr(loaded, name)
        assert array.dtype == getattr(dataset, name).dtype
        assert np.array_equal(array, getattr(dataset, name))


def test_equal_data_sets_give_equal_bytes_under_one_metadata_key(saved: Path, tmp_path: Path) -> None:
    save_dataset(load_dataset(saved), tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == saved.read_bytes()
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["again.safetensors", "data.safetensors"]
    with safe_open(saved, framework="numpy") as file:
        card = json.loads(file.metadata().pop("robustcert"))
        assert len(file.metadata()) == 1
    assert card["sourceSha256"] == "ab" * 32
    assert card["classes"] == ["ill", "well"]


def test_inputs_are_grid_steps_times_units(dataset: Dataset) -> None:
    assert dataset.x().dtype == np.float64
    by_hand = [[step * unit for step, unit in zip(row, dataset.unit, strict=True)] for row in dataset.x_int.tolist()]
    assert dataset.x().tolist() == by_hand


def test_a_split_is_selected_in_order(dataset: Dataset) -> None:
    parts = [dataset.select("train"), dataset.select("validation"), dataset.select("test")]
    assert [len(part) for part in parts] == [24, 6, 10]
    for code, part in enumerate(parts):
        assert part.sample_ids.tolist() == [i for i, split in enumerate(dataset.split) if split == code]
        assert np.array_equal(part.x_int, dataset.x_int[part.sample_ids])
        assert np.array_equal(part.y, dataset.y[part.sample_ids])


def test_rows_come_in_the_order_asked_for(dataset: Dataset) -> None:
    rows = dataset.select("test").rows(dataset.select("test").sample_ids[[3, 0]])
    assert rows.sample_ids.tolist() == dataset.select("test").sample_ids[[3, 0]].tolist()
    assert np.array_equal(rows.x_int, dataset.x_int[rows.sample_ids])


def test_an_unknown_id_is_refused(dataset: Dataset) -> None:
    with pytest.raises(DataError, match=r"^expected sample ids of the data set, got unknown id 40; name ids"):
        dataset.rows([3, 40])


@pytest.mark.parametrize(("unit", "per_unit"), [("input", 1.0), ("1/255", 1 / 255)])
def test_a_perturbation_in_fixed_units_is_0_where_nothing_may_change(
    dataset: Dataset, unit: str, per_unit: float
) -> None:
    assert dataset.perturbation_scale(unit).tolist() == [per_unit, per_unit, 0, 0, 0, 0]


def test_a_perturbation_in_standard_deviations_uses_those_of_the_training_split(dataset: Dataset) -> None:
    train = raw_table().values[dataset.split == 0]
    assert np.allclose(dataset.perturbation_scale("feature_std")[:2], train[:, :2].std(axis=0), rtol=1e-12)
    assert dataset.perturbation_scale("feature_std")[2:].tolist() == [0, 0, 0, 0]


def test_the_number_of_classes_is_the_contracts(dataset: Dataset) -> None:
    assert (dataset.n_classes, len(dataset)) == (2, 40)


@pytest.mark.parametrize(
    ("name", "place", "value", "message"),
    [
        ("y", 3, 2, "every label to be the index of a class"),
        ("y", 3, -1, "every label to be the index of a class"),
        ("split", 3, 3, "every split to be 0, 1 or 2"),
        ("sample_ids", 3, 4, "every sample id once"),
        ("unit", 0, 0.0, "every unit to be finite and positive"),
        ("scale", 0, np.inf, "every scale to be finite and positive"),
        ("lower", 0, 500.0, "finite ranges with lower < upper"),
        ("upper", 0, np.nan, "finite ranges with lower < upper"),
        ("x_int", (3, 0), -1, "every input within its range"),
        ("x_int", (3, 1), 2**30, "every input within its range"),
    ],
)
def test_content_that_contradicts_itself_is_refused(
    saved: Path, dataset: Dataset, name: str, place: object, value: float, message: str
) -> None:
    with pytest.raises(DataError, match=f"^expected {message}, got a data set where"):
        load_dataset(rewritten(saved, **{name: planted(getattr(dataset, name), place, value)}))


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("y", np.zeros(39, dtype=np.int64), r"y as int64 \(40,\), got int64 \(39,\)"),
        ("y", np.zeros(40, dtype=np.int32), r"y as int64 \(40,\), got int32 \(40,\)"),
        ("x_int", np.zeros((40, 5), dtype=np.int32), r"x_int as int32 \(40, 6\), got int32 \(40, 5\)"),
        ("unit", np.ones((40, 6)), r"unit as float64 \(6,\), got float64 \(40, 6\)"),
    ],
)
def test_arrays_that_do_not_fit_the_card_are_refused(saved: Path, name: str, array: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=f"^expected {message}; build the data set again"):
        load_dataset(rewritten(saved, **{name: array}))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"^expected a data set file at 'none.safetensors', got .*; name a readable file$"
    ):
        load_dataset(tmp_path / "none.safetensors")


@pytest.mark.parametrize("length", [0, 7, 100, -1])
def test_a_truncated_file_is_refused(saved: Path, length: int) -> None:
    saved.write_bytes(saved.read_bytes()[:length])
    with pytest.raises(DataError, match=r"^expected a data set file at 'data.safetensors', got something else"):
        load_dataset(saved)


@pytest.mark.parametrize("metadata", [{}, {"robustcert": "{}"}, {"robustcert": "not JSON"}])
def test_another_safetensors_file_is_refused(saved: Path, metadata: dict[str, str]) -> None:
    save_file(load_file(saved), saved, metadata=metadata)
    with pytest.raises(
        DataError, match=r"^expected a data set file at 'data.safetensors', got something else \([^\n]*$"
    ):
        load_dataset(saved)


def test_missing_and_foreign_arrays_are_refused(saved: Path) -> None:
    with pytest.raises(DataError, match="got something else"):
        load_dataset(rewritten(saved, other=np.zeros(3)))


def test_a_card_of_a_later_release_with_more_fields_is_read(saved: Path, dataset: Dataset) -> None:
    with safe_open(saved, framework="numpy") as file:
        card = json.loads(file.metadata()["robustcert"])
    save_file(load_file(saved), saved, metadata={"robustcert": json.dumps({**card, "colourOfTheBox": "red"})})
    assert load_dataset(saved).card == dataset.card


def test_a_folder_that_refuses_leaves_nothing_behind(dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"^expected to write the data set, got 'No such file or directory'"):
        save_dataset(dataset, tmp_path / "missing" / "data.safetensors")
    (tmp_path / "taken.safetensors").mkdir()
    with pytest.raises(StorageError, match=r"^expected to write the data set, got 'Is a directory'"):
        save_dataset(dataset, tmp_path / "taken.safetensors")
    assert [entry.name for entry in tmp_path.iterdir()] == ["taken.safetensors"]


def test_image_coordinates_keep_their_shape() -> None:
    from tests.data.examples import image_data

    dataset = build_dataset(image_data(), raw_images(), seed=0)
    assert dataset.x().shape == (40, 1, 4, 4)
    assert replace(dataset, perturbable=np.zeros((1, 4, 4), dtype=np.bool_)).perturbation_scale("input").max() == 0


def test_reading_a_data_set_loads_neither_torch_nor_scikit_learn_nor_pandas() -> None:
    code = (
        "import sys, robustcert.data.dataset, robustcert.data.digests, robustcert.data.contract;"
        "print(*(name for name in ('torch', 'sklearn', 'pandas', 'scipy', 'pyarrow', 'PIL') if name in sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == ""
