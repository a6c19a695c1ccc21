"""Roles of samples: train, validation, test; given by the source, or drawn by a keyed hash of the sample's id.

A drawn split depends on the seed, the labels and the ids only: the order of the rows changes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from robustcert.data.raw import Samples
from robustcert.errors import DataError, expected
from robustcert.specification import Splits

SPLITS = ("train", "validation", "test")


def split_codes(values: Sequence[object]) -> NDArray[np.int8]:
    """Codes (N,) of split names, or of their codes 0, 1, 2; DataError names the first value that is neither.

    >>> split_codes(["train", "test", 1])
    array([0, 2, 1], dtype=int8)
    """
    known: dict[object, int] = {name: code for code, name in enumerate(SPLITS)}
    known |= {code: code for code in known.values()}
    for sample, value in enumerate(values):
        if value not in known:
            got = f"{value!r} in sample {sample}"
            raise DataError(expected("train, validation or test as split", got=got, remedy="correct the split column"))
    return np.array([known[value] for value in values], dtype=np.int8)


def splits_of(raw: Samples, *, fractions: Splits, seed: int) -> NDArray[np.int8]:
    """The splits that the source gave, else drawn ones; int8 (N,)."""
    return raw.splits if raw.splits is not None else draw_splits(raw, fractions=fractions, seed=seed)


def draw_splits(raw: Samples, *, fractions: Splits, seed: int) -> NDArray[np.int8]:
    """Stratified splits, int8 (N,): each class, ordered by SHA-256 of (seed, sample id), is cut by the fractions."""
    split = np.zeros(len(raw), dtype=np.int8)
    keys = np.array([_key(seed, int(sample)) for sample in raw.sample_ids], dtype="S64")
    for label in np.unique(raw.labels):
        members = np.flatnonzero(raw.labels == label)
        ordered = members[np.argsort(keys[members])]
        train, validation = _cuts(len(members), fractions)
        split[ordered[train:validation]] = 1
        split[ordered[validation:]] = 2
    return split


def _key(seed: int, sample: int) -> str:
    return hashlib.sha256(f"{seed} {sample}".encode()).hexdigest()


def _cuts(count: int, fractions: Splits) -> tuple[int, int]:
    return int(count * fractions.train + 0.5), int(count * (fractions.train + fractions.validation) + 0.5)
