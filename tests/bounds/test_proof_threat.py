"""Balls for proofs: membership and projection against numpy's norms."""

from dataclasses import replace

import numpy as np
import pytest

from robustcert.bounds.input_set import SetNorm
from robustcert.bounds.proof_threat import ProofThreat
from robustcert.errors import InputError, SpecificationError
from tests.bounds.digits_nets import digits_dataset

ORDERS = {"linf": np.inf, "l2": 2, "l1": 1}


def threat(norm: SetNorm, epsilon: str = "0.25") -> ProofThreat:
    return ProofThreat.of(digits_dataset(samples=5), norm=norm, epsilon=epsilon, unit="input")


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_projected_points_are_inside_ball_and_range_and_count_as_inside(norm: SetNorm) -> None:
    x = digits_dataset(samples=5).select("test").x()
    far = x + np.random.Generator(np.random.Philox(0)).normal(size=x.shape)
    near = threat(norm).projected(far, x)
    assert threat(norm).contains(near, x).all()
    assert (np.linalg.norm(near.astype(float) - x, ord=ORDERS[norm], axis=1) <= 0.25).all()
    assert ((near >= 0) & (near <= 1)).all()


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_a_point_outside_ball_or_range_is_not_inside(norm: SetNorm) -> None:
    x = np.full((1, 64), 0.5)
    step = {"linf": 0.26, "l2": 0.26 / 8, "l1": 0.26 / 64}[norm]
    assert not threat(norm).contains((x + step).astype(np.float32), x).any()
    edge = np.zeros((1, 64))
    assert not threat(norm).contains((edge - 1e-3).astype(np.float32), edge).any()


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_a_feature_that_may_not_change_stays(norm: SetNorm) -> None:
    dataset = digits_dataset(samples=5)
    fixed = replace(dataset, perturbable=np.arange(64) > 0)
    found = ProofThreat.of(fixed, norm=norm, epsilon="0.25", unit="input")
    x = np.full((1, 64), 0.5)
    assert found.projected(x + 0.1, x)[0, 0] == 0.5
    moved = x.astype(np.float32)
    moved[0, 0] += 0.001
    assert not found.contains(moved, x).any()
    region = found.input_set(x[0])
    assert float(region.lower[0]) == float(region.upper[0]) == 0.5


@pytest.mark.parametrize("epsilon", ["0", "-1", "nan", "inf", "a lot"])
def test_an_epsilon_that_is_no_positive_number_is_refused(epsilon: str) -> None:
    with pytest.raises(InputError, match="expected a positive epsilon"):
        threat("linf", epsilon)


def test_nothing_to_change_is_refused() -> None:
    frozen = replace(digits_dataset(samples=5), perturbable=np.zeros(64, dtype=bool))
    with pytest.raises(SpecificationError, match="expected a feature that threat 'proof' may change"):
        ProofThreat.of(frozen, norm="linf", epsilon="0.1", unit="input")
