"""Canonical JSON and RFC 6962 trees, against hand-made bytes and published roots."""

from __future__ import annotations

import hashlib
import json
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robustcert.provenance.digests import (
    canonical_json,
    leaf_hash,
    merkle_root,
    merkle_root_of_hashes,
    sha256_bytes,
    sha256_file,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def test_the_empty_leaf_and_three_leaves_have_their_published_hashes() -> None:
    assert leaf_hash(b"").hex().startswith("6e340b9c")
    assert leaf_hash(b"").hex().endswith("afa01d")
    root = merkle_root([b"a", b"b", b"c"])
    assert (root[:8], root[-6:]) == ("36642e73", "021ec1")


def test_five_leaves_split_at_four_as_rfc_6962_says() -> None:
    def node(left: bytes, right: bytes) -> bytes:
        return hashlib.sha256(b"\x01" + left + right).digest()

    a, b, c, d, e = (hashlib.sha256(b"\x00" + bytes([leaf])).digest() for leaf in range(5))
    assert merkle_root([bytes([leaf]) for leaf in range(5)]) == node(node(node(a, b), node(c, d)), e).hex()


def recursive_root(hashes: list[bytes]) -> bytes:
    """RFC 6962, section 2.1, word for word: split at the largest power of two below n."""
    if len(hashes) < 2:
        return hashes[0] if hashes else hashlib.sha256(b"").digest()
    split = 1 << (len(hashes) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + recursive_root(hashes[:split]) + recursive_root(hashes[split:])).digest()


def test_the_root_over_a_stream_is_that_of_the_recursive_definition() -> None:
    hashes = [hashlib.sha256(bytes([number])).digest() for number in range(140)]
    for count in range(141):
        assert merkle_root_of_hashes(iter(hashes[:count])) == recursive_root(hashes[:count]).hex()


def test_the_root_over_a_stream_holds_one_hash_per_level() -> None:
    tracemalloc.start()
    merkle_root_of_hashes(number.to_bytes(32, "little") for number in range(50_000))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10_000


def test_order_and_every_leaf_change_the_root() -> None:
    roots = {merkle_root(leaves) for leaves in ([b"a", b"b"], [b"b", b"a"], [b"a", b"c"], [b"a"], [b"a", b"b", b"b"])}
    assert len(roots) == 5


@given(JSON)
def test_canonical_json_reads_back_and_is_stable(value: object) -> None:
    data = canonical_json(value)
    assert json.loads(data) == value
    assert canonical_json(json.loads(data)) == data
    assert data.isascii()


@pytest.mark.parametrize("value", [0.5, {"a": [1.0]}, (1, float("nan"))])
def test_floats_have_no_canonical_form(value: object) -> None:
    with pytest.raises(TypeError, match="expected an integer or a decimal string"):
        canonical_json(value)


def test_keys_must_be_text() -> None:
    with pytest.raises(TypeError, match="expected a string as key"):
        canonical_json({1: "a"})


def test_a_file_has_the_digest_of_its_bytes(tmp_path: Path) -> None:
    data = bytes(range(256)) * 8192
    (tmp_path / "file").write_bytes(data)
    assert sha256_file(tmp_path / "file") == sha256_bytes(data) == hashlib.sha256(data).hexdigest()
