"""Answers and labels joined by id, out of core: both sides are cut into parts by a hash of the id and held on disk.

Only one part is in memory at a time, 1/64 of the ids: 1e7 answers with 1e7 labels need about 160,000 of each. The hash
only chooses the part; ids themselves are compared. Of an id that was answered twice the first answer counts; of labels
the newest, and none where two of the same time disagree. Shapes: P answers and L labels of a part.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robustcert.drift.id_counts import text_hashes
from robustcert.drift.row_batch import Texts
from robustcert.errors import StorageError
from robustcert.storage.atomic import disk_failure

PART_BITS = 6
PARTS = 1 << PART_BITS
NO_TIME = np.iinfo(np.int64).min  # what datetime64 NaT is, as a number

Int64 = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Facts:
    """What one side knows of B rows with ids: a class, a time in microseconds since 1970 (NO_TIME), a segment."""

    ids: Texts
    classes: Int64
    times: Int64
    segments: Int64


@dataclass(frozen=True, kw_only=True, eq=False)
class JoinedPart:
    """M matched answers: `predictions`, `labels`, `segments`, and `delays` in seconds, NaN without times.

    Of `answered` different ids; `repeated` answers, `contradicted` labels and `unmatched` labels were left out.
    """

    predictions: Int64
    labels: Int64
    segments: Int64
    delays: NDArray[np.float64]
    answered: int
    repeated: int
    contradicted: int
    unmatched: int


class Partitions:
    """One side of a join, in files below `folder`; StorageError where the disk refuses."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writers: dict[int, Any] = {}
        self._open = ExitStack()

    def add(self, facts: Facts) -> None:
        """Appends some rows; those without an id must have been left out."""
        import pyarrow as pa

        parts = (text_hashes(facts.ids) >> np.uint64(64 - PART_BITS)).astype(np.int64)
        order = np.argsort(parts, kind="stable")
        columns = {"id": facts.ids, "class": facts.classes, "time": facts.times, "segment": facts.segments}
        batch = pa.record_batch(columns).take(pa.array(order))
        cuts = np.searchsorted(parts[order], np.arange(PARTS + 1))
        try:
            for part in np.flatnonzero(np.diff(cuts)):
                self._writer(int(part), batch.schema).write_batch(batch.slice(cuts[part], cuts[part + 1] - cuts[part]))
        except OSError as error:
            raise StorageError(disk_failure(error, wanted="room to join labels", path=self._folder)) from error

    def close(self) -> None:
        """Ends the files; after that they are read."""
        self._open.close()

    def read(self, part: int) -> Facts | None:
        """The rows of one part, None where it has none."""
        import pyarrow as pa

        if part not in self._writers:
            return None
        with pa.OSFile(str(self._path(part))) as file, pa.ipc.open_stream(file) as reader:
            table = reader.read_all().combine_chunks()
        numbers = {name: table[name].to_numpy() for name in ("class", "time", "segment")}
        ids = table["id"].combine_chunks()
        return Facts(ids=ids, classes=numbers["class"], times=numbers["time"], segments=numbers["segment"])

    def _writer(self, part: int, schema: Any) -> Any:
        import pyarrow as pa

        if part not in self._writers:
            file = self._open.enter_context(pa.OSFile(str(self._path(part)), "wb"))
            self._writers[part] = self._open.enter_context(pa.ipc.new_stream(file, schema))
        return self._writers[part]

    def _path(self, part: int) -> Path:
        return self._folder / f"{part:02d}.arrow"


def joined_parts(answers: Partitions, labels: Partitions) -> Iterator[JoinedPart]:
    """The matched answers of every part in turn."""
    answers.close()
    labels.close()
    for part in range(PARTS):
        yield _joined(answers.read(part), labels.read(part))


def _joined(answers: Facts | None, labels: Facts | None) -> JoinedPart:
    if answers is None or labels is None:
        none, unmatched = np.zeros(0, dtype=np.int64), 0 if labels is None else _different(labels)
        answered = 0 if answers is None else _different(answers)
        repeated = 0 if answers is None else len(answers.classes) - answered
        return JoinedPart(predictions=none, labels=none, segments=none, delays=np.zeros(0), answered=answered,
                          repeated=repeated, contradicted=0, unmatched=unmatched)  # fmt: skip
    of_answers, of_labels, n_ids = _numbered(answers.ids, labels.ids)
    first = _first_of_each(of_answers, answers.times)
    newest, contradicted = _newest_of_each(of_labels, labels.classes, labels.times)
    place = np.full(n_ids, -1, dtype=np.int64)
    place[of_labels[newest]] = newest
    at = place[of_answers[first]]
    matched, at = first[at >= 0], at[at >= 0]
    return JoinedPart(
        predictions=answers.classes[matched],
        labels=labels.classes[at],
        segments=answers.segments[matched],
        delays=_delays(answers.times[matched], labels.times[at]),
        answered=len(first),
        repeated=len(of_answers) - len(first),
        contradicted=contradicted,
        unmatched=len(newest) - len(matched),
    )


def _numbered(one: Texts, other: Texts) -> tuple[Int64, Int64, int]:
    """A number for each different text, the same on both sides, and how many there are."""
    import pyarrow as pa

    encoded = pa.concat_arrays([one, other]).dictionary_encode()
    codes = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    return codes[: len(one)], codes[len(one) :], len(encoded.dictionary)


def _different(facts: Facts) -> int:
    return len(facts.ids.unique())


def _first_of_each(codes: Int64, times: Int64) -> Int64:
    """Row of the earliest of each code, a row without time being earliest; the first row where times are equal."""
    order = np.lexsort((times, codes))
    return np.asarray(order[np.flatnonzero(np.diff(codes[order], prepend=-1))])


def _newest_of_each(codes: Int64, classes: Int64, times: Int64) -> tuple[Int64, int]:
    """Row of the newest label of each code, without codes whose newest labels disagree; and how many those are."""
    order = np.lexsort((times, codes))
    last = order[np.flatnonzero(np.diff(codes[order], append=-1))]
    place = np.zeros(codes.max() + 1, dtype=np.int64)
    place[codes[last]] = last
    rival = (times == times[place[codes]]) & (classes != classes[place[codes]])
    disputed = np.unique(codes[rival])
    return np.asarray(last[~np.isin(codes[last], disputed)]), len(disputed)


def _delays(answered: Int64, labelled: Int64) -> NDArray[np.float64]:
    """Seconds from answer to label, 0 where clocks say that the label came first, NaN where a time is missing."""
    known = (answered != NO_TIME) & (labelled != NO_TIME)
    seconds = np.where(known, labelled - np.where(known, answered, 0), 0) / 1e6
    return np.where(known, np.maximum(seconds, 0), np.nan)
