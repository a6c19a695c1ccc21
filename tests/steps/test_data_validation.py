"""Data validation as a step: a broken contract is an outcome with a report, not an exception."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from robustcert.data.dataset import load_dataset
from robustcert.errors import DataError, InputError
from robustcert.provenance.digests import sha256_file
from robustcert.steps.data_validation import DataValidationOutcome, validate_data
from tests.chain import small_specification

CONTRACT = {"kind": "image", "shape": [1, 2, 2], "range": [0, 255], "divideBy": 255, "classes": ["a", "b"]}
SMOOTHING = {"sigma": 0.25, "unit": "input", "radii": [0, 0.1, 0.25], "n0": 32, "n": 512}
PROVENANCE = {"source": "made by hand", "licence": "CC0-1.0", "collectedAt": "2026"}


def validated(folder: Path, *, x: np.ndarray, y: np.ndarray, planned: int = 14) -> DataValidationOutcome:
    np.savez(folder / "own.npz", x=x, y=y)
    data = {"source": "own.npz", "contract": CONTRACT, "provenance": PROVENANCE}
    return validate_data(
        specification=small_specification(
            data=data, evaluation={"samples": 1}, certification=SMOOTHING | {"samples": planned}
        ),
        store=str(folder / "store"),
        source_folder=str(folder),
        run_token="",
        dataset=folder / "dataset",
        report=folder / "report",
        record=folder / "record",
    )


def images() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    return generator.integers(0, 256, size=(60, 1, 2, 2), dtype=np.uint8), np.arange(60) % 2


def test_a_held_contract_gives_a_data_set_on_the_grid(tmp_path: Path) -> None:
    x, y = images()
    assert validated(tmp_path, x=x, y=y).passed
    dataset = load_dataset(tmp_path / "dataset")
    np.testing.assert_array_equal(dataset.x_int, 16 * x.astype(np.int32))
    np.testing.assert_array_equal(dataset.y, y)


def test_a_broken_contract_gives_a_report_and_no_data_set(tmp_path: Path) -> None:
    x, y = images()
    outcome = validated(tmp_path, x=x, y=np.where(y == 1, 7, y))
    assert not outcome.passed
    assert outcome.summary.startswith("data validation found")
    assert not (tmp_path / "dataset").exists()
    assert json.loads((tmp_path / "report").read_text())["passed"] is False


def test_more_planned_samples_than_there_are_end_the_run_before_the_training(tmp_path: Path) -> None:
    x, y = images()
    with pytest.raises(DataError, match=r"^expected at least 15 test samples, got 14; lower certification.samples"):
        validated(tmp_path, x=x, y=y, planned=15)


@pytest.mark.parametrize("place", ["s3://AKIA:hunter2@bucket/own.npz", "https://user:hunter2@example.org/own.npz"])
def test_credentials_in_an_address_reach_neither_log_nor_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], place: str
) -> None:
    data = {"source": "own.npz", "sha256": "ab" * 32, "contract": CONTRACT, "provenance": PROVENANCE}
    with pytest.raises(InputError, match="expected ") as error:
        validate_data(
            specification=small_specification(data=data),
            store=str(tmp_path / "store"),
            source_folder=str(tmp_path),
            run_token="",
            data_uri=place,
            dataset=tmp_path / "dataset",
            report=tmp_path / "report",
            record=tmp_path / "record",
        )
    printed = capsys.readouterr()
    assert "hunter2" not in f"{error.value}{printed.out}{printed.err}"


def test_an_unreadable_source_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = {"source": "nothing.npz", "contract": CONTRACT, "provenance": PROVENANCE}
    with pytest.raises(DataError, match=r"nothing\.npz"):
        validate_data(
            specification=small_specification(data=data),
            store=str(tmp_path / "store"),
            source_folder=str(tmp_path),
            run_token="",
            dataset=tmp_path / "dataset",
            report=tmp_path / "report",
            record=tmp_path / "record",
        )
    assert capsys.readouterr().err.startswith("::failure data_validation expected")


def test_data_that_moved_give_the_same_data_set_and_what_is_registered_stays(tmp_path: Path) -> None:
    x, y = images()
    np.savez(tmp_path / "moved.npz", x=x, y=y)
    data = {"source": "gone.npz", "contract": CONTRACT, "provenance": PROVENANCE}
    registered = data | {"sha256": sha256_file(tmp_path / "moved.npz")}
    text = small_specification(data=registered, evaluation={"samples": 1}, certification=SMOOTHING | {"samples": 14})
    common = {"specification": text, "store": str(tmp_path / "store"), "source_folder": str(tmp_path), "run_token": ""}

    def made(name: str, data_uri: str) -> bytes:
        files = {part: tmp_path / f"{name}-{part}" for part in ("dataset", "report", "record")}
        assert validate_data(**common, **files, data_uri=data_uri).passed
        return files["dataset"].read_bytes()

    moved = made("moved", "moved.npz")
    (tmp_path / "moved.npz").rename(tmp_path / "gone.npz")
    assert made("back", "") == moved
