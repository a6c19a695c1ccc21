import json
import math
from pathlib import Path

import pytest
import torch

from benchmarks.bounds_against_auto_lirpa import inputs, networks
from robustcert.bounds.alpha import Slopes, alpha_bounds
from robustcert.bounds.linear import intermediate_bounds, linear_bounds
from robustcert.bounds.regions import ball
from robustcert.bounds.tracing import network_of
from tests.bounds.inside import drawn, outputs
from tests.bounds.networks import all_networks
from tests.bounds.toy import toy_network

RECORDED = json.loads((Path(__file__).parent / "auto_lirpa.json").read_text())["bounds"]
NETWORKS = all_networks()
AUTO_LIRPA_TOY = 0.1524


def test_the_toy_network_is_bounded_at_least_as_tightly_as_by_auto_lirpa() -> None:
    region, C_BQK = ball("linf", torch.zeros(1, 6), 0.3), torch.eye(3)[None]
    assert float(alpha_bounds(toy_network(), region, C_BQK, iterations=100)[0, 0]) >= AUTO_LIRPA_TOY
    own = float(alpha_bounds(toy_network(), region, C_BQK, iterations=100, slopes="outputs")[0, 0])
    assert own == pytest.approx(0.1482, abs=5e-5)


@pytest.mark.parametrize("name", RECORDED)
def test_bounds_are_as_tight_as_auto_lirpa_s_after_the_same_steps(name: str) -> None:
    module, shape, epsilon = networks()[name]
    network, region = network_of(module, input_shape=shape), ball("linf", inputs(shape), epsilon)
    C_BQK = torch.eye(4, dtype=torch.float64).expand(2, -1, -1)
    lower = alpha_bounds(network, region, C_BQK, iterations=20)
    upper = -alpha_bounds(network, region, -C_BQK, iterations=20)
    theirs = torch.tensor(RECORDED[name]["CROWN-Optimized"]).double()
    assert bool((lower >= theirs[:2] - 1e-4).all())
    assert bool((upper <= theirs[2:] + 1e-4).all())


@pytest.mark.parametrize("slopes", ["outputs", "all"])
@pytest.mark.parametrize(
    "name", ["mlp", "leaky relu", "relu6", "convolutions", "small max pool", "resnet", "classifier"]
)
def test_optimised_bounds_hold_and_are_tighter_than_linear_ones(name: str, slopes: Slopes) -> None:
    module, shape = NETWORKS[name]
    network = network_of(module, input_shape=shape)
    region = ball("linf", torch.rand((2, *shape), generator=torch.Generator().manual_seed(1)), 0.3)
    C_BQK = torch.eye(network.n_outputs).expand(2, -1, -1)
    bound = alpha_bounds(network, region, C_BQK, iterations=4, slopes=slopes)
    plain = linear_bounds(network, region, C_BQK)[0]
    assert bool((bound >= plain - 1e-12).all())
    assert float((bound - plain).sum()) > 1e-6
    assert bool((outputs(network, drawn(region, 1000)) >= bound - 1e-12).all())


def test_without_a_free_slope_the_bound_is_the_linear_one() -> None:
    module, shape = NETWORKS["tanh"]
    network, region = network_of(module, input_shape=shape), ball("l2", torch.zeros(1, *shape), 0.1)
    C_BQK = torch.eye(3, dtype=torch.float64)[None]
    torch.testing.assert_close(alpha_bounds(network, region, C_BQK), linear_bounds(network, region, C_BQK)[0])


@pytest.mark.parametrize("side", [1, -1])
def test_multipliers_of_a_split_tighten_its_bound_and_keep_it_sound(side: int) -> None:
    network, region, C_BQK = toy_network(), ball("linf", torch.zeros(1, 6), 0.3), torch.eye(3)[None]
    ranges = intermediate_bounds(network, region)
    lower, upper = ranges[3]
    place = int(torch.minimum(-lower, upper)[0].argmax())
    split = torch.zeros((1, 12))
    split[0, place] = side
    options = {"slopes": "outputs", "intermediate": ranges, "iterations": 30}
    bound = alpha_bounds(network, region, C_BQK, splits={4: split}, **options)
    x = drawn(region, 6000)
    values = network.values(x.flatten(0, 1))
    kept = side * values[3][:, place] >= 0
    assert 20 < int(kept.sum()) < 5980
    assert bool((values[-1][kept] >= bound - 1e-12).all())
    plain = alpha_bounds(network, region, C_BQK, **options)
    assert float((bound - plain).max()) > 1e-4


def test_splits_that_leave_nothing_bound_everything() -> None:
    network, region = toy_network(), ball("linf", torch.zeros(1, 6), 0.01)
    lower, _ = intermediate_bounds(network, region)[1]
    split = torch.where(torch.arange(12) == int(lower[0].argmax()), -1, 0)[None]
    assert alpha_bounds(network, region, torch.eye(3)[None], splits={2: split}).tolist() == [[math.inf] * 3]


def test_samples_are_optimised_independently() -> None:
    network, C_BQK = toy_network(), torch.eye(3).expand(3, -1, -1)
    region = ball("linf", torch.rand((3, 6), generator=torch.Generator().manual_seed(0)), 0.3)
    together = alpha_bounds(network, region, C_BQK, iterations=5)
    alone = torch.cat(
        [alpha_bounds(network, region.rows(slice(row, row + 1)), C_BQK[:1], iterations=5) for row in range(3)]
    )
    torch.testing.assert_close(alone, together, rtol=0, atol=1e-12)
