"""Signals: figures against scikit-learn, thresholds as guarantees, and each signal alone where only it moved."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score, roc_curve

from robustcert.drift.histogram import ColumnCounts, number_bins
from robustcert.drift.model_outputs import ModelOutputs
from robustcert.drift.policy import DriftPolicy
from robustcert.drift.samples import Sample
from robustcert.drift.signals import Findings, Sides, auroc, fpr95, measure, total_variation
from robustcert.drift.thresholds import DriftTest

POLICY = DriftPolicy()
N = 400


def sample(seed: int, *, shift: float = 0.0, **changes: Any) -> Sample:
    rng = np.random.default_rng(seed)
    features = rng.normal(shift, 1, (N, 3))
    predictions = rng.integers(0, 4, N)
    outputs = ModelOutputs(
        probabilities=np.full((N, 4), 0.25), margins=rng.exponential(1, N), predictions=predictions.astype(np.int64)
    )
    found = Sample(
        columns={name: features[:, number] for number, name in enumerate("abc")},
        outputs=outputs,
        distances=np.sqrt(np.mean(features**2, axis=1)),
        embedding=rng.normal(0, 1, (N, 5)),
        features=features,
    )
    return replace(found, **changes)


def sides(reference: Sample, window: Sample, **changes: Any) -> Sides:
    bins = {name: number_bins(values) for name, values in reference.columns.items()}
    counts = [
        {name: ColumnCounts(cells=bins[name]).add(side.columns[name]) for name in bins} for side in (reference, window)
    ]
    found = Sides(
        reference=reference,
        window=window,
        reference_counts=counts[0],
        window_counts=counts[1],
        reference_labels=np.full(4, 100),
        window_labels=None,
        classes=("ant", "bee", "cat", "dog"),
    )
    return replace(found, **changes)


def drifted(found: Findings) -> set[str]:
    tests: list[DriftTest] = [
        *found.columns, found.classifier, found.embedding, *found.outputs, found.distance, *found.labels
    ]  # fmt: skip
    return {f"{test.signal} {test.column or test.method}" for test in tests if test.drifted}


def test_auroc_and_fpr95_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(2)
    reference, window = np.round(rng.normal(0, 1, 500), 1), np.round(rng.normal(1, 1, 300), 1)
    truth, scores = np.repeat([0, 1], [500, 300]), np.concatenate([reference, window])
    assert auroc(reference, window) == pytest.approx(roc_auc_score(truth, scores))
    # Known is the positive class: 95 % of the reference pass; how many of the window do?
    false, true, _ = roc_curve(1 - truth, -scores, drop_intermediate=False)
    assert fpr95(reference, window) == pytest.approx(false[np.argmax(true >= 0.95)])


def test_nothing_is_found_between_two_samples_of_one_kind() -> None:
    found = measure(sides(sample(0), sample(1), window_labels=np.array([98, 103, 99, 100])), POLICY)
    assert drifted(found) == set()
    assert len(found.columns) == 3
    assert len(found.labels) == 1


def test_each_signal_speaks_where_only_it_moved() -> None:
    rng = np.random.default_rng(3)
    other = ModelOutputs(
        probabilities=np.full((N, 4), 0.25), margins=rng.exponential(1, N), predictions=np.zeros(N, dtype=np.int64)
    )
    moved = {
        "outputs predicted class": sides(sample(0), sample(1, outputs=other)),
        "embedding mmd": sides(sample(0), sample(1, embedding=rng.normal(0.5, 1, (N, 5)))),
        "distance to the training data's centre": sides(sample(0), sample(1, distances=rng.normal(3, 1, N))),
        "labels label": sides(sample(0), sample(1), window_labels=np.array([200, 100, 50, 50])),
    }
    found = {signal: measure(given, POLICY) for signal, given in moved.items()}
    assert {signal: drifted(tests) for signal, tests in found.items()} == {signal: {signal} for signal in moved}
    assert found["labels label"].labels[0].note == "share of ant 0.250 to 0.500"


def test_a_shift_of_all_features_is_named_with_the_column_that_tells_most() -> None:
    reference, window = sample(0), sample(1)
    features = window.features + np.array([0, 2.0, 0])
    columns = {name: features[:, number] for number, name in enumerate("abc")}
    found = measure(sides(reference, replace(window, features=features, columns=columns)), POLICY)
    assert {"features b", "features domain_classifier"} <= drifted(found)
    assert "features a" not in drifted(found)
    assert found.classifier.note.startswith("most by b (")


def test_the_distances_alarm_rate_on_clean_samples_is_below_its_share_of_alpha() -> None:
    """alpha / 7 for one signal: 0.05 / 7 = 0.7 %; of 1000 clean pairs 18 or more come with chance below 1e-3."""
    policy = DriftPolicy.model_validate(POLICY.model_copy(update={"alpha": 0.05}))
    from robustcert.drift.signals import _distance

    rng, alarms, given = np.random.default_rng(5), 0, sides(sample(0), sample(1))
    for _ in range(1000):
        reference, window = (replace(given.reference, distances=rng.exponential(1, N)) for _ in range(2))
        alpha = policy.alpha / 7
        alarms += _distance(replace(given, reference=reference, window=window), alpha=alpha, minimum_auroc=0.5).drifted
    assert 1 <= alarms < 18


def test_total_variation_is_half_the_sum_of_differences() -> None:
    one, other = (
        sample(seed, outputs=ModelOutputs(
            probabilities=np.full((4, 4), 0.25), margins=np.ones(4), predictions=np.array(predictions)
        ))
        for seed, predictions in ((0, [0, 0, 1, 1]), (1, [0, 2, 2, 1]))
    )  # fmt: skip
    assert total_variation(one, other) == pytest.approx(0.5)
