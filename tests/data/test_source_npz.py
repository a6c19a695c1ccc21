import io
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robustcert.data.source_npz import UnpackLimits, read_npz
from robustcert.errors import DataError
from tests.data.examples import image_data, raw_images, table_data

CONTRACT = image_data().contract
X, Y = raw_images().values, raw_images().labels


def npy_bytes(array: np.ndarray[Any, Any], *, pickled: bool = False) -> bytes:
    """The bytes of numpy's own writer."""
    file = io.BytesIO()
    np.save(file, array, allow_pickle=pickled)
    return file.getvalue()


def archive(path: Path, members: dict[str, bytes], *, compression: int = zipfile.ZIP_STORED) -> Path:
    """A zip with these members, by the standard library."""
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "images.npz"


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_written_by_numpy_are_read_as_they_were(path: Path, save: Any, order: Any) -> None:
    save(path, x=np.asarray(X, order=order), y=Y)
    samples = read_npz(path, contract=CONTRACT)
    assert np.array_equal(samples.values, X)
    assert samples.values.dtype == np.uint8
    assert samples.labels.tolist() == Y.tolist()
    assert samples.sample_ids.tolist() == list(range(40))
    assert samples.splits is None


def test_big_endian_numbers_keep_their_values(path: Path) -> None:
    np.savez(path, x=X.astype(">f4"), y=Y.astype(">i2"))
    samples = read_npz(path, contract=CONTRACT)
    assert np.array_equal(samples.values, X)
    assert samples.labels.tolist() == Y.tolist()


def test_labels_may_be_class_names_and_splits_names_or_codes(path: Path) -> None:
    names = np.array(["cat", "dog"])[Y]
    np.savez(path, x=X, y=names, split=np.array(["train", "test"])[Y])
    samples = read_npz(path, contract=CONTRACT)
    assert samples.labels.tolist() == Y.tolist()
    assert samples.splits is not None
    assert samples.splits.tolist() == [0, 2] * 20
    np.savez(path, x=X, y=names, split=Y + 1)
    coded = read_npz(path, contract=CONTRACT)
    assert coded.splits is not None
    assert coded.splits.tolist() == [1, 2] * 20


def test_the_split_array_is_the_one_named(path: Path) -> None:
    np.savez(path, x=X, y=Y, role=Y, split=1 - Y)
    for key, codes in (("role", [0, 1] * 20), ("split", [1, 0] * 20)):
        samples = read_npz(path, contract=CONTRACT, split_key=key)
        assert samples.splits is not None
        assert samples.splits.tolist() == codes
    assert read_npz(path, contract=CONTRACT, split_key="part").splits is None


def test_tables_become_float64(path: Path) -> None:
    np.savez(path, x=np.arange(160, dtype=np.int32).reshape(40, 4), y=Y)
    assert read_npz(path, contract=table_data().contract).values.dtype == np.float64


@pytest.mark.parametrize("name", ["../x.npy", "/etc/x.npy", "a/../../x.npy", "..\\x.npy", "C:x.npy"])
def test_a_member_that_leaves_the_folder_is_refused(path: Path, name: str) -> None:
    archive(path, {"x.npy": npy_bytes(X), "y.npy": npy_bytes(Y), name: b"anything"})
    with pytest.raises(
        DataError, match=r"^expected plain member names in the .npz, got '.*', which leaves the folder; "
    ):
        read_npz(path, contract=CONTRACT)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_given_twice_is_refused(path: Path) -> None:
    with zipfile.ZipFile(archive(path, {"x.npy": npy_bytes(X), "y.npy": npy_bytes(Y)}), "a") as file:
        file.writestr("y.npy", npy_bytes(1 - Y))
    with pytest.raises(DataError, match=r"^expected each member of the .npz once, got 'y.npy' twice"):
        read_npz(path, contract=CONTRACT)


@pytest.mark.parametrize("key", ["x", "y", "split"])
def test_pickled_objects_are_refused_unread(path: Path, key: str) -> None:
    arrays = {"x": X, "y": Y, key: np.array([object] * 40, dtype=object)}
    archive(path, {f"{name}.npy": npy_bytes(array, pickled=True) for name, array in arrays.items()})
    with pytest.raises(
        DataError, match=rf"^expected arrays of numbers, got array {key} of Python objects, which can run"
    ):
        read_npz(path, contract=CONTRACT)


