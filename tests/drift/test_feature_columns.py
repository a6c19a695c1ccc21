"""Both sides of a comparison become the same columns: equal inputs are equal numbers, whatever file they came from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from robustcert.data.build import build_dataset
from robustcert.data.contract import contract_of
from robustcert.drift.feature_columns import FeatureColumns, add_columns, empty_counts
from robustcert.drift.histogram import Categories, NumberBins
from robustcert.drift.row_batch import RowBatch
from robustcert.drift.rows import open_rows
from robustcert.specification import Data
from tests.data.examples import raw_images, raw_table
from tests.drift.logs import IMAGES, SITES, TABLE, image_columns, table_columns, write_log

COLUMNS = table_columns(300)
VALUES = np.column_stack([
    COLUMNS["age"], COLUMNS["dose"], COLUMNS["smoker"], [SITES.index(site) for site in COLUMNS["site"]],
]).astype(float)  # fmt: skip


def columns_of(data: Data, raw: Any) -> FeatureColumns:
    return FeatureColumns(contract=contract_of(data), dataset=build_dataset(data, raw, seed=0))


def logged(path: Path, data: Data, columns: dict[str, Any]) -> RowBatch:
    with open_rows(write_log(path / "log.parquet", columns), data=data) as source:
        (batch,) = source.batches()
        return batch


def test_rows_of_a_table_are_the_same_columns_from_the_data_set_and_from_a_log(tmp_path: Path) -> None:
    made = columns_of(TABLE, raw_table(300, values=VALUES))
    of_dataset = made.of_dataset(made.dataset)
    of_batch = made.of_batch(logged(tmp_path, TABLE, COLUMNS))
    assert list(of_dataset) == list(of_batch) == ["age", "dose", "smoker", "site"]
    order = np.argsort(made.dataset.sample_ids)
    for name, values in of_dataset.items():
        assert np.array_equal(values[order], of_batch[name]), name
    assert np.allclose(of_batch["dose"], VALUES[:, 1], atol=0.01)
    assert np.array_equal(of_batch["site"], VALUES[:, 3])


def test_a_missing_value_is_not_a_number_and_a_category_has_its_name(tmp_path: Path) -> None:
    made = columns_of(TABLE, raw_table(300, values=VALUES))
    dose, site = list(COLUMNS["dose"]), list(COLUMNS["site"])
    dose[3] = site[4] = None
    found = made.of_batch(logged(tmp_path, TABLE, COLUMNS | {"dose": dose, "site": site}))
    assert np.flatnonzero(np.isnan(found["dose"])).tolist() == [3]
    texts = made.texts("site", found["site"])
    assert texts.tolist() == site
    assert made.texts("dose", found["dose"]) is found["dose"]


def test_a_value_beyond_every_grid_is_infinite_without_a_warning(tmp_path: Path) -> None:
    made = columns_of(TABLE, raw_table(300, values=VALUES))
    found = made.of_batch(logged(tmp_path, TABLE, COLUMNS | {"dose": [1e308, *COLUMNS["dose"][1:]]}))
    assert np.flatnonzero(np.isinf(found["dose"])).tolist() == [0]


def test_numbers_are_cut_by_the_reference_and_categories_are_counted_by_name() -> None:
    made = columns_of(TABLE, raw_table(300, values=VALUES))
    reference = made.of_dataset(made.dataset)
    cells = made.cells(reference)
    assert [isinstance(cells[name], NumberBins) for name in reference] == [True, True, False, False]
    counts = empty_counts(cells)
    for part in (slice(0, 100), slice(100, None)):
        add_columns(counts, {name: values[part] for name, values in reference.items()})
    sites = counts["site"]
    assert isinstance(sites.cells, Categories)
    assert sites.cells.labels == ("0", "1", "2")
    assert sites.counts.tolist() == [*np.bincount(VALUES[:, 3].astype(int)).tolist(), 0]
    assert [made.label("site", index) for index in (0, 2, 7)] == ["north", "east", "7"]


def image_rows() -> NDArray[Any]:
    return np.asarray(raw_images(40).values)


def test_an_image_becomes_brightness_contrast_and_means_of_cells(tmp_path: Path) -> None:
    made = columns_of(IMAGES, raw_images(40))
    x = image_rows() / contract_of(IMAGES).divide_by
    found = made.of_batch(logged(tmp_path, IMAGES, image_columns(image_rows())))
    assert np.allclose(found["brightness"], x.reshape(40, -1).mean(axis=1))
    assert np.allclose(found["contrast"], x.reshape(40, -1).std(axis=1))
    _, channels, height, width = x.shape
    assert len(found) == 2 + channels * min(height, 8) * min(width, 8)


@pytest.mark.parametrize(("height", "width"), [(8, 8), (28, 20), (5, 17)])
def test_cells_of_a_large_image_cover_every_pixel_once(height: int, width: int) -> None:
    from robustcert.drift.feature_columns import _image_columns

    x = np.random.default_rng(1).uniform(0, 1, (6, 3, height, width))
    found = dict(_image_columns(x))
    rows, columns = (np.linspace(0, side, min(side, 8) + 1).astype(int) for side in (height, width))
    for channel in range(3):
        for row in range(len(rows) - 1):
            for column in range(len(columns) - 1):
                block = x[:, channel, rows[row] : rows[row + 1], columns[column] : columns[column + 1]]
                name = f"row {row + 1}, column {column + 1}, channel {channel + 1}"
                assert np.allclose(found.pop(name), block.mean(axis=(1, 2)))
    assert set(found) == {"brightness", "contrast"}
