"""The label-free estimate: right on windows like the reference, blind to concept drift, not valid on other inputs.

Real models on real digits: scikit-learn's logistic regression on the scans that ship with it. Labels that come later
are the oracle.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from robustcert.drift.domain_classifier import domain_classifier_test
from robustcert.drift.estimate import (
    AccuracyEstimate,
    ConfidenceCounts,
    ConfidenceLevels,
    EstimateLimits,
    Similarity,
    confidence_levels,
    estimate_accuracy,
)
from robustcert.drift.realised import ConceptDrift, concept_drift, realised_of
from robustcert.errors import DataError
from robustcert.evaluation.statistics import binomial_interval

Float64 = NDArray[np.float64]
ALIKE = Similarity(auc=0.5, distance_drifted=False)


@dataclass(frozen=True, kw_only=True)
class Digits:
    """A weak model (few rows, so that it errs), the reference half it has not seen, and windows of the rest."""

    model: LogisticRegression
    reference_x: Float64
    reference_y: NDArray[np.int64]
    window_x: Float64
    window_y: NDArray[np.int64]

    def answers(self, x: Float64) -> tuple[NDArray[np.int64], Float64]:
        probabilities = self.model.predict_proba(x)
        return probabilities.argmax(axis=1), probabilities.max(axis=1)

    def levels(self) -> ConfidenceLevels:
        predictions, confidences = self.answers(self.reference_x)
        return confidence_levels(confidences, predictions == self.reference_y)

    def estimate(self, x: Float64) -> AccuracyEstimate:
        """With the similarity that a domain classifier finds."""
        window = ConfidenceCounts(self.levels())
        window.add(self.answers(x)[1])
        found = domain_classifier_test(self.reference_x[:150], x[:150], alpha=0.01, seed=1, permutations=99)
        return estimate_accuracy(
            self.levels(), window, similarity=Similarity(auc=found.test.score, distance_drifted=None)
        )

    def concept_drift(self, x: Float64, y: NDArray[np.int64]) -> ConceptDrift:
        """With delayed labels of a quarter of the window."""
        right = int(np.sum(self.answers(self.reference_x)[0] == self.reference_y))
        lower, _ = binomial_interval(right, len(self.reference_y))
        labelled = np.arange(len(y)) % 4 == 0
        found = realised_of(self.answers(x)[0], y, labelled=labelled, n_classes=10)
        return concept_drift(found, certified_lower=lower, alpha=0.01, minimum_coverage=0.05, minimum_labels=30)


@pytest.fixture(scope="module")
def digits() -> Digits:
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    x, y = x[order] / 16, y[order].astype(np.int64)
    model = LogisticRegression(C=0.05, max_iter=300).fit(x[:300], y[:300])
    return Digits(model=model, reference_x=x[300:1000], reference_y=y[300:1000], window_x=x[1000:], window_y=y[1000:])


def test_on_a_window_like_the_reference_the_estimate_holds_the_accuracy(digits: Digits) -> None:
    found = digits.estimate(digits.window_x)
    realised = float(np.mean(digits.answers(digits.window_x)[0] == digits.window_y))
    assert found.valid, found.why
    assert found.lower <= realised <= found.upper
    assert found.upper - found.lower < 0.06
    assert abs(found.thresholded - realised) < 0.04
    assert "blind to a changed meaning of labels" in found.why


def test_concept_drift_is_invisible_to_the_estimate_and_found_by_labels_within_two_windows(digits: Digits) -> None:
    """From the second window on, threes are called fives and the other way round: the inputs stay as they were."""
    windows = np.split(np.arange(len(digits.window_y))[:780], 3)
    swap = np.arange(10)
    swap[[3, 5]] = [5, 3]
    found, estimates = [], []
    for number, rows in enumerate(windows):
        y = digits.window_y[rows] if number == 0 else swap[digits.window_y[rows]]
        found.append(digits.concept_drift(digits.window_x[rows], y).drifted)
        estimates.append(digits.estimate(digits.window_x[rows]))
    assert all(estimate.valid for estimate in estimates), "blind: nothing about the inputs has changed"
    assert all(estimate.accuracy > 0.85 for estimate in estimates)
    truth = digits.answers(digits.window_x[windows[1]])[0] == swap[digits.window_y[windows[1]]]
    assert truth.mean() < estimates[1].lower - 0.1, "and wrong by more than ten points"
    assert not found[0], "no alarm before it"
    assert any(found[1:]), "delayed labels of a quarter of the rows find it within two windows"


def test_on_other_inputs_the_estimate_is_wrong_and_says_that_it_is_not_valid(digits: Digits) -> None:
    transposed = digits.window_x.reshape(-1, 8, 8).transpose(0, 2, 1).reshape(-1, 64)
    found = digits.estimate(transposed)
    realised = float(np.mean(digits.answers(transposed)[0] == digits.window_y))
    assert found.lower > realised + 0.2, "this is why there is a flag"
    assert not found.valid
    assert "a classifier tells window and reference apart" in found.why


def simulated(rng: np.random.Generator, n: int, *, shift: float = 0.0) -> tuple[Float64, NDArray[np.bool_]]:
    """Rows whose confidence is calibrated by construction: a row of confidence c is right with probability c."""
    confidences = rng.beta(8 - shift, 1.5, n)
    return confidences, rng.random(n) < confidences


@pytest.mark.parametrize("shift", [0.0, 4.0])
def test_the_interval_holds_the_true_accuracy_as_often_as_it_says(shift: float) -> None:
    """200 pairs: 178 for 95 % (binomial, 1e-3); less sure windows, on which levels are coarse, somewhat less often."""
    rng = np.random.default_rng(3)
    truth = (8 - shift) / (9.5 - shift)
    held = 0
    for _ in range(200):
        levels = confidence_levels(*simulated(rng, 600))
        window = ConfidenceCounts(levels)
        window.add(simulated(rng, 800, shift=shift)[0])
        found = estimate_accuracy(levels, window, similarity=ALIKE)
        held += found.lower <= truth <= found.upper
    assert held >= (178 if shift == 0 else 165)


def test_counts_in_batches_are_those_of_the_whole_and_rows_without_an_answer_do_not_count() -> None:
    rng = np.random.default_rng(4)
    levels = confidence_levels(*simulated(rng, 500))
    assert levels.rows.sum() == 500
    assert levels.rows.min() >= 20
    confidences = np.append(simulated(rng, 300)[0], [np.nan] * 5)
    whole, parts = ConfidenceCounts(levels), ConfidenceCounts(levels)
    whole.add(confidences)
    for part in np.array_split(confidences, 7):
        parts.add(part)
    assert whole.rows.sum() == 300
    assert (whole.rows.tolist(), whole.above) == (parts.rows.tolist(), parts.above)


def test_the_reference_estimates_itself_exactly() -> None:
    """Garg et al.: the threshold is where the reference's error rate is cut off; both estimates return its accuracy."""
    confidences, correct = simulated(np.random.default_rng(5), 700)
    levels = confidence_levels(confidences, correct)
    window = ConfidenceCounts(levels)
    window.add(confidences)
    found = estimate_accuracy(levels, window, similarity=ALIKE)
    assert found.accuracy == pytest.approx(correct.mean(), abs=1e-12)
    assert found.thresholded == pytest.approx(correct.mean(), abs=1e-12)
    assert levels.accuracy == pytest.approx(correct.mean(), abs=1e-12)


