"""Read `.npz`: arrays `x`, `y` and, where the splits are given, `split` or as named. Nothing in it is trusted.

Only these members are unpacked, never to disk; names that leave a folder, pickled objects, archives that unpack to
more than the limits, and arrays whose header promises more than the member holds are refused before memory is taken.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from robustcert.data.raw import Samples, class_indices
from robustcert.data.splits import split_codes
from robustcert.errors import DataError, expected
from robustcert.specification import Contract

# What the standard library raises for a damaged archive; OSError where an offset points before the file.
DAMAGE = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, RuntimeError, ValueError)
REMEDY = "write it again with numpy.savez(path, x=x, y=y)"


@dataclass(frozen=True, kw_only=True)
class UnpackLimits:
    """Most bytes that an archive may unpack to, and most times its own size once it unpacks to `small_bytes`."""

    total_bytes: int = 8 << 30
    ratio: int = 250
    small_bytes: int = 64 << 20


def read_npz(
    path: Path, *, contract: Contract, split_key: str = "split", limits: UnpackLimits = UnpackLimits()
) -> Samples:
    """The samples of an archive; labels are class indices or class names. DataError says what is wrong."""
    with path.open("rb") as file:
        try:
            arrays = _arrays(file, keys=("x", "y", split_key), packed=path.stat().st_size, limits=limits)
        except DAMAGE as error:
            what = f"a complete .npz archive in {path.name!r}"
            raise DataError(expected(what, got=f"a damaged one ({error})", remedy=REMEDY)) from error
    _refuse_lengths(arrays)
    labels, names = _labels(arrays["y"], contract=contract)
    splits = split_codes(arrays[split_key].tolist()) if split_key in arrays else None
    ids = np.arange(len(labels), dtype=np.int64)
    values = arrays["x"]
    if contract.kind == "tabular" and values.dtype.kind in "biuf":
        values = values.astype(np.float64)
    return Samples(values=values, labels=labels, label_names=names, sample_ids=ids, splits=splits)


def _arrays(file: IO[bytes], *, keys: tuple[str, ...], packed: int, limits: UnpackLimits) -> dict[str, NDArray[Any]]:
    with zipfile.ZipFile(file) as archive:
        _refuse_names(archive)
        _refuse_bomb(archive, packed=packed, limits=limits)
        present = {name.removesuffix(".npy") for name in archive.namelist()}
        if not {"x", "y"} <= present:
            raise DataError(expected("arrays x and y in the .npz", got=sorted(present) or "none", remedy=REMEDY))
        return {key: _array(archive, key) for key in keys if key in present}


def _refuse_names(archive: zipfile.ZipFile) -> None:
    names = archive.namelist()
    for name in names:
        path = PurePosixPath(name.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or ":" in name:
            what = "plain member names in the .npz"
            raise DataError(expected(what, got=f"{name!r}, which leaves the folder", remedy=REMEDY))
        if names.count(name) > 1:
            raise DataError(expected("each member of the .npz once", got=f"{name!r} twice", remedy=REMEDY))


def _refuse_bomb(archive: zipfile.ZipFile, *, packed: int, limits: UnpackLimits) -> None:
    members = archive.infolist()
    if any(member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for member in members):
        raise DataError(expected("stored or deflated members", got="another compression", remedy=REMEDY))
    unpacked = sum(member.file_size for member in members)
    allowed = min(limits.total_bytes, max(limits.small_bytes, limits.ratio * packed))
    if unpacked > allowed:
        got = f"{unpacked} bytes from {packed} packed ones (a zip bomb?)"
        remedy = "write it again with numpy.savez, uncompressed, or in parts"
        raise DataError(expected(f"an .npz that unpacks to at most {allowed} bytes", got=got, remedy=remedy))


def _array(archive: zipfile.ZipFile, key: str) -> NDArray[Any]:
    member = archive.getinfo(f"{key}.npy")
    with archive.open(member) as file:
        try:
            shape, fortran, dtype = _header(file)
        except ValueError as error:
            raise DataError(expected(f"array {key} in .npy format", got=str(error)[:80], remedy=REMEDY)) from error
        if dtype.hasobject:
            got = f"array {key} of Python objects, which can run code when read"
            raise DataError(expected("arrays of numbers", got=got, remedy=f"store {key} as numbers or texts"))
        return _elements(file, key=key, shape=shape, order="F" if fortran else "C", dtype=dtype)


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = npy.read_magic(file)
    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    if version not in readers:
        raise ValueError(f"version {version} of the .npy format")
    shape, fortran, dtype = readers[version](file)
    if min(shape, default=0) < 0 or dtype.itemsize == 0:
        raise ValueError(f"shape {shape} of {dtype}")
    return shape, fortran, dtype


def _elements(file: IO[bytes], *, key: str, shape: tuple[int, ...], order: Any, dtype: np.dtype[Any]) -> NDArray[Any]:
    content = file.read()
    wanted = int(np.prod(shape, dtype=object)) * dtype.itemsize
    if len(content) != wanted:
        got = f"{len(content)} bytes in the file"
        raise DataError(expected(f"{wanted} bytes for array {key} of shape {shape}", got=got, remedy=REMEDY))
    return np.frombuffer(content, dtype=dtype).reshape(shape, order=order)


def _refuse_lengths(arrays: dict[str, NDArray[Any]]) -> None:
    lengths = {key: array.shape[:1] for key, array in arrays.items()}
    others = [array for key, array in arrays.items() if key != "x"]
    if len(set(lengths.values())) != 1 or lengths["x"] == () or any(array.ndim != 1 for array in others):
        got = ", ".join(f"{key} {array.shape}" for key, array in arrays.items())
        raise DataError(expected("x of shape (N, ...) and y, split of shape (N,)", got=got, remedy=REMEDY))


def _labels(y: NDArray[Any], *, contract: Contract) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    if y.dtype.kind == "U":
        return class_indices(y.tolist(), contract.classes)
    if y.dtype.kind not in "biu":
        remedy = "store y as class indices, integers from 0"
        raise DataError(expected("integer labels or class names in y", got=y.dtype, remedy=remedy))
    return y.astype(np.int64), contract.classes
