"""What a window is compared with: the certified test split, or an earlier window in its place. Shapes: K classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robustcert.data.dataset import Dataset
from robustcert.drift.baseline import Baseline
from robustcert.drift.feature_columns import add_columns, empty_counts
from robustcert.drift.histogram import Cells, ColumnCounts
from robustcert.drift.quality import reference_columns
from robustcert.drift.record import ReferencePart
from robustcert.drift.rows import open_rows, sampled
from robustcert.drift.samples import Sample, Sampler
from robustcert.drift.window_pass import answered_by, files_sha256, read_window

ROWS_AT_A_TIME = 4096


@dataclass(frozen=True, kw_only=True)
class ReferenceSide:
    """Counts of all its rows in cells that its own quantiles cut, a sample, and how many labels of each class (K,).

    `certified` is a sample of the certified test split, whatever the window is compared with: its labels are known.
    """

    part: ReferencePart
    sample: Sample
    certified: Sample
    cells: Mapping[str, Cells]
    counts: Mapping[str, ColumnCounts]
    labels: NDArray[np.int64]


def certified_reference(
    baseline: Baseline, sampler: Sampler, *, dataset_sha256: str, drift_reference_sha256: str
) -> ReferenceSide:
    """The certified test split."""
    test, sample = baseline.test, sampler.of_dataset(baseline.test)
    cells = sampler.columns.cells(sample.columns)
    counts = empty_counts(cells)
    for start in range(0, len(test), ROWS_AT_A_TIME):
        rows = test.rows(test.sample_ids[start : start + ROWS_AT_A_TIME])
        add_columns(counts, sampler.columns.of_dataset(rows))
    part = ReferencePart(
        dataset_sha256=dataset_sha256,
        split="test",
        rows=len(test),
        drift_reference_sha256=drift_reference_sha256,
    )
    return ReferenceSide(part=part, sample=sample, certified=sample, cells=cells, counts=counts, labels=_labels(test))


def window_reference(uri: str, baseline: Baseline, sampler: Sampler, *, drift_reference_sha256: str) -> ReferenceSide:
    """An earlier window at a path or s3:// URI; DataError for what can't be read, or no row of the certified model."""
    sizes, model = sampler.sizes, baseline.model.sha256
    with open_rows(uri, data=baseline.specification.data) as source:
        kept = answered_by(source, model)
        drawn = sampled(kept, rows=sampler.rows, seed=sizes.seed)
        sample = sampler.of_batch(drawn.at(sampler.complete(drawn)))
        cells = sampler.columns.cells(sample.columns)
        known = reference_columns(baseline.test, source.contract)
        found = read_window(source, sampler.columns, cells, model=model, reference=known)
        part = ReferencePart(
            dataset_sha256=files_sha256(source),
            split="window",
            rows=found.quality.rows,
            drift_reference_sha256=drift_reference_sha256,
        )
    return ReferenceSide(
        part=part,
        sample=sample,
        certified=sampler.of_dataset(baseline.test),
        cells=cells,
        counts=found.counts,
        labels=found.labels,
    )


def _labels(rows: Dataset) -> NDArray[np.int64]:
    return np.bincount(rows.y, minlength=rows.n_classes).astype(np.int64)
