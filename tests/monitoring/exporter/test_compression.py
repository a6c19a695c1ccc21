"""One gzip file, whatever the end: Python's own gzip and a reader of one member only both read it whole."""

from __future__ import annotations

import gzip
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest

from monitoring.exporter.compression import Packed

BEGINNING = b"".join(b"metric{model=%d} %d\n" % (number, number) for number in range(5000))


@pytest.mark.parametrize("beginning", [b"", BEGINNING])
@pytest.mark.parametrize("end", [b"", b"the end\n", BEGINNING])
def test_both_parts_come_back_from_one_member(beginning: bytes, end: bytes) -> None:
    packed = Packed(beginning).followed_by(end)
    reader = zlib.decompressobj(31)
    assert reader.decompress(packed) + reader.flush() == beginning + end == gzip.decompress(packed)
    assert (reader.eof, reader.unused_data) == (True, b"")


def test_scrapes_at_the_same_time_do_not_mix_their_ends() -> None:
    packed = Packed(BEGINNING)
    ends = [b"%d\n" % number * 1000 for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        for end, found in zip(ends, pool.map(packed.followed_by, ends), strict=True):
            assert gzip.decompress(found) == BEGINNING + end
