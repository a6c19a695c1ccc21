"""CROWN with splits on dense networks: never above what is sampled, exact for linear ones."""

import numpy as np
import pytest
import torch
from torch import nn

from robustcert.bounds.dense import dense_chain
from robustcert.bounds.dense_linear import Weights, bounded, interval_rows, linear_rows
from robustcert.bounds.input_set import InputSet
from tests.bounds.random_queries import random_question


def no_splits(weights: Weights) -> list[torch.Tensor]:
    return [torch.zeros(1, layer.units, dtype=torch.float64) for layer in weights.network.hidden]


def toy() -> tuple[Weights, InputSet]:
    """6-12-12-3 as torch initialises it, in a box of radius 0.3 around 0."""
    torch.manual_seed(0)
    linears = [nn.Linear(6, 12), nn.Linear(12, 12), nn.Linear(12, 3)]
    layers = [(part.weight.detach().double().numpy(), part.bias.detach().double().numpy()) for part in linears]
    x = torch.zeros(6, dtype=torch.float64).numpy()
    return Weights.of(dense_chain(layers)), InputSet.box(x - 0.3, x + 0.3)


def test_crown_is_at_least_interval_bounds_and_never_above_a_sampled_value() -> None:
    weights, region = toy()
    relaxed, possible = bounded(weights, region, no_splits(weights))
    crown = linear_rows(weights, region, relaxed).lower[0, :3].numpy()
    assert possible.all()
    assert (crown >= interval_rows(weights, region).numpy() - 1e-12).all()
    points = np.random.Generator(np.random.Philox(0)).uniform(-0.3, 0.3, (10_000, 6))
    assert (weights.network.forward(points).min(axis=0) >= crown).all()


def test_a_linear_network_is_bounded_exactly() -> None:
    weights = Weights.of(dense_chain([(np.array([[1.0, -2.0]]), np.array([0.5]))]))
    region = InputSet.box(np.array([0.0, 0.0]), np.array([1.0, 1.0]))
    assert float(linear_rows(weights, region, []).lower) == -1.5


@pytest.mark.parametrize("seed", range(12))
def test_bounds_under_splits_hold_where_the_splits_do(seed: int) -> None:
    query = random_question(seed).query()
    weights, generator = Weights.of(query.network), np.random.Generator(np.random.Philox(seed))
    signs = [
        torch.from_numpy(generator.integers(-1, 2, (1, layer.units)).astype(float)) for layer in query.network.hidden
    ]
    relaxed, possible = bounded(weights, query.region, signs)
    lower = linear_rows(weights, query.region, relaxed).lower[0, 0]
    points = generator.uniform(query.region.lower, query.region.upper, (4000, query.network.inputs))
    sources, kept = [points], np.ones(len(points), dtype=bool)
    for layer, sign in zip(query.network.hidden, signs, strict=True):
        z = layer.applied(sources)
        kept &= (z * sign.numpy() >= 0).all(axis=1)
        sources.append(np.maximum(z, 0))
    rows = query.network.output.applied(sources)[kept]
    assert possible.all() or not kept.any()
    assert rows.size == 0 or rows[:, 0].min() >= float(lower) - 1e-9


def test_splits_that_exclude_each_other_leave_an_empty_subdomain() -> None:
    weights = Weights.of(dense_chain([(np.array([[1.0]]), np.array([5.0])), (np.array([[1.0]]), np.array([0.0]))]))
    region = InputSet.box(np.array([-1.0]), np.array([1.0]))
    _, possible = bounded(weights, region, [torch.tensor([[-1.0]], dtype=torch.float64)])
    assert not possible.any()


def test_the_mean_of_two_rows_can_be_positive_where_neither_row_is() -> None:
    weights = Weights.of(dense_chain([(np.array([[1.0], [-1.0]]), np.array([0.5, 0.5]))]))
    region = InputSet.box(np.array([-1.0]), np.array([1.0]))
    assert linear_rows(weights, region, []).lower.tolist() == [[-0.5, -0.5, 0.5]]
