"""Oracle: the documented formulas, and a plain loop over a linear model."""

from __future__ import annotations

import hashlib
import math

import pytest

from robustcert.training.epochs import epoch_seed, learning_rate_factor


def test_learning_rate_rises_over_three_tenths_and_falls_as_half_a_cosine() -> None:
    factors = [learning_rate_factor(step, steps=1000) for step in range(1000)]
    assert max(range(1000), key=factors.__getitem__) in (299, 300)
    assert factors[150] == pytest.approx(150.5 / 300)
    assert factors[650] == pytest.approx(0.5 * (1 + math.cos(math.pi * 350.5 / 700)))
    assert 0 < learning_rate_factor(0, steps=1) <= 1


def test_epoch_seed_is_the_documented_hash() -> None:
    digest = hashlib.sha256(b"robustcert-training-v1\x005:2").digest()
    assert epoch_seed(5, 2) == int.from_bytes(digest[:8], "little") >> 1
