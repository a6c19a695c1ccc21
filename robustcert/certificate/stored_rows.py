"""The rows of an evidence file as a sequence that reads the file anew on every pass and holds none of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, overload

import pyarrow as pa

from robustcert.certificate.evidence import count_rows, read_rows
from robustcert.smoothing.certified_accuracy import Tally, tally_of

Row = Mapping[str, Any]


class StoredRows(Sequence[Row]):
    """Rows of the file at `path`, which may not change meanwhile; DataError as `read_rows`, when they are read."""

    def __init__(self, path: Path, *, schema: pa.Schema) -> None:
        self._path, self._schema = path, schema

    def __iter__(self) -> Iterator[Row]:
        return read_rows(self._path, schema=self._schema)

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, place: int) -> Row: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[Row]: ...

    def __getitem__(self, place: int | slice) -> Row | Sequence[Row]:
        """One row, or a list of those of a slice; reads the file up to there."""
        places = range(len(self))[place]
        if isinstance(places, int):
            return next(islice(self, places, None))
        wanted = set(places)
        rows = {number: row for number, row in enumerate(self) if number in wanted}
        return [rows[number] for number in places]

    @cached_property
    def tally(self) -> Tally:
        """What certified accuracies are computed from; one pass, however many of them are asked for."""
        return tally_of(iter(self))

    @cached_property
    def _count(self) -> int:
        return count_rows(self._path, schema=self._schema)
