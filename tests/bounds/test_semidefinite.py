"""Semidefinite bounds against sampled and attacked values, exact answers by enumeration, and interval arithmetic."""

from __future__ import annotations

import sys
from itertools import pairwise, product

import numpy as np
import pytest
from scipy.optimize import linprog

from robustcert.bounds import semidefinite
from robustcert.bounds.semidefinite import Array, Layers, semidefinite_bound
from robustcert.errors import InputError

MARGIN = 1e-6


def toy(seed: int, widths: tuple[int, ...]) -> Layers:
    generator = np.random.default_rng(seed)
    return [(generator.normal(size=(o, i)) / np.sqrt(i), generator.normal(size=o) / 4) for i, o in pairwise(widths)]


def value(layers: Layers, x_BD: Array, c_K: Array) -> Array:
    for weight, bias in layers[:-1]:
        x_BD = np.maximum(x_BD @ weight.T + bias, 0)
    return (x_BD @ layers[-1][0].T + layers[-1][1]) @ c_K


def exact_minimum(layers: Layers, low: Array, high: Array, c_K: Array) -> float:
    """Of a network of one hidden layer: a linear program for every pattern of active neurons."""
    (w1, b1), (w2, b2) = layers
    best = np.inf
    for pattern in product((0.0, 1.0), repeat=len(b1)):
        on = np.array(pattern)
        row = (c_K @ w2) * on
        signs = 1 - 2 * on
        found = linprog(row @ w1, A_ub=signs[:, None] * w1, b_ub=-signs * b1, bounds=list(zip(low, high, strict=True)))
        if found.success:
            best = min(best, found.fun + row @ b1 + c_K @ b2)
    return float(best)


@pytest.mark.parametrize("seed", range(4))
def test_the_bound_lies_between_interval_arithmetic_and_the_exact_minimum(seed: int) -> None:
    layers, c = toy(seed, (3, 5, 2)), np.array([1.0, -1.0])
    low, high = np.full(3, -0.6), np.full(3, 0.6)
    found = semidefinite_bound(layers, low, high, c)
    exact = exact_minimum(layers, low, high, c)
    assert found.interval - MARGIN <= found.dual <= exact
    assert found.bound == max(found.dual, found.interval)
    x = np.random.default_rng(seed).uniform(low, high, size=(20_000, 3))
    assert exact <= value(layers, x, c).min()


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_the_dual_closes_most_of_the_gap_that_intervals_leave(seed: int) -> None:
    layers, c = toy(seed, (3, 5, 2)), np.array([1.0, -1.0])
    found = semidefinite_bound(layers, np.full(3, -1.0), np.full(3, 1.0), c)
    exact = exact_minimum(layers, np.full(3, -1.0), np.full(3, 1.0), c)
    assert exact - found.dual < (exact - found.interval) / 3


def test_no_counterexample_lies_below_the_bound_in_two_hidden_layers() -> None:
    layers, c = toy(5, (3, 4, 4, 2)), np.array([-1.0, 1.0])
    low, high = np.full(3, 0.0), np.full(3, 1.0)
    found = semidefinite_bound(layers, low, high, c)
    generator = np.random.default_rng(0)
    x = np.vstack((generator.uniform(low, high, size=(20_000, 3)), np.array(list(product((0.0, 1.0), repeat=3)))))
    best = x[value(layers, x, c).argmin()]
    for scale in (0.1, 0.01, 0.001):
        near = np.clip(best + generator.normal(size=(5000, 3)) * scale, low, high)
        best = near[value(layers, near, c).argmin()]
    assert found.interval - MARGIN <= found.dual <= value(layers, best[None], c)[0]


def test_a_solver_that_gives_up_early_or_returns_nonsense_gives_a_bound_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Multipliers at random: the charge for the slack's eigenvalue keeps every bound below the exact minimum."""
    layers, c = toy(1, (2, 4, 2)), np.array([1.0, -1.0])
    low, high = np.full(2, -1.0), np.full(2, 1.0)
    exact = exact_minimum(layers, low, high, c)
    for seed in range(50):
        generator = np.random.default_rng(seed)

        def nonsense(
            objective: Array, constraints: Array, *, solver: str, g: np.random.Generator = generator
        ) -> tuple[Array, float]:
            return np.abs(g.normal(size=len(constraints))) * 10.0 ** g.integers(-6, 2), float(g.normal() * 3)

        monkeypatch.setattr(semidefinite, "_multipliers", nonsense)
        assert semidefinite_bound(layers, low, high, c).dual <= exact


def test_a_linear_network_is_bounded_exactly() -> None:
    weight, bias = np.array([[1.0, -2.0, 0.5]]), np.array([0.25])
    found = semidefinite_bound([(weight, bias)], np.array([-1.0, 0.0, 1.0]), np.array([1.0, 2.0, 3.0]), np.array([1.0]))
    assert found.dual == pytest.approx(-1 - 4 + 0.5 + 0.25, abs=1e-5)
    assert found.interval == pytest.approx(-4.25, abs=1e-9)
    assert max(found.dual, found.interval) <= -4.25


def test_without_cvxpy_the_error_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cvxpy", None)
    monkeypatch.setattr("robustcert.extras.find_spec", lambda name: None)
    with pytest.raises(InputError, match="expected the package 'cvxpy', got none; install it with: pip install"):
        semidefinite_bound(toy(0, (2, 2)), np.zeros(2), np.ones(2), np.ones(2))


@pytest.mark.parametrize(
    ("widths", "box", "solver", "message"),
    [
        ((2, 3, 2), (np.zeros(3), np.ones(3)), "SCS", "expected layers that fit one another"),
        ((2, 3, 2), (np.ones(2), np.zeros(2)), "SCS", "expected lower <= upper"),
        ((2, 300, 2), (np.zeros(2), np.ones(2)), "SCS", "expected at most 160 inputs and neurons, got 303"),
        ((2, 3, 2), (np.zeros(2), np.ones(2)), "OTHER", "expected a solver of CLARABEL, SCS, got OTHER"),
    ],
)
def test_what_does_not_fit_is_refused(
    widths: tuple[int, ...], box: tuple[Array, Array], solver: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        semidefinite_bound(toy(0, widths), *box, np.ones(2), solver=solver)
