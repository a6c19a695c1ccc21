"""Read a folder of images: folder/class/*.png or folder/{train,validation,test}/class/*.png, in sorted order.

Pixels are stored values as they are: no resizing, no colour conversion, no rotation by EXIF tags. Every image must
have the contract's shape; size and mode are compared before pixels are decoded, so that a decompression bomb stays
packed. Shapes: N samples, C channels, H height, W width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robustcert.data.coordinates import image_shape
from robustcert.data.raw import Samples
from robustcert.data.splits import SPLITS, split_codes
from robustcert.errors import DataError, expected
from robustcert.provenance.digests import sha256_bytes, sha256_file
from robustcert.specification import Contract

SUFFIXES = (".png", ".jpg", ".jpeg")
MODES = {"L": (1, np.uint8), "I;16": (1, np.uint16), "RGB": (3, np.uint8), "RGBA": (4, np.uint8)}


@dataclass(frozen=True, kw_only=True)
class ImageFile:
    """One image: its path, its name relative to the folder, its class, and its split where the folder has splits."""

    path: Path
    name: str
    label: str
    split: str | None


def read_images(folder: Path, *, contract: Contract) -> Samples:
    """The images of `folder`; DataError names the first file or folder that does not fit the contract."""
    files = image_files(folder, classes=contract.classes)
    values = _pixels(files, shape=image_shape(contract))
    splits = [file.split for file in files]
    return Samples(
        values=values,
        labels=np.array([contract.classes.index(file.label) for file in files], dtype=np.int64),
        label_names=contract.classes,
        sample_ids=np.arange(len(files), dtype=np.int64),
        splits=None if None in splits else split_codes(splits),
    )


def folder_sha256(folder: Path, *, classes: Sequence[str]) -> str:
    """SHA-256 of the sorted lines "name sha256", one per image, each ended by a newline."""
    lines = sorted(f"{file.name} {sha256_file(file.path)}\n" for file in image_files(folder, classes=classes))
    return sha256_bytes("".join(lines).encode())


def image_files(folder: Path, *, classes: Sequence[str]) -> list[ImageFile]:
    """Every image of `folder`, sorted by name; files next to the class folders and dot files are not read."""
    parts = _parts(folder, classes=classes)
    files = [file for split, part in parts for file in _class_files(part, folder, classes=classes, split=split)]
    if not files:
        got = f"none in {folder.name!r}"
        raise DataError(expected("images in folder/class/*.png", got=got, remedy="make one folder per class"))
    return sorted(files, key=lambda file: file.name)


def _parts(folder: Path, *, classes: Sequence[str]) -> list[tuple[str | None, Path]]:
    """The folders that hold class folders, each with its split; the folder itself where it has no splits."""
    names = {entry.name for entry in _folders(folder)}
    by_split = bool(names) and names <= set(SPLITS) and not names <= set(classes)
    return [(part.name, part) for part in _folders(folder)] if by_split else [(None, folder)]


def _class_files(part: Path, folder: Path, *, classes: Sequence[str], split: str | None) -> list[ImageFile]:
    files: list[ImageFile] = []
    for entry in _folders(part):
        if entry.name not in classes:
            got = f"folder {entry.name!r}"
            raise DataError(expected("folders named like the classes", got=got, remedy="rename it or list the class"))
        for path in sorted(entry.iterdir()):
            if not path.name.startswith("."):
                name = path.relative_to(folder).as_posix()
                files.append(ImageFile(path=_image(path, name), name=name, label=entry.name, split=split))
    return files


def _folders(folder: Path) -> list[Path]:
    return [entry for entry in sorted(folder.iterdir()) if entry.is_dir() and not entry.name.startswith(".")]


def _image(path: Path, name: str) -> Path:
    if path.suffix.lower() not in SUFFIXES or "\n" in name:
        raise DataError(expected(f"only {', '.join(SUFFIXES)} in class folders", got=repr(name), remedy="move it out"))
    if not path.is_file():  # reading a pipe would wait for ever
        got = f"{name!r}, which is no file"
        raise DataError(expected("image files in class folders", got=got, remedy="restore it or move it out"))
    return path


def _pixels(files: Sequence[ImageFile], *, shape: tuple[int, ...]) -> NDArray[Any]:
    first = _decoded(files[0], shape=shape)
    values_NCHW = np.empty((len(files), *shape), dtype=first.dtype)
    for number, file in enumerate(files):
        image_CHW = _decoded(file, shape=shape)
        if image_CHW.dtype != first.dtype:
            remedy = "save all images with the same depth"
            raise DataError(expected(f"{first.dtype} pixels", got=f"{image_CHW.dtype} in {file.name!r}", remedy=remedy))
        values_NCHW[number] = image_CHW
    return values_NCHW


def _decoded(file: ImageFile, *, shape: tuple[int, ...]) -> NDArray[Any]:
    from PIL import Image

    try:
        with Image.open(file.path, formats=("PNG", "JPEG")) as image:
            _refuse_shape(image, file, shape=shape)
            pixels = np.asarray(image, dtype=MODES[image.mode][1])
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        got = f"{file.name!r} ({str(error)[:80]})"
        raise DataError(expected("complete PNG and JPEG images", got=got, remedy="save or drop the image")) from error
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def _refuse_shape(image: Any, file: ImageFile, *, shape: tuple[int, ...]) -> None:
    if image.mode not in MODES:
        got = f"mode {image.mode} in {file.name!r}"
        raise DataError(expected(f"images of mode {', '.join(MODES)}", got=got, remedy="convert it"))
    found = (MODES[image.mode][0], image.height, image.width)
    if found != shape:
        got = f"{list(found)} in {file.name!r}"
        raise DataError(expected(f"images of shape {list(shape)}", got=got, remedy="resize it or correct the contract"))
