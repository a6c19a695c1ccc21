import json
import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from benchmarks.bounds_against_auto_lirpa import inputs, networks
from robustcert.bounds.interval import interval_bounds
from robustcert.bounds.linear import empty_samples, intermediate_bounds, linear_bounds, split_ranges
from robustcert.bounds.network import NONLINEAR
from robustcert.bounds.regions import NormName, Region, ball, box, margins
from robustcert.bounds.tracing import network_of
from tests.bounds.inside import drawn, outputs
from tests.bounds.networks import all_networks
from tests.bounds.toy import toy_network

RECORDED = json.loads((Path(__file__).parent / "auto_lirpa.json").read_text())["bounds"]
NETWORKS = all_networks()
SCALE = torch.tensor([0.5, 1.0, 2.0, 3.0])


def test_the_toy_network_of_the_literature_has_its_known_linear_bounds() -> None:
    lower, upper = linear_bounds(toy_network(), ball("linf", torch.zeros(1, 6), 0.3))
    assert [round(value, 4) for value in lower[0].tolist()] == [0.1337, -0.3472, -0.1487]
    assert [round(value, 4) for value in upper[0].tolist()] == [0.2861, -0.2335, 0.0003]


@pytest.mark.parametrize("name", RECORDED)
def test_linear_bounds_are_those_of_auto_lirpa(name: str) -> None:
    module, shape, epsilon = networks()[name]
    found = linear_bounds(network_of(module, input_shape=shape), ball("linf", inputs(shape), epsilon))
    torch.testing.assert_close(torch.cat(found), torch.tensor(RECORDED[name]["CROWN"]).double(), rtol=0, atol=1e-4)


