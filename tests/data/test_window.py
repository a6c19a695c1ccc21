"""A window is held to the contract and put on the grid of the certified data, bit for bit where it is the same rows."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from robustcert.data.build import build_dataset
from robustcert.data.contract import contract_of
from robustcert.data.dataset import Dataset
from robustcert.data.raw import RawData
from robustcert.data.sources import load_raw
from robustcert.data.window import read_window, seen_in_training, validate_window, window_on_grid
from robustcert.errors import DataError, InputError
from robustcert.provenance.digests import sha256_file
from robustcert.specification import Data

TODAY = date(2026, 1, 1)
DIGITS = Data.model_validate({"source": "builtin:digits"})
TABLE = Data.model_validate({"source": "builtin:breast-cancer"})


def certified(data: Data) -> tuple[RawData, Dataset]:
    raw = load_raw(data)
    return raw, build_dataset(data, raw, seed=0)


def rows(raw: RawData, ids: np.ndarray, path: Path) -> tuple[str, str]:
    """A window of these rows in an .npz file: its path and SHA-256."""
    np.savez(path, x=raw.values[ids], y=raw.labels[ids])
    return str(path), sha256_file(path)


@pytest.mark.parametrize("data", [DIGITS, TABLE], ids=["image", "table"])
def test_the_rows_of_the_test_split_fall_on_their_own_grid_points(data: Data, tmp_path: Path) -> None:
    raw, dataset = certified(data)
    test = dataset.select("test")
    if data is TABLE:
        uri, sha256 = table(raw, test.sample_ids, tmp_path / "window.csv")
    else:
        uri, sha256 = rows(raw, test.sample_ids, tmp_path / "window.npz")
    found = read_window(data, uri, sha256=sha256)
    assert validate_window(data, found, today=TODAY).passed
    window = window_on_grid(found, data=data, certified=dataset)
    assert np.array_equal(window.x_int, test.x_int)
    assert np.array_equal(window.y, test.y)
    assert set(window.split.tolist()) == {2}
    assert window.card.source_sha256 == sha256
    for name in ("unit", "scale", "lower", "upper", "perturbable"):
        assert np.array_equal(getattr(window, name), getattr(dataset, name)), "estimated anew"


def table(raw: RawData, ids: np.ndarray, path: Path) -> tuple[str, str]:
    """As `rows`, a CSV file with the contract's columns, shortest decimals that read back exactly."""
    contract = contract_of(TABLE)
    lines = [",".join([*(feature.name for feature in contract.features), "diagnosis"])]
    for row in ids.tolist():
        lines.append(",".join([*map(repr, raw.values[row].tolist()), contract.classes[raw.labels[row]]]))
    path.write_text("\n".join(lines) + "\n")
    return str(path), sha256_file(path)


def test_a_window_that_is_wider_than_the_training_data_keeps_the_certified_scale(tmp_path: Path) -> None:
    raw, dataset = certified(TABLE)
    ids = dataset.select("test").sample_ids
    stretched = raw.values.copy()
    stretched[:, 0] *= 1.5
    uri, sha256 = table(RawData(**{**vars(raw), "values": stretched}), ids, tmp_path / "window.csv")
    window = window_on_grid(read_window(TABLE, uri, sha256=sha256), data=TABLE, certified=dataset)
    assert window.scale[0] == dataset.scale[0]
    assert np.allclose(window.x()[:, 0], stretched[ids, 0], atol=dataset.unit[0])


def test_another_digest_or_none_is_refused(tmp_path: Path) -> None:
    raw, dataset = certified(DIGITS)
    uri, _ = rows(raw, dataset.select("test").sample_ids, tmp_path / "window.npz")
    with pytest.raises(DataError, match="expected data with SHA-256 abab"):
        read_window(DIGITS, uri, sha256="ab" * 32)
    with pytest.raises(InputError, match="expected a digest of the window, got none"):
        read_window(DIGITS, uri, sha256="")


def test_drifted_class_frequencies_are_no_breach_and_values_off_the_range_are(tmp_path: Path) -> None:
    raw, _ = certified(DIGITS)
    sevens = np.flatnonzero(raw.labels == 7)
    uri, sha256 = rows(raw, sevens, tmp_path / "sevens.npz")
    assert validate_window(DIGITS, read_window(DIGITS, uri, sha256=sha256), today=TODAY).passed
    np.savez(tmp_path / "off.npz", x=raw.values[sevens] + 1, y=raw.labels[sevens])
    off = read_window(DIGITS, str(tmp_path / "off.npz"), sha256=sha256_file(tmp_path / "off.npz"))
    found = validate_window(DIGITS, off, today=TODAY)
    assert not found.passed
    assert [finding.check for finding in found.findings] == ["ranges"]


def test_rows_that_the_model_was_trained_on_are_named(tmp_path: Path) -> None:
    raw, dataset = certified(DIGITS)
    ids = np.concatenate([dataset.select("test").sample_ids[:7], dataset.select("train").sample_ids[:3]])
    uri, sha256 = rows(raw, ids, tmp_path / "window.npz")
    window = window_on_grid(read_window(DIGITS, uri, sha256=sha256), data=DIGITS, certified=dataset)
    found = seen_in_training(window, dataset, allowed=0.2)
    assert found is not None
    assert (found.count, found.of, found.samples) == (3, 10, (7, 8, 9))
    assert seen_in_training(window, dataset, allowed=0.3) is None
