"""Sources of data: where the samples of a specification come from, and that they are the bytes it names.

builtin:digits and builtin:breast-cancer; `.npz`, `.csv`, `.parquet` files and folders of images, by path or, for files,
by s3:// URI. Nothing is checked here against the contract's ranges or classes; `robustcert.data.validation` does that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from stat import S_ISREG
from tempfile import TemporaryDirectory

from robustcert.data.contract import builtin_name, contract_of
from robustcert.data.raw import RawData, Samples
from robustcert.data.source_builtin import read_builtin
from robustcert.data.source_images import folder_sha256, read_images
from robustcert.data.source_npz import read_npz
from robustcert.data.source_table import read_csv, read_parquet
from robustcert.errors import DataError, expected
from robustcert.provenance.digests import sha256_file
from robustcert.specification import Contract, Data

__all__ = ["Fetch", "RawData", "load_raw"]

S3 = "s3://"
KINDS = {".npz": ("image", "tabular"), ".csv": ("tabular",), ".parquet": ("tabular",)}
PICKLES = frozenset({".pkl", ".pickle", ".pt", ".pth", ".joblib", ".npy"})

Fetch = Callable[[str, Path], None]


def load_raw(data: Data, *, folder: Path | None = None, uri: str = "", fetch: Fetch | None = None) -> RawData:
    """The samples that `data` names; a relative path starts at `folder`.

    `uri` says where they lie now, if elsewhere: a path or an s3:// URI of the bytes with `data.sha256`; nothing that is
    made of them depends on it. `fetch(uri, target)` copies an S3 object, by default with `storage.s3.fetch_object`.
    Raises: DataError for a source that is missing, unreadable, damaged, unsafe or not the one with `data.sha256`.
    """
    name = builtin_name(data)
    if uri:
        _refuse_unregistered(data, builtin=name is not None)
    if name is not None:
        samples, digest = read_builtin(name)
        _refuse_other(data, digest)
        _refuse_without_splits(data, samples)
        return RawData.of(samples, source=data.source, source_sha256=digest)
    where = uri or data.source
    if where.startswith(S3):
        return _load_s3(data, where, fetch=fetch or _fetch_object)
    path = (folder or Path()) / where
    return _load_path(data, path, where=where, name=_registered_name(data) if uri else path.name)


def _load_s3(data: Data, where: str, *, fetch: Fetch) -> RawData:
    name = where.partition("?")[0]  # where S3 answers is no part of the data's identity
    with TemporaryDirectory(prefix="robustcert-") as temporary:
        target = Path(temporary) / f"object{PurePosixPath(name).suffix.lower()}"
        _refuse_suffix(target, name=name)
        fetch(where, target)
        return _load_path(data, target, where=name, name=_registered_name(data))


def _registered_name(data: Data) -> str:
    """What stands for the source in everything that is made of it: no folder of a machine, no endpoint."""
    return data.source.partition("?")[0] if data.source.startswith(S3) else PurePosixPath(data.source).name


def _fetch_object(uri: str, target: Path) -> None:
    from robustcert.storage.s3 import fetch_object

    fetch_object(uri, target)


def _load_path(data: Data, path: Path, *, where: str, name: str) -> RawData:
    contract = contract_of(data)
    with _readable(where):
        _refuse_kind(path, contract, name=name if where == data.source else where)
        digest = _digest(path, contract)
        _refuse_other(data, digest)
        samples = _read(path, data=data, contract=contract)
        _refuse_changing(path, digest, contract=contract, where=where)
    _refuse_without_splits(data, samples)
    return RawData.of(samples, source=name, source_sha256=digest)


def _digest(path: Path, contract: Contract) -> str:
    return folder_sha256(path, classes=contract.classes) if path.is_dir() else sha256_file(path)


def _refuse_changing(path: Path, digest: str, *, contract: Contract, where: str) -> None:
    """DataError where the samples may not be the bytes of the digest, since somebody wrote there meanwhile."""
    if (now := _digest(path, contract)) != digest:
        what = f"data at {where!r} that stay as they are while they are read"
        raise DataError(expected(what, got=f"SHA-256 {digest}, then {now}", remedy="run again when they are written"))


@contextmanager
def _readable(source: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise DataError(expected(f"data at {source!r}", got="nothing there", remedy="correct data.source")) from error
    except OSError as error:
        what, remedy = f"data at {source!r} that can be read", "check the path and its permissions"
        raise DataError(expected(what, got=error.strerror or error, remedy=remedy)) from error


def _refuse_kind(path: Path, contract: Contract, *, name: str) -> None:
    if not path.is_dir():
        if not S_ISREG(path.stat().st_mode):  # reading a pipe would wait for ever
            raise DataError(expected("a file or a folder", got=f"{name!r}, which is neither", remedy="name the data"))
        _refuse_suffix(path, name=name)
    kinds = ("image",) if path.is_dir() else KINDS[path.suffix.lower()]
    if contract.kind not in kinds:
        got, remedy = f"{name!r}, which holds {kinds[0]} data", "correct contract.kind or the source"
        raise DataError(expected(f"data of kind {contract.kind}", got=got, remedy=remedy))


def _refuse_suffix(path: Path, *, name: str) -> None:
    if path.suffix.lower() in PICKLES:
        remedy = "save it with numpy.savez(path, x=x, y=y)"
        raise DataError(expected("data without Python objects", got=repr(name), remedy=remedy))
    if path.suffix.lower() not in KINDS:
        what = f"{', '.join(KINDS)} or a folder of images"
        raise DataError(expected(what, got=repr(name), remedy="convert the data to one of them"))


def _refuse_unregistered(data: Data, *, builtin: bool) -> None:
    if builtin or data.sha256 is None:
        got = "a builtin source" if builtin else "none"
        remedy = "leave data_uri out" if builtin else "register the SHA-256 of the data, or leave data_uri out"
        raise DataError(expected("'data.sha256' of the specification with data_uri", got=got, remedy=remedy))


def _refuse_other(data: Data, digest: str) -> None:
    if data.sha256 is not None and data.sha256 != digest:
        remedy = "restore the data, or state the new digest after a review"
        raise DataError(expected(f"data with SHA-256 {data.sha256}", got=digest, remedy=remedy))


def _refuse_without_splits(data: Data, samples: Samples) -> None:
    if data.splits.column is not None and samples.splits is None:
        what = f"splits in {data.splits.column!r}, as data.splits.column says"
        remedy = "add them to the data, or drop data.splits.column for drawn splits"
        raise DataError(expected(what, got="data without them", remedy=remedy))


def _read(path: Path, *, data: Data, contract: Contract) -> Samples:
    if path.is_dir():
        return read_images(path, contract=contract)
    if path.suffix.lower() == ".npz":
        return read_npz(path, contract=contract, split_key=data.splits.column or "split")
    read = read_csv if path.suffix.lower() == ".csv" else read_parquet
    return read(path, contract=contract, split_column=data.splits.column)