@pytest.mark.parametrize(("norm", "order"), [("linf", 1), ("l2", 2), ("l1", math.inf)])
def test_the_bounds_of_a_linear_network_are_its_closed_form(norm: NormName, order: float) -> None:
    layers = [nn.Linear(4, 5), nn.Linear(5, 3)]
    network = network_of(nn.Sequential(*layers).double(), input_shape=(4,))
    weight = (layers[1].weight @ layers[0].weight).detach()
    x = torch.rand((2, 4), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    lower, upper = linear_bounds(network, ball(norm, x, 0.7, scale_X=SCALE))
    center, reach = network.forward(x), 0.7 * torch.linalg.vector_norm(weight * SCALE, ord=order, dim=1)
    torch.testing.assert_close(lower, center - reach, rtol=0, atol=1e-12)
    torch.testing.assert_close(upper, center + reach, rtol=0, atol=1e-12)


def regions(shape: tuple[int, ...]) -> dict[str, Region]:
    generator = torch.Generator().manual_seed(1)
    x, scale = torch.rand((2, *shape), generator=generator), 0.5 + torch.rand(shape, generator=generator)
    return {
        "linf": ball("linf", x, torch.tensor([0.02, 0.15]), lower_X=0.0, upper_X=1.0),
        "l2": ball("l2", x, 0.4, scale_X=scale),
        "l1": ball("l1", x, 0.8, scale_X=scale, lower_X=0.0, upper_X=1.0),
        "box": box(x - 0.1 * scale, x + 0.2 * scale),
    }


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("kind", ["linf", "l2", "l1", "box"])
def test_sampled_outputs_of_every_network_lie_within_bounds_that_improve_on_intervals(name: str, kind: str) -> None:
    module, shape = NETWORKS[name]
    network, region = network_of(module, input_shape=shape), regions(shape)[kind]
    lower, upper = linear_bounds(network, region)
    found = outputs(network, drawn(region, 700))
    assert bool(((lower - 1e-12 <= found) & (found <= upper + 1e-12)).all())
    plain = interval_bounds(network, region)
    assert bool((lower >= plain[0] - 1e-9).all())
    assert bool((upper <= plain[1] + 1e-9).all())
    assert float((upper - lower).sum()) < 0.9 * float((plain[1] - plain[0]).sum())


@pytest.mark.parametrize("name", NETWORKS)
def test_every_refined_range_holds_and_belongs_to_what_feeds_an_activation(name: str) -> None:
    module, shape = NETWORKS[name]
    network, region = network_of(module, input_shape=shape), regions(shape)["linf"]
    ranges = intermediate_bounds(network, region)
    assert set(ranges) == {node.inputs[0] for node in network.nodes if node.op in NONLINEAR}
    values = network.values(drawn(region, 400).flatten(0, 1))
    for number, (lower, upper) in ranges.items():
        value_NBX = values[number].reshape(400, 2, *values[number].shape[1:])
        assert bool(((lower - 1e-12 <= value_NBX) & (value_NBX <= upper + 1e-12)).all())


@pytest.mark.parametrize("name", ["mlp", "convolutions", "resnet", "small max pool"])
def test_a_sample_has_the_same_bounds_in_any_batch(name: str) -> None:
    module, shape = NETWORKS[name]
    network = network_of(module, input_shape=shape)
    region = ball("linf", torch.rand((5, *shape), generator=torch.Generator().manual_seed(2)), 0.05)
    together = linear_bounds(network, region)[0]
    order = torch.tensor([3, 0, 4, 1, 2])
    torch.testing.assert_close(linear_bounds(network, region.rows(order))[0], together[order], rtol=0, atol=1e-12)
    alone = torch.cat([linear_bounds(network, region.rows(slice(row, row + 1)))[0] for row in range(5)])
    torch.testing.assert_close(alone, together, rtol=0, atol=1e-12)


def test_ranges_given_are_used_and_change_nothing() -> None:
    network, region = toy_network(), ball("linf", torch.zeros(1, 6), 0.3)
    C_BQK = margins(torch.tensor([0]), 3)
    ranges = intermediate_bounds(network, region)
    assert torch.equal(
        linear_bounds(network, region, C_BQK, intermediate=ranges)[0], linear_bounds(network, region, C_BQK)[0]
    )
    wide = {number: (lower - 1.0, upper + 1.0) for number, (lower, upper) in ranges.items()}
    assert float(linear_bounds(network, region, C_BQK, intermediate=wide)[0].sum()) < float(
        linear_bounds(network, region, C_BQK)[0].sum()
    )


def split_at(number: int, shape: tuple[int, ...], place: int, side: int) -> dict[int, Tensor]:
    split = torch.zeros((1, *shape), dtype=torch.int8)
    split[0, place] = side
    return {number: split}


@pytest.mark.parametrize("side", [1, -1])
def test_a_split_bounds_only_the_inputs_on_its_side(side: int) -> None:
    network, region = toy_network(), ball("linf", torch.zeros(1, 6), 0.3)
    lower, upper = intermediate_bounds(network, region)[1]
    place = int((torch.minimum(-lower, upper)[0]).argmax())
    bound = linear_bounds(network, region, splits=split_at(2, (12,), place, side))[0]
    x = drawn(region, 4000)
    values = network.values(x.flatten(0, 1))
    kept = side * values[1][:, place] >= 0
    assert 100 < int(kept.sum()) < 3900
    assert bool((values[-1][kept] >= bound - 1e-12).all())
    assert float(bound.sum()) > float(linear_bounds(network, region)[0].sum())


def test_splits_that_leave_nothing_bound_everything() -> None:
    network, region = toy_network(), ball("linf", torch.zeros(1, 6), 0.01)
    lower, upper = intermediate_bounds(network, region)[1]
    place = int(lower[0].argmax())
    assert float(lower[0, place]) > 0
    bounds = linear_bounds(network, region, splits=split_at(2, (12,), place, -1))
    assert bounds[0].tolist() == [[math.inf] * 3]
    assert bounds[1].tolist() == [[-math.inf] * 3]
    ranges = split_ranges(network, {1: (lower, upper)}, split_at(2, (12,), place, -1))
    assert empty_samples(ranges, 1).tolist() == [True]
