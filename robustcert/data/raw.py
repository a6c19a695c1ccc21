"""RawData: samples as a source holds them, before any check, split or grid rounding.

Shapes: N samples, C channels, H height, W width, F features of a table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Cell(IntEnum):
    """What a table's cell holds: a value, nothing, or a text that is neither a number nor a known category."""

    READ = 0
    ABSENT = 1
    UNREADABLE = 2


@dataclass(frozen=True, kw_only=True)
class CellFault:
    """The first unreadable cell of a column: its row, counted from 0, and its text."""

    sample: int
    column: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Samples:
    """What one reader finds.

    `values`: images as stored, (N, C, H, W); tables float64 (N, F) in the order of the contract's features, a category
    as its index, NaN where `cells` (uint8, (N, F), None where every cell was read) says that there is no value.
    `labels`: int64 (N,), class indices; names beyond the contract's classes follow them in `label_names`.
    `columns`: the names that a table brought, () where it brought none. `splits`: int8 (N,), None where not given.
    """

    values: NDArray[Any]
    labels: NDArray[np.int64]
    sample_ids: NDArray[np.int64]
    label_names: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    cells: NDArray[np.uint8] | None = None
    faults: tuple[CellFault, ...] = ()
    splits: NDArray[np.int8] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def label_name(self, label: int) -> str:
        """The name of a label as the source gave it; its number where it has none."""
        return repr(self.label_names[label]) if 0 <= label < len(self.label_names) else str(label)


@dataclass(frozen=True, kw_only=True)
class RawData(Samples):
    """Samples and where they come from: `source` is builtin:name, a file name or an s3:// URI, never a local folder."""

    source: str
    source_sha256: str

    @classmethod
    def of(cls, samples: Samples, *, source: str, source_sha256: str) -> RawData:
        """The samples with their origin."""
        return cls(**vars(samples), source=source, source_sha256=source_sha256)


def class_indices(texts: Sequence[str | None], classes: Sequence[str]) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Labels (N,) of texts, and their names; a text that names no class gets an index after the classes.

    Texts are class names; where none of them is, and all are integers, they are class indices.

    >>> class_indices(["cat", "dog", "cow"], ["cat", "dog"])
    (array([0, 1, 2]), ('cat', 'dog', 'cow'))
    >>> class_indices(["1", "0", "7"], ["cat", "dog"])
    (array([1, 0, 7]), ('cat', 'dog'))
    """
    cleaned = [(text or "").strip() for text in texts]
    if not set(cleaned) & set(classes) and all(_is_integer(text) for text in cleaned):
        return np.array([int(text) for text in cleaned], dtype=np.int64), tuple(classes)
    names = tuple(classes) + tuple(sorted(set(cleaned) - set(classes)))
    index = {name: number for number, name in enumerate(names)}
    return np.array([index[text] for text in cleaned], dtype=np.int64), names


def _is_integer(text: str) -> bool:
    return text.removeprefix("-").isdecimal() and len(text) < 19