def test_an_archive_that_unpacks_to_250_times_its_size_is_refused(path: Path) -> None:
    zeros = np.zeros((66 << 20,), dtype=np.uint8)
    archive(path, {"x.npy": npy_bytes(zeros), "y.npy": npy_bytes(Y)}, compression=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 100_000
    with pytest.raises(
        DataError, match=r"^expected an .npz that unpacks to at most 67108864 bytes, got .*\(a zip bomb\?\)"
    ):
        read_npz(path, contract=CONTRACT)


@pytest.mark.parametrize(
    ("limits", "allowed"),
    [
        (UnpackLimits(total_bytes=900), 900),
        (UnpackLimits(small_bytes=10, ratio=2), None),
        (UnpackLimits(small_bytes=10, ratio=1000), "fine"),
        (UnpackLimits(small_bytes=10_000, ratio=1), "fine"),
    ],
)
def test_the_limits_are_the_ones_given(path: Path, limits: UnpackLimits, allowed: object) -> None:
    members = {"x.npy": npy_bytes(np.zeros((40, 1, 4, 4), dtype=np.uint8)), "y.npy": npy_bytes(Y)}
    archive(path, members, compression=zipfile.ZIP_DEFLATED)
    if allowed == "fine":
        assert len(read_npz(path, contract=CONTRACT, limits=limits)) == 40
        return
    wanted = allowed or 2 * path.stat().st_size
    with pytest.raises(DataError, match=rf"^expected an .npz that unpacks to at most {wanted} bytes, got \d+ bytes"):
        read_npz(path, contract=CONTRACT, limits=limits)


def test_a_header_that_promises_more_than_the_file_holds_takes_no_memory(path: Path) -> None:
    lying = npy_bytes(X).replace(b"'shape': (40, 1, 4, 4), }" + b" " * 11, b"'shape': (1099511627776, 1, 4, 4), }")
    assert lying != npy_bytes(X)
    archive(path, {"x.npy": lying, "y.npy": npy_bytes(Y)})
    with pytest.raises(DataError, match=r"^expected 17592186044416 bytes for array x of shape .*, got \d+ bytes"):
        read_npz(path, contract=CONTRACT)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"(40, 1, 4, 4)", b"(-1,-40,4, 4)"),
        (b"'|u1'", b"'<U0'"),
        (b"'descr'", b"'other'"),
        (b"NUMPY\x01", b"NUMPY\x09"),
    ],
)
def test_a_header_that_makes_no_sense_is_refused(path: Path, old: bytes, new: bytes) -> None:
    assert old in npy_bytes(X)
    archive(path, {"x.npy": npy_bytes(X).replace(old, new), "y.npy": npy_bytes(Y)})
    with pytest.raises(DataError, match=r"^expected array x in .npy format, got "):
        read_npz(path, contract=CONTRACT)


def test_a_directory_that_lies_about_sizes_is_refused(path: Path) -> None:
    content = archive(path, {"x.npy": npy_bytes(X), "y.npy": npy_bytes(Y)}).read_bytes()
    entry = content.index(b"PK\x01\x02")
    path.write_bytes(content[: entry + 24] + struct.pack("<I", 1 << 30) + content[entry + 28 :])
    with pytest.raises(DataError, match=r"^expected an .npz that unpacks to at most"):
        read_npz(path, contract=CONTRACT)


def test_another_compression_is_refused(path: Path) -> None:
    archive(path, {"x.npy": npy_bytes(X), "y.npy": npy_bytes(Y)}, compression=zipfile.ZIP_LZMA)
    with pytest.raises(DataError, match=r"^expected stored or deflated members, got another compression"):
        read_npz(path, contract=CONTRACT)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_file_cut_off_anywhere_is_refused_by_one_line(path: Path, save: Any) -> None:
    save(path, x=X, y=Y)
    content = path.read_bytes()
    for length in range(0, len(content), 37):
        path.write_bytes(content[:length])
        with pytest.raises(
            DataError, match=r"^expected a complete .npz archive in 'images.npz', got a damaged one [^\n]*$"
        ):
            read_npz(path, contract=CONTRACT)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_byte_changed_anywhere_gives_the_same_samples_or_one_line(path: Path) -> None:
    np.savez_compressed(path, x=X, y=Y)
    content, rng = path.read_bytes(), np.random.default_rng(8)
    messages: list[str] = []
    for place in range(0, len(content), 3):
        changed = bytearray(content)
        changed[place] ^= int(rng.integers(1, 256))
        path.write_bytes(changed)
        messages += refusal_of_other_samples(path)
    assert len(messages) > 200
    assert all("\n" not in message for message in messages)


def refusal_of_other_samples(path: Path) -> list[str]:
    """The message of a refusal; none where the file is read and holds the samples that were written."""
    try:
        samples = read_npz(path, contract=CONTRACT)
    except DataError as error:
        return [str(error)]
    assert np.array_equal(samples.values, X)
    assert samples.labels.tolist() == Y.tolist()
    return []


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"images": X, "y": Y}, r"^expected arrays x and y in the .npz, got \['images', 'y'\]; write it again"),
        (
            {"x": X, "y": Y[:39]},
            r"^expected x of shape \(N, ...\) and y, split of shape \(N,\), got x \(40, 1, 4, 4\), y",
        ),
        ({"x": X, "y": Y[:, None]}, r"^expected x of shape"),
        ({"x": X, "y": Y, "split": Y[:3]}, r"^expected x of shape"),
        ({"x": np.array(3), "y": np.array(0)}, r"^expected x of shape"),
        ({"x": X, "y": Y.astype(np.float64)}, r"^expected integer labels or class names in y, got float64; store y as"),
        ({"x": X, "y": Y, "split": Y + 2}, r"^expected train, validation or test as split, got 3 in sample 1"),
    ],
)
def test_arrays_that_do_not_fit_together_are_refused(path: Path, arrays: dict[str, Any], message: str) -> None:
    np.savez(path, **arrays)
    with pytest.raises(DataError, match=message):
        read_npz(path, contract=CONTRACT)
