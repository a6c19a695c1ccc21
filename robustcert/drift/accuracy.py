"""How accurate the certified model was on a window: on labels that came, from wherever they came.

Labels of their own file are joined by id with the logged answers; labels in the window are compared with the logged
answers, or, where none are logged, with what the certified model answers to a sample. Shapes: K classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robustcert.certificate.schema import RatePart
from robustcert.drift.label_rows import LabelSource, open_labels
from robustcert.drift.policy import MOST_SIGNALS, DriftPolicy
from robustcert.drift.realised import (
    ConceptDrift,
    Realised,
    concept_drift,
    realised_by_id,
    realised_in_window,
    realised_of,
)
from robustcert.drift.row_batch import RowBatch
from robustcert.drift.rows import RowSource
from robustcert.drift.samples import Sample
from robustcert.drift.segments import Segment, judge_segments
from robustcert.specification import Data

MOST_UNMATCHED = 0.1  # share of labels of other rows beyond which their frequencies say nothing of this window

Counts = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """Realised accuracy, whether it is below the certified one, and segments where there are several.

    `labels`: how many of each class (K,); None where that can't be said.
    """

    realised: Realised
    concept: ConceptDrift
    segments: tuple[Segment, ...]
    labels: Counts | None


def window_accuracy(
    source: RowSource,
    labels: str,
    *,
    data: Data,
    in_window: Counts,
    sampled: tuple[RowBatch, Sample] | None,
    clean: RatePart,
    policy: DriftPolicy,
) -> Accuracy | None:
    """What labels say; None where there are none. `labels` is a path or URI, empty for none.

    Raises: DataError for labels that can't be read or joined.
    """
    if labels:
        with open_labels(labels, data=data) as opened:
            found = realised_by_id(source, opened)
            return _judged(found, _frequencies(opened, found), clean=clean, policy=policy)
    if not in_window.sum():
        return None
    if "prediction" in source.columns:
        return _judged(realised_in_window(source), in_window, clean=clean, policy=policy)
    return None if sampled is None else _judged(_of_sample(*sampled), in_window, clean=clean, policy=policy)


def _of_sample(batch: RowBatch, sample: Sample) -> Realised:
    """The certified model's own answers to the sampled rows, where the window holds labels and no answers."""
    labels = batch.answers.labels
    assert labels is not None
    n_classes = sample.outputs.probabilities.shape[1]
    return realised_of(sample.outputs.predictions, labels.index, labelled=labels.known, n_classes=n_classes)


def _frequencies(labels: LabelSource, found: Realised) -> Counts | None:
    """Labels of each class, None where many of them are of other rows than the window's."""
    counts = np.zeros(len(labels.classes), dtype=np.int64)
    for batch in labels.batches():
        counts += np.bincount(batch.labels.index[batch.labels.known], minlength=len(counts))
    return counts if found.unmatched <= MOST_UNMATCHED * counts.sum() else None


def _judged(found: Realised, labels: Counts | None, *, clean: RatePart, policy: DriftPolicy) -> Accuracy:
    alpha = policy.alpha / MOST_SIGNALS
    least = max(0.0, float(clean.lower) - policy.accuracy.tolerated_loss)
    concept = concept_drift(
        found,
        certified_lower=least,
        alpha=alpha,
        minimum_coverage=policy.accuracy.minimum_coverage,
        minimum_labels=policy.accuracy.minimum_labels,
    )
    segments = judge_segments(found.segments, certified_lower=least, alpha=alpha)
    return Accuracy(realised=found, concept=concept, segments=segments if len(segments) > 1 else (), labels=labels)
