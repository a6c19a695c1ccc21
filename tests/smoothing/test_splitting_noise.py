"""DSSN against every perturbation of small inputs, and against its definition written out with fractions."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

from robustcert.errors import InputError, ModelError
from robustcert.smoothing.splitting_noise import (
    FRAGILE,
    PARTS,
    Classify,
    Splitting,
    certified_l1,
    certified_steps,
    split_inputs,
    splitting,
    splitting_votes,
)


def table_classifier(splitting: Splitting, *, n_classes: int, seed: int) -> Classify:
    """Bands of classes along a random direction, with an arbitrary class in one of four rows."""
    weights = np.random.default_rng(seed).integers(1, 9, size=len(splitting.offsets))

    def classify(rows_BD: NDArray[np.int64]) -> NDArray[np.int64]:
        score_B = rows_BD @ weights
        mixed_B = score_B * 2654435761 % 1000003
        band_B = score_B * n_classes // int(PARTS * splitting.levels * weights.sum() + 1)
        return np.where(mixed_B % 4 == 0, mixed_B // 4, band_B) % n_classes

    return classify


def all_points(splitting: Splitting) -> NDArray[np.int64]:
    return np.array(list(product(range(splitting.levels + 1), repeat=len(splitting.offsets))))


def counts_of_all(splitting: Splitting, *, n_classes: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    points = all_points(splitting)
    classify = table_classifier(splitting, n_classes=n_classes, seed=seed)
    votes = [splitting_votes(classify, x, splitting=splitting, n_classes=n_classes)[0] for x in points]
    return points, np.array(votes)


CASES = [(q, d, width, seed) for q, d in ((3, 3), (7, 2), (12, 1)) for width in (3, 5, 2 * q) for seed in (0, 1, 2)]


def test_no_perturbation_within_a_certificate_changes_a_class_and_ties_would() -> None:
    """Exhaustive: every point, every perturbation. With floats and `<=`, ties pass as certificates."""
    certified = violations = ties = 0
    for q, d, width, seed in CASES:
        offsets = tuple(np.random.default_rng(seed).integers(0, width, size=d).tolist())
        points, counts = counts_of_all(Splitting(levels=q, width=width, offsets=offsets), n_classes=3, seed=seed)
        classes = counts.argmax(axis=1)
        distance = np.abs(points[:, None] - points).sum(axis=2)
        for row in range(len(points)):
            steps = certified_steps(counts[row].tolist())
            changed = classes != classes[row]
            if steps is not None:
                certified += steps > 0
                violations += bool((changed & (distance[row] <= steps)).any())
            second, first = np.sort(counts[row])[-2:] / width
            ties += bool((changed & (distance[row] / q <= (first - second) * width / q / 2)).any())
    assert certified > 300
    assert violations == 0
    assert ties > 0


def test_inputs_are_the_middles_of_their_pieces() -> None:
    """The definition with fractions: cuts at s + 1/2 + m L, pieces clipped to [0, q]."""
    splitting_ = Splitting(levels=6, width=4, offsets=(0, 3, 1))
    x = np.array([0, 5, 6])
    expected = []
    for shift in range(4):
        row = []
        for value, offset in zip(x.tolist(), splitting_.offsets, strict=True):
            cuts = [Fraction(2 * ((shift + offset) % 4) + 1, 2) + 4 * m for m in range(-3, 4)]
            upper = min(min(cut for cut in cuts if cut > value), Fraction(6))
            lower = max(max(cut for cut in cuts if cut < value), Fraction(0))
            row.append(4 * (upper + lower) / 2)
        expected.append(row)
    assert split_inputs(x, splitting_).tolist() == expected


def test_as_many_inputs_change_as_the_coordinate_moves_by() -> None:
    splitting_ = Splitting(levels=20, width=8, offsets=(5,))
    inputs = [split_inputs(np.array([value]), splitting_)[:, 0] for value in range(21)]
    for a, b in product(range(21), repeat=2):
        assert int((inputs[a] != inputs[b]).sum()) <= min(abs(a - b), 8)
    assert int((inputs[4] != inputs[9]).sum()) == 5


def test_offsets_follow_from_the_key_and_use_every_shift() -> None:
    drawn = splitting(12345, coordinates=9, levels=255, width=4)
    assert drawn == splitting(12345, coordinates=9, levels=255, width=4)
    assert drawn != splitting(12346, coordinates=9, levels=255, width=4)
    assert sorted(drawn.offsets) == [0, 0, 0, 1, 1, 2, 2, 3, 3]


def test_fragile_votes_count_for_the_rival() -> None:
    splitting_ = Splitting(levels=4, width=10, offsets=(0, 0))
    votes = np.array([0] * 7 + [1, 1, FRAGILE])
    counts, fragile = splitting_votes(lambda rows: votes, np.array([1, 2]), splitting=splitting_, n_classes=2)
    assert (counts, fragile) == ((7, 2), 1)
    assert certified_steps(counts, fragile) == 1
    assert certified_steps(counts) == 2


def test_a_radius_is_rounded_down() -> None:
    assert certified_l1(2, levels=3) == "0.666666"


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.array([0.5, 1.0]), "expected 2 integer coordinates, got float64"),
        (np.array([0, 5]), "expected coordinates in 0 to 4, got 0 to 5"),
        (np.array([[0, 1]]), r"expected 2 integer coordinates, got int64 \(1, 2\)"),
    ],
)
def test_samples_off_the_grid_are_refused(x: NDArray[np.int64], message: str) -> None:
    with pytest.raises(InputError, match=message):
        split_inputs(x, Splitting(levels=4, width=3, offsets=(0, 1)))


def test_a_splitting_without_width_is_refused() -> None:
    with pytest.raises(InputError, match="expected levels, width and offsets above 0, got 4 levels, width 0"):
        Splitting(levels=4, width=0, offsets=(0,))


def test_a_vote_for_no_class_is_refused() -> None:
    splitting_ = Splitting(levels=4, width=3, offsets=(0,))
    with pytest.raises(ModelError, match="expected classes -1 to 1, got 7 to 7"):
        splitting_votes(lambda rows: np.full(len(rows), 7), np.array([1]), splitting=splitting_, n_classes=2)
