"""The files of a window: one file or a folder of Parquet files, on disk or on S3, each with the digest of its bytes.

What lies on S3 is downloaded first, whole, so that a window is read from disk as often as it must be. A folder's files
are its `*.parquet`, also in folders below it, in the order of their names; a name that starts with a dot or an
underscore is somebody's unfinished work and not read.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from stat import S_ISREG
from tempfile import TemporaryDirectory

from robustcert.errors import DataError, expected
from robustcert.provenance.digests import sha256_file

S3 = "s3://"
PARQUET = ".parquet"
SUFFIXES = (PARQUET, ".csv", ".npz")
MOST_FILES = 100_000


@dataclass(frozen=True, kw_only=True)
class RowFile:
    """One file: its name within the window, the SHA-256 of its bytes, and where it lies now.

    `stamp` is size, change time and inode of the bytes that the digest is of.
    """

    name: str
    sha256: str
    path: Path
    stamp: tuple[int, int, int]

    def refuse_changed(self) -> None:
        """DataError where somebody wrote there since the digest was taken."""
        with readable(self.name):
            if _stamp(self.path) != self.stamp:
                remedy = "run again when it is written"
                raise DataError(expected(f"{self.name!r} as it was opened", got="other bytes", remedy=remedy))


@dataclass(frozen=True, kw_only=True)
class RowFiles:
    """`source`: the file's or folder's name, or the s3:// URI without its query; `folder`: whether it is one."""

    source: str
    folder: bool
    files: tuple[RowFile, ...]


@contextmanager
def row_files(uri: str) -> Iterator[RowFiles]:
    """The files at a path or s3:// URI, on disk for as long as the context lasts.

    Raises: DataError for what is missing, unreadable, a pickle or of no known kind; StorageError where S3 fails.
    """
    if not uri or "\0" in uri:
        raise DataError(expected("a path or an s3:// URI of rows", got=repr(uri[:40]), remedy="name one"))
    if not uri.startswith(S3):
        yield _local(Path(uri))
        return
    with TemporaryDirectory(prefix="robustcert-") as folder:
        yield _downloaded(uri, Path(folder))


@contextmanager
def readable(name: str) -> Iterator[None]:
    """Turns the system's refusal to read into a DataError that names the file."""
    try:
        yield
    except FileNotFoundError as error:
        raise DataError(expected(f"rows at {name!r}", got="nothing there", remedy="correct the path")) from error
    except OSError as error:
        reason = " ".join(str(error.strerror or error).split())[:160]  # Arrow's own have no strerror
        what, remedy = f"rows at {name!r} that can be read", "check the path and its permissions, or write it again"
        raise DataError(expected(what, got=reason, remedy=remedy)) from error


def _local(path: Path) -> RowFiles:
    with readable(path.name):
        if path.is_dir():
            found = _parquet_below(path)
            files = tuple(_file(file, name=file.relative_to(path).as_posix()) for file in found)
            return RowFiles(source=path.name or path.resolve().name, folder=True, files=files)
        if not S_ISREG(path.stat().st_mode):  # reading a pipe would wait for ever
            got = f"{path.name!r}, which is neither"
            raise DataError(expected("a file or a folder of rows", got=got, remedy="name the rows"))
        _refuse_suffix(path.name)
        return RowFiles(source=path.name, folder=False, files=(_file(path, name=path.name),))


def _parquet_below(folder: Path) -> list[Path]:
    found = [path for path in folder.rglob(f"*{PARQUET}") if path.is_file() and not _unfinished(path, folder)]
    _refuse_number(len(found), name=folder.name)
    return sorted(found, key=lambda path: path.relative_to(folder).as_posix())


def _unfinished(path: Path, folder: Path) -> bool:
    return any(part.startswith((".", "_")) for part in path.relative_to(folder).parts)


def _downloaded(uri: str, folder: Path) -> RowFiles:
    from robustcert.storage.s3 import fetch_object

    name = uri.partition("?")[0]
    if PurePosixPath(name).suffix.lower() in SUFFIXES:
        keys = [(uri, PurePosixPath(name).name)]
    else:
        keys = _keys(uri)
        _refuse_number(len(keys), name=name)
    files = []
    for number, (key_uri, key_name) in enumerate(keys):
        target = folder / f"{number:06d}{PurePosixPath(key_name).suffix.lower()}"
        sha256 = fetch_object(key_uri, target)
        files.append(RowFile(name=key_name, sha256=sha256, path=target, stamp=_stamp(target)))
    return RowFiles(source=name, folder=keys[0][0] != uri, files=tuple(files))


def _keys(uri: str) -> list[tuple[str, str]]:
    """URI and name of every Parquet object below a prefix."""
    from robustcert.storage.s3_address import S3Settings, parse_uri
    from robustcert.storage.s3_bucket import Bucket

    address = parse_uri(uri, settings=S3Settings.from_environment(os.environ))
    prefix = f"{address.key}/" if address.key else ""
    names = [key.removeprefix(prefix) for key in Bucket(address).keys(prefix)]
    wanted = [name for name in names if name.endswith(PARQUET) and not _hidden(name)]
    return [(address.uri(prefix + name), name) for name in wanted]


def _hidden(name: str) -> bool:
    return any(part.startswith((".", "_")) for part in PurePosixPath(name).parts)


def _refuse_number(count: int, *, name: str) -> None:
    if not 0 < count <= MOST_FILES:
        what = f"1 to {MOST_FILES} Parquet files below {name!r}"
        raise DataError(expected(what, got=count or "none", remedy="name the folder that the payload log writes"))


def _refuse_suffix(name: str) -> None:
    if Path(name).suffix.lower() not in SUFFIXES:
        what = f"{', '.join(SUFFIXES)} or a folder of Parquet files"
        remedy = "convert the rows to one of them; pickles and other formats are never opened"
        raise DataError(expected(what, got=repr(name), remedy=remedy))


def _file(path: Path, *, name: str) -> RowFile:
    stamp = _stamp(path)
    file = RowFile(name=name, sha256=sha256_file(path), path=path, stamp=stamp)
    file.refuse_changed()
    return file


def _stamp(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns, found.st_ino
