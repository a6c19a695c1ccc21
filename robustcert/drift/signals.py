"""The signals of drift: features, embedding, outputs, labels, distance; each a test with its share of alpha.

`alpha` is divided equally among the signals that are measured (Bonferroni), so that all together raise a false alarm
with at most that probability. AUROC under no drift: the normal law of Mann and Whitney (1947).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri
from scipy.stats import rankdata

from robustcert.drift.columns import column_tests
from robustcert.drift.domain_classifier import domain_classifier_test
from robustcert.drift.effect_size import shift_of_auc
from robustcert.drift.histogram import Categories, ColumnCounts, number_bins
from robustcert.drift.mmd import mmd_test
from robustcert.drift.policy import MOST_SIGNALS, DriftPolicy
from robustcert.drift.samples import Sample
from robustcert.drift.thresholds import DriftTest, Signal

OUTPUT_METHODS = ("anderson_darling", "chi_square")
PREDICTED, MARGIN, LABEL, DISTANCE = "predicted class", "margin", "label", "to the training data's centre"

MOST_NAMED = 3

Float64 = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Findings:
    """All tests; `fpr95`: share of the window that passes as known where 95 % of the reference do."""

    columns: list[DriftTest]
    classifier: DriftTest
    embedding: DriftTest
    outputs: list[DriftTest]
    distance: DriftTest
    fpr95: float
    labels: list[DriftTest]


@dataclass(frozen=True, kw_only=True)
class Sides:
    """What is compared: counts of all rows by column, a sample of each side, and labels by class, if any."""

    reference: Sample
    window: Sample
    reference_counts: Mapping[str, ColumnCounts]
    window_counts: Mapping[str, ColumnCounts]
    reference_labels: Counts
    window_labels: Counts | None
    classes: tuple[str, ...]


def measure(sides: Sides, policy: DriftPolicy) -> Findings:
    """Every signal of a window; InputError where the policy's permutations can't reach its alpha."""
    alpha = policy.alpha / MOST_SIGNALS
    classifier = domain_classifier_test(
        sides.reference.features,
        sides.window.features,
        alpha=alpha,
        seed=policy.samples.seed,
        permutations=policy.samples.permutations,
        most_rows=policy.samples.tests,
        minimum_effect=shift_of_auc(policy.minimum_effects.auc),
    )
    distance = _distance(sides, alpha=alpha, minimum_auroc=policy.minimum_effects.auc)
    return Findings(
        columns=_columns(sides, policy, alpha=alpha),
        classifier=replace(classifier.test, note=_leaning(list(sides.reference.columns), classifier.importance)),
        embedding=_embedding(sides, policy, alpha=alpha),
        outputs=_outputs(sides, policy, alpha=alpha),
        distance=distance,
        fpr95=fpr95(sides.reference.distances, sides.window.distances),
        labels=_labels(sides, policy, alpha=alpha),
    )


def _columns(sides: Sides, policy: DriftPolicy, *, alpha: float) -> list[DriftTest]:
    return column_tests(
        sides.reference_counts,
        sides.window_counts,
        alpha=alpha,
        minimum_rows=policy.minimum_rows,
        minimum_effect=policy.columns.minimum_effect,
        correction=policy.columns.correction,
    )


def _embedding(sides: Sides, policy: DriftPolicy, *, alpha: float) -> DriftTest:
    return mmd_test(
        sides.reference.embedding,
        sides.window.embedding,
        alpha=alpha,
        seed=policy.samples.seed,
        permutations=policy.samples.permutations,
        most_rows=policy.samples.tests,
        minimum_effect=policy.minimum_effects.embedding,
    )


def _outputs(sides: Sides, policy: DriftPolicy, *, alpha: float) -> list[DriftTest]:
    """Predicted classes and margins of both samples."""
    n_classes = sides.reference.outputs.probabilities.shape[1]
    predicted = [
        _class_counts(_of_classes(side.outputs.predictions, n_classes), sides.classes) for side in _both(sides)
    ]
    bins = number_bins(sides.reference.outputs.margins)
    margins = [ColumnCounts(cells=bins).add(side.outputs.margins) for side in _both(sides)]
    reference, window = ({PREDICTED: predicted[side], MARGIN: margins[side]} for side in (0, 1))
    return _tested(reference, window, "outputs", policy, alpha=alpha, effect=policy.minimum_effects.outputs)


def _labels(sides: Sides, policy: DriftPolicy, *, alpha: float) -> list[DriftTest]:
    """Frequencies of the labels; nothing where none came."""
    if sides.window_labels is None or not sides.window_labels.sum():
        return []
    reference = {LABEL: _class_counts(sides.reference_labels, sides.classes)}
    window = {LABEL: _class_counts(sides.window_labels, sides.classes)}
    return _tested(reference, window, "labels", policy, alpha=alpha, effect=policy.minimum_effects.labels)


def _tested(
    reference: Mapping[str, ColumnCounts],
    window: Mapping[str, ColumnCounts],
    signal: Signal,
    policy: DriftPolicy,
    *,
    alpha: float,
    effect: float,
) -> list[DriftTest]:
    return column_tests(
        reference,
        window,
        alpha=alpha,
        minimum_rows=policy.minimum_rows,
        minimum_effect=effect,
        methods=OUTPUT_METHODS,
        signal=signal,
    )


def _distance(sides: Sides, *, alpha: float, minimum_auroc: float) -> DriftTest:
    """Whether the window's inputs lie farther out than the reference's, by rank."""
    n, m = len(sides.reference), len(sides.window)
    score = auroc(sides.reference.distances, sides.window.distances)
    deviation = math.sqrt((n + m + 1) / (12 * n * m))
    threshold = max(0.5 - float(ndtri(alpha)) * deviation, minimum_auroc)
    p_value = float(ndtr((0.5 - score) / deviation))
    return DriftTest(
        signal="distance",
        column=DISTANCE,
        method="auroc",
        score=score,
        threshold=threshold,
        p_value=p_value,
        adjusted_p=p_value,
        effect=score,
        effect_name="auc",
        n=n,
        m=m,
        drifted=score > threshold,
        note="",
    )


def auroc(reference_N: Float64, window_M: Float64) -> float:
    """Chance that a value of the window is above one of the reference; equal ones count half.

    >>> auroc(np.array([1.0, 2.0]), np.array([2.0, 3.0]))
    0.875
    """
    ranks = rankdata(np.concatenate([reference_N, window_M]))[len(reference_N) :]
    m = len(window_M)
    return float((ranks.sum() - m * (m + 1) / 2) / (len(reference_N) * m))


def fpr95(reference_N: Float64, window_M: Float64) -> float:
    """Share of the window that passes as known by a limit that 95 % of the reference pass.

    >>> fpr95(np.arange(100.0), np.array([0.0, 94.0, 95.0, 200.0]))
    0.5
    """
    limit = np.sort(reference_N)[math.ceil(0.95 * len(reference_N)) - 1]
    return float(np.mean(window_M <= limit))


def total_variation(reference: Sample, window: Sample) -> float:
    """Half the sum of differences between the shares of the predicted classes, 0 to 1."""
    n_classes = reference.outputs.probabilities.shape[1]
    shares = [_of_classes(side.outputs.predictions, n_classes) / len(side) for side in (reference, window)]
    return float(np.abs(shares[0] - shares[1]).sum() / 2)


def _leaning(columns: list[str], importance: tuple[float, ...]) -> str:
    """The columns that tell the classifier most."""
    ranked = sorted(zip(importance, columns, strict=True), reverse=True)[:MOST_NAMED]
    return "most by " + ", ".join(f"{column} ({share:.2f})" for share, column in ranked)


def _both(sides: Sides) -> Iterator[Sample]:
    yield from (sides.reference, sides.window)


def _of_classes(classes_N: NDArray[np.int64], n_classes: int) -> Counts:
    return np.bincount(classes_N, minlength=n_classes).astype(np.int64)


def _class_counts(counts_K: Counts, classes: tuple[str, ...]) -> ColumnCounts:
    """Counts by class as a column of categories."""
    found = ColumnCounts(cells=Categories(labels=classes))
    found.counts[:-1] += counts_K
    return found
