"""Oracle: scipy's Kolmogorov-Smirnov test against the exact distributions; numpy's own sequential Philox stream."""

import hashlib

import numpy as np
import pytest
import torch
from scipy import stats

from robustcert.attacks.ball import Ball
from robustcert.attacks.random_starts import random_starts


def ball(norm: str, scale: list[float]) -> Ball:
    scale_X = torch.tensor(scale, dtype=torch.float64)
    return Ball(norm=norm, epsilon=0.5, scale=scale_X, lower=scale_X - 9, upper=scale_X + 9)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_a_sample_starts_from_the_same_point_in_any_batch(norm: str) -> None:
    region_ball = ball(norm, [1.0, 2.0, 3.0])
    together = random_starts(region_ball, sample_ids=[7, 3, 11], restart=2, seed=5)
    for row, sample in enumerate([7, 3, 11]):
        assert torch.equal(together[row : row + 1], random_starts(region_ball, sample_ids=[sample], restart=2, seed=5))


def test_seed_sample_and_restart_each_change_the_start() -> None:
    region_ball = ball("linf", [1.0] * 3)
    starts = [
        random_starts(region_ball, sample_ids=[sample], restart=restart, seed=seed)
        for sample, restart, seed in [(1, 0, 0), (2, 0, 0), (1, 1, 0), (1, 0, 1)]
    ]
    assert len({tuple(start.flatten().tolist()) for start in starts}) == 4


def test_linf_starts_are_uniform_in_each_coordinate() -> None:
    v = random_starts(ball("linf", [1.0, 1.0]), sample_ids=range(4000), restart=0, seed=0).numpy()
    for column in v.T:
        assert stats.kstest(column, stats.uniform(-0.5, 1.0).cdf).pvalue > 1e-4


def test_l2_starts_fill_the_ball_evenly() -> None:
    v = random_starts(ball("l2", [1.0] * 3), sample_ids=range(4000), restart=0, seed=0).numpy()
    radii = np.linalg.norm(v, axis=1)
    assert radii.max() < 0.5
    assert stats.kstest((radii / 0.5) ** 3, "uniform").pvalue > 1e-4
    assert (
        stats.kstest(v[:, 0] / radii, stats.uniform(-1, 2).cdf).pvalue > 1e-4
    )  # Archimedes: uniform on the sphere in 3-D


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_fixed_coordinates_start_where_they_are(norm: str) -> None:
    v = random_starts(ball(norm, [1.0, 0.0, 1.0]), sample_ids=[1, 2], restart=0, seed=0)
    assert v[:, 1].tolist() == [0.0, 0.0]
    assert (v[:, 0] != 0).all()


def test_words_are_those_of_philox_under_the_documented_key_and_counter() -> None:
    key = int.from_bytes(hashlib.sha256(b"robustcert-attack-v1\x009").digest()[:8], "little")
    stream = np.random.Philox(key=np.array([key, 4], np.uint64))
    stream.advance(3 << 64)
    expected = [0.5 * (2 * ((int(word) >> 11) + 0.5) / 2**53 - 1) for word in stream.random_raw(3)]
    found = random_starts(ball("linf", [1.0] * 3), sample_ids=[4], restart=3, seed=9)
    assert found[0].tolist() == expected
