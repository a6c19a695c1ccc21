"""Oracle: the arrays that were saved, read back by safetensors itself."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from robustcert.errors import DataError, StorageError
from robustcert.evaluation.adversarials import Adversarials, load_adversarials, save_adversarials

FOUND = {
    "linf/pgd@1-0": Adversarials(sample_ids=np.array([4, 9]), x_adv=np.full((2, 1, 2, 2), 0.25, np.float32)),
    "l2/fgsm@1-0": Adversarials(sample_ids=np.zeros(0, np.int64), x_adv=np.zeros((0, 1, 2, 2), np.float32)),
}


def test_what_is_saved_is_read_back(tmp_path: Path) -> None:
    save_adversarials(FOUND, tmp_path / "found")
    read = load_adversarials(tmp_path / "found")
    assert read.keys() == FOUND.keys()
    for key, adversarials in FOUND.items():
        np.testing.assert_array_equal(read[key].sample_ids, adversarials.sample_ids)
        np.testing.assert_array_equal(read[key].x_adv, adversarials.x_adv)


def test_any_reader_of_safetensors_finds_the_arrays(tmp_path: Path) -> None:
    save_adversarials(FOUND, tmp_path / "found")
    assert set(load_file(tmp_path / "found")) == {f"{key}/{part}" for key in FOUND for part in ("samples", "x_adv")}


def test_equal_sets_give_equal_bytes_in_any_order(tmp_path: Path) -> None:
    save_adversarials(FOUND, tmp_path / "a")
    save_adversarials(dict(reversed(FOUND.items())), tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_nothing_found_is_a_file_too(tmp_path: Path) -> None:
    save_adversarials({}, tmp_path / "found")
    assert load_adversarials(tmp_path / "found") == {}


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"a/b/samples": np.zeros(2, np.int64)}, "arrays of 'a/b' that do not fit together; use the file of"),
        (
            {"a/b/samples": np.zeros(2, np.int64), "a/b/x_adv": np.zeros((3, 1), np.float32)},
            "arrays of 'a/b' that do not fit together",
        ),
        (
            {"a/b/samples": np.zeros(2, np.int64), "a/b/x_adv": np.zeros((2, 1), np.float64)},
            "arrays of 'a/b' that do not fit together",
        ),
    ],
)
def test_arrays_that_do_not_fit_together_are_refused(
    tmp_path: Path, arrays: dict[str, np.ndarray], message: str
) -> None:
    save_file(arrays, tmp_path / "found", metadata={"robustcert": '{"version":"robustcert-adversarials/v1"}'})
    with pytest.raises(DataError, match=message):
        load_adversarials(tmp_path / "found")


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no tensors")
    with pytest.raises(DataError, match="a file of adversarial inputs at 'text', got something else"):
        load_adversarials(tmp_path / "text")
    save_file({"a": np.zeros(1)}, tmp_path / "other")
    with pytest.raises(DataError, match="got another safetensors file"):
        load_adversarials(tmp_path / "other")
    with pytest.raises(DataError, match="name a readable file"):
        load_adversarials(tmp_path / "missing")


def test_a_folder_that_is_not_there_is_said_and_nothing_stays(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="to write the adversarial inputs 'found', got No such file or directory"):
        save_adversarials(FOUND, tmp_path / "missing" / "found")
    assert list(tmp_path.iterdir()) == []
