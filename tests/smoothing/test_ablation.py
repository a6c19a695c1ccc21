"""Ablation against every change of small inputs, closed forms, and the binomial distribution of scipy."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations, product
from math import comb

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import beta

from robustcert.errors import InputError
from robustcert.smoothing.ablation import (
    Ablation,
    NullEncoding,
    certified_features,
    certified_features_drawn,
    drawn_subsets,
    exact_votes,
    median_radius,
)
from robustcert.smoothing.noise import Stream


def test_no_change_within_a_certificate_changes_a_class() -> None:
    """Exhaustive: every row of 3^5 and 2^6 values, every change; the classifier is arbitrary."""
    certified = violations = off_by_one = 0
    for features, kept, values, seed in [(5, 2, 3, 0), (5, 1, 3, 1), (6, 2, 2, 2), (6, 3, 2, 3)]:
        ablation, encoding = Ablation(features=features, kept=kept), NullEncoding(mask=(0,) * features)
        weights = np.random.default_rng(seed).integers(1, 1 << 30, size=2 * features)
        bias = np.random.default_rng(seed).integers(20, 90)

        def classify(
            rows: NDArray[np.int64], weights: NDArray[np.int64] = weights, bias: int = bias
        ) -> NDArray[np.int64]:
            return ((rows @ weights) * 2654435761 % 1000003 % 100 > bias).astype(np.int64)

        points = np.array(list(product(range(values), repeat=features)))
        counts = np.array(
            [exact_votes(classify, x, ablation=ablation, encoding=encoding, n_classes=2)[0] for x in points]
        )
        classes = counts.argmax(axis=1)
        changed = (points[:, None] != points).sum(axis=2)
        for row in range(len(points)):
            most = certified_features(counts[row].tolist(), ablation=ablation)
            if most is not None:
                certified += most > 0
                violations += bool(((classes != classes[row]) & (changed[row] <= most)).any())
                off_by_one += bool(((classes != classes[row]) & (changed[row] <= most + 1)).any())
    assert certified > 50
    assert violations == 0
    assert off_by_one > 0


def test_the_share_of_subsets_that_see_a_change_is_counted() -> None:
    ablation = Ablation(features=7, kept=3)
    for changed in range(8):
        seen = sum(bool(set(subset) & set(range(changed))) for subset in combinations(range(7), 3))
        assert ablation.share_touched(changed) == Fraction(seen, comb(7, 3))


def test_the_published_shares_of_the_specification() -> None:
    ablation = Ablation(features=20, kept=3)
    assert ablation.subsets == 1140
    assert [round(float(ablation.share_touched(changed)), 3) for changed in (1, 2, 3)] == [0.15, 0.284, 0.404]


def test_a_tie_certifies_nothing() -> None:
    ablation = Ablation(features=4, kept=1)
    assert certified_features((3, 1), ablation=ablation) == 0  # 3 - 1 = 2 * N_1: one change makes a tie
    assert certified_features((4, 0), ablation=ablation) == 1
    assert certified_features((2, 2), ablation=ablation) is None
    assert certified_features((3, 0), 1, ablation=ablation) == 0


def test_votes_that_don_t_cover_all_subsets_are_refused() -> None:
    with pytest.raises(InputError, match="expected 4 votes, got 3 votes; count every subset once"):
        certified_features((3, 0), ablation=Ablation(features=4, kept=1))


def test_a_hidden_feature_is_its_mask_and_a_flag() -> None:
    encoding = NullEncoding(mask=(9, 8, 7))
    kept = np.array([[True, False, True], [False, False, True]])
    assert encoding.rows(np.array([1, 2, 3]), kept).tolist() == [[1, 8, 3, 0, 1, 0], [9, 8, 3, 1, 1, 0]]


def test_a_row_of_another_width_is_refused() -> None:
    with pytest.raises(InputError, match="expected 2 integer features, got float64"):
        NullEncoding(mask=(0, 0)).rows(np.array([1.0, 2.0]), np.ones((1, 2), dtype=bool))


def test_all_subsets_are_evaluated_once() -> None:
    seen: list[tuple[int, ...]] = []

    def classify(rows: NDArray[np.int64]) -> NDArray[np.int64]:
        seen.extend(tuple(row[:9].tolist()) for row in rows)
        return np.zeros(len(rows), dtype=np.int64)

    x, ablation = np.arange(1, 10), Ablation(features=9, kept=4)
    assert exact_votes(classify, x, ablation=ablation, encoding=NullEncoding(mask=(0,) * 9), n_classes=2) == (
        (126, 0),
        0,
    )
    kept = {tuple(value if value in subset else 0 for value in x.tolist()) for subset in combinations(range(1, 10), 4)}
    assert set(seen) == kept
    assert len(seen) == len(kept)


def test_too_many_subsets_are_refused() -> None:
    with pytest.raises(InputError, match="expected at most 1000000 subsets, got"):
        exact_votes(
            lambda rows: rows[:, 0],
            np.zeros(60, dtype=np.int64),
            ablation=Ablation(features=60, kept=8),
            encoding=NullEncoding(mask=(0,) * 60),
            n_classes=2,
        )


def test_drawn_subsets_are_reproducible_and_uniform() -> None:
    """Every one of C(5, 2) subsets 2000 times of 20,000 on average; 5 standard deviations are 212."""
    ablation = Ablation(features=5, kept=2)
    kept = drawn_subsets(99, sample_id=3, stream=Stream.ESTIMATION, first_draw=0, draws=20_000, ablation=ablation)
    later = drawn_subsets(99, sample_id=3, stream=Stream.ESTIMATION, first_draw=700, draws=5, ablation=ablation)
    assert np.array_equal(kept[700:705], later)
    assert (kept.sum(axis=1) == 2).all()
    _, times = np.unique(kept, axis=0, return_counts=True)
    assert len(times) == 10
    assert np.abs(times - 2000).max() < 212


def test_drawn_votes_certify_what_the_confidence_bound_allows() -> None:
    ablation = Ablation(features=784, kept=45)
    for successes in (9_999, 9_900, 9_000, 6_000, 5_100):
        lower = beta.ppf(0.001, successes, 10_000 - successes + 1)
        wanted = [r for r in range(784) if lower - (1 - comb(784 - r, 45) / comb(784, 45)) > 0.5]
        found = certified_features_drawn(successes, 10_000, alpha=0.001, ablation=ablation)
        assert found == (max(wanted) if wanted else None)


def test_the_median_counts_abstentions_as_certified_nowhere() -> None:
    assert median_radius([5, None, 3, 4]) == 4
    assert median_radius([5, None, None, None]) is None
    assert median_radius([2, 2, 0]) == 2


def test_keeping_more_than_there_is_is_refused() -> None:
    with pytest.raises(InputError, match="expected 1 <= kept <= features, got 5 of 4"):
        Ablation(features=4, kept=5)