@pytest.mark.parametrize(
    ("similarity", "rows", "limits", "why"),
    [
        (Similarity(auc=None, distance_drifted=None), 300, EstimateLimits(), "not known whether the inputs are like"),
        (Similarity(auc=0.71, distance_drifted=False), 300, EstimateLimits(), r"AUC 0.710 > 0.7"),
        (Similarity(auc=None, distance_drifted=True), 300, EstimateLimits(), "farther out"),
        (ALIKE, 199, EstimateLimits(), "199 answers, fewer than 200"),
        (ALIKE, 300, EstimateLimits(fewest_errors=500), "errors in the reference, fewer than 500"),
    ],
)
def test_an_estimate_that_nothing_vouches_for_is_not_valid(
    similarity: Similarity, rows: int, limits: EstimateLimits, why: str
) -> None:
    levels = confidence_levels(*simulated(np.random.default_rng(6), 500))
    window = ConfidenceCounts(levels)
    window.add(simulated(np.random.default_rng(7), rows)[0])
    found = estimate_accuracy(levels, window, similarity=similarity, limits=limits)
    assert not found.valid
    assert why in found.why


def test_confidences_of_one_value_make_one_level_or_two() -> None:
    correct = np.arange(100) % 10 > 0
    levels = confidence_levels(np.ones(100), correct)
    window = ConfidenceCounts(levels)
    window.add(np.array([0.5, 1.0, 2.0]))
    assert window.rows.sum() == 3
    assert levels.rows.sum() == 100
    assert confidence_levels(np.linspace(0, 1, 50), np.zeros(50, dtype=np.bool_)).threshold == np.inf


def test_too_small_a_reference_and_an_empty_window_are_refused() -> None:
    with pytest.raises(DataError, match="at least 20 reference rows"):
        confidence_levels(np.ones(19), np.ones(19, dtype=np.bool_))
    levels = confidence_levels(np.linspace(0, 1, 40), np.ones(40, dtype=np.bool_))
    with pytest.raises(DataError, match="answers with a confidence"):
        estimate_accuracy(levels, ConfidenceCounts(levels), similarity=ALIKE)
