"""Shards of a certification joined into one evidence table, in memory that does not grow with the number of rows.

Every shard is sorted by sample. Of each, one batch is held; rows up to the smallest end of all batches are complete,
sorted together and passed on. The samples are compared with the planned ones first, in a pass over that column alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from robustcert.certificate.evidence import CERTIFICATION_SCHEMA, read_batches, write_tables
from robustcert.errors import DataError, expected

ROWS_HELD = 1 << 16  # of all shards together
FEWEST_ROWS = 256  # of one shard
MOST_NAMED = 5
SAMPLE = "sample"

Samples = NDArray[np.int64]

_NONE: Samples = np.empty(0, dtype=np.int64)


def merge_certification(
    paths: Sequence[Path],
    target: Path,
    *,
    sample_ids: Sequence[int] | Samples,
    schema: pa.Schema = CERTIFICATION_SCHEMA,
) -> None:
    """Joins shards into one table in sample order, with the bytes that `write_rows` gives for all rows at once.

    Raises DataError, before anything is written, for a missing, double or foreign sample and for a shard that is not
    sorted.
    """
    _refuse_difference(paths, np.sort(np.asarray(sample_ids, dtype=np.int64)), schema=schema)
    write_tables(_merged(paths, columns=schema.names, schema=schema), target, schema=schema)


class _Shard:
    """What is not merged yet of one sorted shard: one batch at a time."""

    def __init__(self, path: Path, *, columns: Sequence[str], rows: int, schema: pa.Schema) -> None:
        self._name = path.name
        self._batches = read_batches(path, schema=schema, columns=columns, rows=rows)
        self._table = schema.empty_table().select(columns)
        self._samples = self._before = _NONE

    def refill(self) -> bool:
        """Reads on where nothing is left; False at the end."""
        while not len(self._samples):
            batch = next(self._batches, None)
            if batch is None:
                return False
            self._table = pa.Table.from_batches([batch])
            self._samples = batch.column(SAMPLE).to_numpy()
            self._refuse_disorder()
        return True

    @property
    def last(self) -> int:
        """The largest sample of the batch."""
        return int(self._samples[-1])

    def take_up_to(self, sample: int) -> pa.Table:
        """Takes the rows up to a sample out of the batch."""
        count = int(np.searchsorted(self._samples, sample, side="right"))
        taken, self._table, self._samples = self._table.slice(0, count), self._table.slice(count), self._samples[count:]
        return taken

    def close(self) -> None:
        """Closes the file."""
        self._batches.close()  # type: ignore[attr-defined]

    def _refuse_disorder(self) -> None:
        line = np.concatenate([self._before, self._samples])
        wrong = np.flatnonzero(line[1:] < line[:-1])
        if len(wrong):
            got = f"sample {line[wrong[0] + 1]} after {line[wrong[0]]}"
            raise DataError(expected(f"ascending samples in {self._name}", got=got, remedy="rerun the shard"))
        self._before = line[-1:]


def _merged(paths: Sequence[Path], *, columns: Sequence[str], schema: pa.Schema) -> Iterator[pa.Table]:
    """The rows of all shards by ascending sample, in tables of at most about ROWS_HELD rows."""
    rows = max(FEWEST_ROWS, ROWS_HELD // max(1, len(paths)))
    with ExitStack() as stack:
        shards = [_Shard(path, columns=columns, rows=rows, schema=schema) for path in paths]
        for shard in shards:
            stack.callback(shard.close)
        while shards := [shard for shard in shards if shard.refill()]:
            bound = min(shard.last for shard in shards)
            yield _sorted(pa.concat_tables([shard.take_up_to(bound) for shard in shards]))


def _sorted(table: pa.Table) -> pa.Table:
    order = np.argsort(table.column(SAMPLE).to_numpy(), kind="stable")
    return table.combine_chunks().take(pa.array(order))


def _refuse_difference(paths: Sequence[Path], wanted: Samples, *, schema: pa.Schema) -> None:
    missing: list[int] = []
    foreign: list[int] = []
    double: list[int] = []
    before, seen = _NONE, 0
    for table in _merged(paths, columns=[SAMPLE], schema=schema):
        found = table.column(SAMPLE).to_numpy()
        until = int(np.searchsorted(wanted, found[-1], side="right"))
        due, seen = wanted[seen:until], until
        if not np.array_equal(found, due):
            missing += _first(np.setdiff1d(due, found))
            double += _first(_repeated(np.concatenate([before, found])))
            foreign += _first(_foreign(np.setdiff1d(found, due), wanted))
        before = found[-1:]
    _refuse(missing=missing + _first(wanted[seen:]), foreign=foreign, double=double)


def _repeated(ascending: Samples) -> Samples:
    repeated: Samples = ascending[1:][ascending[1:] == ascending[:-1]]
    return repeated


def _foreign(found: Samples, wanted: Samples) -> Samples:
    """Those that `wanted`, which ascends, does not hold."""
    places = np.searchsorted(wanted, found)
    held = places < len(wanted)
    held[held] = wanted[places[held]] == found[held]
    return found[~held]


def _first(samples: Samples) -> list[int]:
    return list(samples[:MOST_NAMED].tolist())


def _refuse(**samples: Iterable[int]) -> None:
    named = {kind: list(islice(dict.fromkeys(found), MOST_NAMED)) for kind, found in samples.items()}
    if any(named.values()):
        got = "samples " + ", ".join(f"{kind} {found}" for kind, found in named.items())
        raise DataError(expected("one row for each planned sample", got=got, remedy="rerun the shards"))
