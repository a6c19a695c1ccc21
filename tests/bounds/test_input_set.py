"""Minima of linear functions against the dual norms and against scipy's linear programs."""

import numpy as np
import pytest
import torch
from scipy.optimize import linprog, minimize

from robustcert.bounds.input_set import InputSet, SetNorm

ONES, X = np.ones(5), np.linspace(-0.5, 0.5, 5)
WIDE = (np.full(5, -10.0), np.full(5, 10.0))


def ball(norm: SetNorm, *, scale: np.ndarray = ONES, limits: tuple[np.ndarray, np.ndarray] = WIDE) -> InputSet:
    return InputSet.ball(norm, X, epsilon=0.3, scale=scale, lower=limits[0], upper=limits[1])


@pytest.mark.parametrize(("norm", "dual"), [("linf", 1), ("l2", 2), ("l1", np.inf)])
def test_the_minimum_over_a_ball_is_that_of_the_dual_norm(norm: SetNorm, dual: float) -> None:
    scale = np.array([1.0, 2.0, 0.5, 1.0, 3.0])
    for seed in range(5):
        a = np.random.Generator(np.random.Philox(seed)).normal(size=5)
        wanted = a @ X - 0.3 * np.linalg.norm(a * scale, ord=dual)
        found = ball(norm, scale=scale).minimum(torch.from_numpy(a)[None, None])
        assert float(found) == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_the_minimum_of_a_cut_ball_is_never_above_the_true_one(norm: SetNorm) -> None:
    limits = (X - 0.1, X + 0.2)
    region = ball(norm, limits=limits)
    for seed in range(5):
        a = np.random.Generator(np.random.Philox(seed)).normal(size=5)
        found = float(region.minimum(torch.from_numpy(a)[None, None]))
        assert found <= true_minimum(a, norm, limits) + 1e-9
        point = region.minimiser(torch.from_numpy(a)[None])[0].numpy()
        assert (point >= limits[0] - 1e-12).all()
        assert (point <= limits[1] + 1e-12).all()
        assert np.linalg.norm(point - X, ord={"linf": np.inf, "l2": 2, "l1": 1}[norm]) <= 0.3 + 1e-12


def true_minimum(a: np.ndarray, norm: SetNorm, limits: tuple[np.ndarray, np.ndarray]) -> float:
    box = list(zip(limits[0], limits[1], strict=True))
    if norm == "linf":
        return float(linprog(a, bounds=list(zip(np.maximum(limits[0], X - 0.3), limits[1], strict=True))).fun)
    if norm == "l1":  # x = X + p - n with sum(p + n) <= 0.3
        parts = [(0, high - x) for (_, high), x in zip(box, X, strict=True)] + [
            (0, x - low) for (low, _), x in zip(box, X, strict=True)
        ]
        return float(linprog(np.r_[a, -a], A_ub=np.ones((1, 10)), b_ub=[0.3], bounds=parts).fun + a @ X)
    inside = {"type": "ineq", "fun": lambda x: 0.09 - np.sum((x - X) ** 2)}
    return float(minimize(lambda x: a @ x, X, bounds=box, constraints=[inside], method="SLSQP").fun)


def test_a_coordinate_with_scale_0_stays_where_it_is() -> None:
    region = ball("l2", scale=np.array([1.0, 0.0, 1.0, 1.0, 1.0]))
    assert float(region.lower[1]) == float(region.upper[1]) == X[1]


def test_only_boxes_and_l1_balls_are_described_by_linear_programs() -> None:
    assert [ball(norm).complete for norm in ("linf", "l2", "l1")] == [True, False, True]
