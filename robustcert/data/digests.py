"""Digests of a data set: one leaf per sample, an RFC 6962 Merkle root over them, and the name of what changed.

A leaf is canonical JSON of sample id, split, label and the SHA-256 of the input's integers, so that a root can be
recomputed from evidence rows alone. Units, ranges and scales have a digest of their own.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robustcert.data.dataset import PER_COORDINATE, Dataset
from robustcert.data.splits import SPLITS
from robustcert.provenance.digests import canonical_json, merkle_root, sha256_bytes


def sample_sha256(x_int: NDArray[np.int32]) -> str:
    """SHA-256 of one input's integers as little-endian int32, C order.

    >>> sample_sha256(np.array([1, 2], dtype=np.int32))[:8]
    '34fb5c82'
    """
    return sha256_bytes(np.ascontiguousarray(x_int).astype("<i4").tobytes())


def sample_leaf(*, sample: int, split: str, x_sha256: str, label: int) -> bytes:
    """One leaf, from the facts that an evidence row also holds."""
    return canonical_json({"id": sample, "split": split, "x": x_sha256, "y": label})


def sample_leaves(dataset: Dataset) -> list[bytes]:
    """The leaves of all samples, in order."""
    return [
        sample_leaf(sample=int(sample), split=SPLITS[split], x_sha256=sample_sha256(x_int), label=int(label))
        for sample, split, x_int, label in zip(dataset.sample_ids, dataset.split, dataset.x_int, dataset.y, strict=True)
    ]


def dataset_root(dataset: Dataset, split: str | None = None) -> str:
    """Merkle root over the samples of one split, of all where `split` is None; hexadecimal."""
    chosen = dataset if split is None else dataset.rows(dataset.sample_ids[dataset.split == SPLITS.index(split)])
    return merkle_root(sample_leaves(chosen))


def geometry_sha256(dataset: Dataset) -> str:
    """SHA-256 of what the integers mean: unit, scale, lower, upper, perturbable; each name and little-endian bytes."""
    digest = hashlib.sha256()
    for name in PER_COORDINATE:
        digest.update(name.encode() + b"\n" + _little_endian(getattr(dataset, name)))
    return digest.hexdigest()


def first_difference(a: Dataset, b: Dataset) -> str | None:
    """The first thing in which `b` differs from `a`, named; None where samples and geometry are equal."""
    return _geometry_difference(a, b) or _sample_difference(a, b)


def _geometry_difference(a: Dataset, b: Dataset) -> str | None:
    if a.card.shape != b.card.shape:
        return f"shape changed from {list(a.card.shape)} to {list(b.card.shape)}"
    for name in PER_COORDINATE:
        changed = np.flatnonzero(getattr(a, name) != getattr(b, name))
        if len(changed):
            return f"{name} of coordinate {changed[0]} changed"
    return None


def _sample_difference(a: Dataset, b: Dataset) -> str | None:
    rows_a, rows_b = _rows(a), _rows(b)
    for sample in sorted(rows_a.keys() | rows_b.keys()):
        if sample not in rows_b:
            return f"sample {sample} of split {rows_a[sample]['split']}: removed"
        if sample not in rows_a:
            return f"sample {sample} of split {rows_b[sample]['split']}: added"
        changed = [key for key, value in rows_a[sample].items() if rows_b[sample][key] != value]
        if changed:
            return f"sample {sample} of split {rows_a[sample]['split']}: {changed[0]} changed"
    if not np.array_equal(a.sample_ids, b.sample_ids):
        return "order of samples changed"
    return None


def _rows(dataset: Dataset) -> dict[int, dict[str, Any]]:
    return {
        int(sample): {"split": SPLITS[split], "label": int(label), "input": sample_sha256(x_int)}
        for sample, split, label, x_int in zip(dataset.sample_ids, dataset.split, dataset.y, dataset.x_int, strict=True)
    }


def _little_endian(array: NDArray[Any]) -> bytes:
    return np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<")).tobytes()
