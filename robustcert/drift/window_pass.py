"""One pass over a window, in memory that does not grow with its rows: what it holds, and counts of its columns."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from robustcert.document import rfc3339
from robustcert.drift.feature_columns import FeatureColumns, add_columns, empty_counts
from robustcert.drift.histogram import Cells, ColumnCounts
from robustcert.drift.quality import ReferenceColumns
from robustcert.drift.quality_counts import QualityCounter, WindowCounts
from robustcert.drift.row_batch import Answers
from robustcert.drift.rows import RowSource
from robustcert.drift.slices import SliceCounter, SliceShift
from robustcert.provenance.digests import canonical_json, sha256_bytes

MODEL_COLUMN = "model_sha256"
MOST_VERSIONS = 20
OTHER_VERSION = "other"
EARLIEST, LATEST = np.datetime64("1000-01-01", "us"), np.datetime64("9999-12-31T23:59:59", "us")

_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class WindowPass:
    """What the rows that the certified model answered hold: counts by column and by label, (K,), first and last time.

    `versions`: rows of the log that each model answered, the certified one among them or not, by 12 digits; `slices`:
    where columns lie off the reference, and `data_versions`: rows of each.
    """

    counts: Mapping[str, ColumnCounts]
    quality: WindowCounts
    labels: NDArray[np.int64]
    first_at: str | None
    last_at: str | None
    versions: Mapping[str, int]
    slices: tuple[SliceShift, ...]
    data_versions: Mapping[str, int]


def read_window(
    source: RowSource, columns: FeatureColumns, cells: Mapping[str, Cells], *, model: str, reference: ReferenceColumns
) -> WindowPass:
    """Reads every row once; where the log names models, only rows that `model` (a SHA-256) answered are counted."""
    counts, quality, slices = empty_counts(cells), QualityCounter(columns.contract), SliceCounter(reference)
    labels = np.zeros(len(columns.contract.classes), dtype=np.int64)
    times, versions = _Times(), Counter[str]()
    kept = answered_by(source, model).kept
    for batch in source.batches():
        if kept != source.kept:
            versions += _versions(batch.answers)
            batch = batch.at(kept.mask(batch.answers))
        if len(batch):
            add_columns(counts, columns.of_batch(batch))
            quality.add(batch)
            slices.add(batch)
            labels += _labels(batch.answers, len(labels))
            times.add(batch.answers.times)
    return WindowPass(
        counts=counts,
        quality=_on_the_calendar(quality.counted()),
        labels=labels,
        first_at=times.first(),
        last_at=times.last(),
        versions=dict(versions.most_common(MOST_VERSIONS)),
        slices=tuple(slices.shifts()),
        data_versions=slices.counts("data version"),
    )


def answered_by(source: RowSource, model: str) -> RowSource:
    """Only the rows that `model` answered, where the log names models; all of them otherwise."""
    if MODEL_COLUMN not in source.columns:
        return source
    return replace(source, kept=replace(source.kept, model_sha256=model))


def files_sha256(source: RowSource) -> str:
    """One digest of a window: of its file, or of the canonical JSON of [name, digest] of a folder's files, in order."""
    return source.sha256 or sha256_bytes(canonical_json([[file.name, file.sha256] for file in source.files]))


def _versions(answers: Answers) -> Counter[str]:
    """Rows by the digest that they name, cut; whatever else a log holds there is not repeated."""
    from pyarrow import compute

    found: Counter[str] = Counter()
    given = () if answers.models is None else compute.value_counts(answers.models.drop_null()).to_pylist()
    for part in given:
        name = part["values"][:12] if _DIGEST.fullmatch(part["values"]) else OTHER_VERSION
        found[name] += part["counts"]
    return found


def _labels(answers: Answers, n_classes: int) -> NDArray[np.int64]:
    if answers.labels is None:
        return np.zeros(n_classes, dtype=np.int64)
    known = answers.labels.index[answers.labels.known]
    return np.bincount(known, minlength=n_classes).astype(np.int64)


class _Times:
    """First and last of the times that came."""

    def __init__(self) -> None:
        self._seen: list[np.datetime64] = []

    def add(self, times: NDArray[np.datetime64] | None) -> None:
        given = times[~np.isnat(times)] if times is not None else ()
        if len(given):
            seen = [*self._seen, np.min(given), np.max(given)]
            self._seen = [min(seen), max(seen)]

    def first(self) -> str | None:
        return _text(self._seen[0]) if self._seen else None

    def last(self) -> str | None:
        return _text(self._seen[1]) if self._seen else None


def _on_the_calendar(counts: WindowCounts) -> WindowCounts:
    return counts if counts.newest is None else replace(counts, newest=_shown(counts.newest))


def _text(moment: np.datetime64) -> str:
    return rfc3339(datetime.fromisoformat(str(_shown(moment))).replace(tzinfo=UTC))


def _shown(moment: np.datetime64) -> np.datetime64:
    """The moment; one in a year that no clock shows as the nearest that a text can hold."""
    return min(max(moment.astype("datetime64[us]"), EARLIEST), LATEST)
