"""Digests: SHA-256 over bytes and files, canonical JSON, and RFC 6962 Merkle trees.

Canonical JSON here is sorted keys, no spaces, ASCII, no floats: numbers are integers or decimal strings, so that any
language reproduces the bytes. Merkle trees follow RFC 6962 section 2.1.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from functools import reduce
from pathlib import Path

from robustcert.errors import expected

CHUNK_BYTES = 1 << 20
LEAF_PREFIX = b"\x00"
NODE_PREFIX = b"\x01"

Json = None | bool | int | str | Sequence["Json"] | dict[str, "Json"]


def sha256_bytes(data: bytes) -> str:
    """Lower-case hexadecimal SHA-256 of `data`.

    >>> sha256_bytes(b"")[:12]
    'e3b0c44298fc'
    """
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    """Lower-case hexadecimal SHA-256 of a file's bytes, read in chunks; OSError where it can't be read."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def canonical_json(value: object) -> bytes:
    r"""The one byte string of a JSON value: sorted keys, no spaces, ASCII; TypeError on a float.

    >>> canonical_json({"b": [1, "0.5"], "a": None})
    b'{"a":null,"b":[1,"0.5"]}'
    """
    _refuse_floats(value)
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode("ascii")


def merkle_root(leaves: Iterable[bytes]) -> str:
    """Root of the RFC 6962 Merkle tree over `leaves`, hexadecimal.

    >>> merkle_root([])[:8]
    'e3b0c442'
    """
    return merkle_root_of_hashes([leaf_hash(leaf) for leaf in leaves])


def leaf_hash(leaf: bytes) -> bytes:
    """RFC 6962 hash of one leaf, 32 bytes."""
    return hashlib.sha256(LEAF_PREFIX + leaf).digest()


def merkle_root_of_hashes(hashes: Iterable[bytes]) -> str:
    """Root over leaves that are already hashed by `leaf_hash`, hexadecimal; one hash per level of the tree is held."""
    complete: list[bytes] = []
    for count, node in enumerate(hashes, start=1):
        for _ in range(_trailing_zeros(count)):
            node = _parent(complete.pop(), node)
        complete.append(node)
    if not complete:
        return hashlib.sha256(b"").hexdigest()
    return reduce(lambda right, left: _parent(left, right), reversed(complete)).hex()


def _parent(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(NODE_PREFIX + left + right).digest()


def _trailing_zeros(count: int) -> int:
    """How many complete trees of equal size the leaf number `count` (from 1) joins."""
    return (count & -count).bit_length() - 1


def _refuse_floats(value: object) -> None:
    if isinstance(value, float):
        raise TypeError(expected("an integer or a decimal string", got=repr(value), remedy="format it first"))
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise TypeError(expected("a string as key", got=repr(key), remedy="convert it first"))
            _refuse_floats(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _refuse_floats(item)
