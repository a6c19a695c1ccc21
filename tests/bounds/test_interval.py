import json
from pathlib import Path

import pytest
import torch
from torch import nn

from benchmarks.bounds_against_auto_lirpa import inputs, networks
from robustcert.bounds.interval import interval_bounds, node_intervals
from robustcert.bounds.regions import ball, margins
from robustcert.bounds.rounding import magnitudes_of
from robustcert.bounds.tracing import network_of
from tests.bounds.inside import drawn
from tests.bounds.networks import all_networks
from tests.bounds.toy import toy_network

RECORDED = json.loads((Path(__file__).parent / "auto_lirpa.json").read_text())["bounds"]
NETWORKS = all_networks()


def test_the_toy_network_of_the_literature_has_its_known_intervals() -> None:
    lower, upper = interval_bounds(toy_network(), ball("linf", torch.zeros(1, 6), 0.3))
    assert [round(value, 4) for value in lower[0].tolist()] == [-0.0498, -0.6651, -0.484]
    assert [round(value, 4) for value in upper[0].tolist()] == [0.4605, 0.0384, 0.1769]


@pytest.mark.parametrize("name", RECORDED)
def test_intervals_are_those_of_auto_lirpa(name: str) -> None:
    module, shape, epsilon = networks()[name]
    x = inputs(shape)
    found = interval_bounds(network_of(module, input_shape=shape), ball("linf", x, epsilon))
    torch.testing.assert_close(torch.cat(found), torch.tensor(RECORDED[name]["IBP"]).double(), rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_node_of_every_network_stays_in_its_interval(name: str) -> None:
    module, shape = NETWORKS[name]
    network = network_of(module, input_shape=shape)
    x = torch.rand((2, *shape), generator=torch.Generator().manual_seed(1))
    region = ball("linf", x, 0.2)
    values = network.values(drawn(region, 500).flatten(0, 1))
    for value, (lower, upper) in zip(
        values, node_intervals(network, region, magnitudes_of(network, region)), strict=True
    ):
        value_NBX = value.reshape(500, 2, *value.shape[1:])
        assert bool(((lower - 1e-12 <= value_NBX) & (value_NBX <= upper + 1e-12)).all())


def test_the_specification_is_merged_into_the_last_layer() -> None:
    """z_0 - z_1 of a layer with two equal rows is zero, however wide its input."""
    layer = nn.Linear(3, 2)
    with torch.no_grad():
        layer.weight[1], layer.bias[1] = layer.weight[0], layer.bias[0]
    region = ball("linf", torch.zeros(1, 3), 10.0)
    lower, upper = interval_bounds(network_of(layer, input_shape=(3,)), region, margins(torch.tensor([0]), 2))
    assert abs(float(lower)) < 1e-12
    assert abs(float(upper)) < 1e-12
