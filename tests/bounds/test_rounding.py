from fractions import Fraction

import pytest
import torch
from torch import Tensor, nn

from robustcert.bounds.interval import interval_bounds
from robustcert.bounds.linear import linear_bounds
from robustcert.bounds.network import Network
from robustcert.bounds.regions import ball
from robustcert.bounds.rounding import UNIT, magnitudes_of
from robustcert.bounds.tracing import network_of
from tests.bounds.networks import all_networks


def exact_output(network: Network, x_D: Tensor) -> list[Fraction]:
    """The output of a network of linear layers and ReLUs in rational arithmetic."""
    values = [Fraction(float(number)) for number in x_D]
    for node in network.nodes[1:]:
        if node.op == "relu":
            values = [max(value, Fraction(0)) for value in values]
        elif node.op == "linear":
            weight, bias = node.parameters["weight"].tolist(), node.parameters["bias"].tolist()
            values = [
                Fraction(b) + sum((Fraction(w) * value for w, value in zip(row, values, strict=True)), Fraction(0))
                for row, b in zip(weight, bias, strict=True)
            ]
    return values


def test_bounds_of_a_point_enclose_its_exact_output_which_float64_misses_by_less_than_the_slack() -> None:
    module, shape = all_networks()["mlp"]
    network = network_of(module, input_shape=shape)
    x_BD = torch.rand((40, 6), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    region = ball("linf", x_BD, 0.0)
    slack, computed = magnitudes_of(network, region).slack(len(network.nodes) - 1), network.forward(x_BD)
    bounds, missed = (interval_bounds(network, region), linear_bounds(network, region)), 0
    for row in range(len(x_BD)):
        for k, value in enumerate(exact_output(network, x_BD[row])):
            for lower, upper in bounds:
                assert Fraction(float(lower[row, k])) <= value <= Fraction(float(upper[row, k]))
            missed += Fraction(float(computed[row, k])) != value
            assert abs(Fraction(float(computed[row, k])) - value) <= Fraction(float(slack[row, k]))
    assert missed > 0


def test_one_wide_layer_s_interval_encloses_the_exact_sum_on_both_sides() -> None:
    network = network_of(nn.Linear(200, 60), input_shape=(200,))
    x_BD = torch.rand((1, 200), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    (lower,), (upper,) = interval_bounds(network, ball("linf", x_BD, 0.0))
    for k, value in enumerate(exact_output(network, x_BD[0])):
        assert Fraction(float(lower[k])) <= value <= Fraction(float(upper[k]))


def test_slack_is_a_few_units_in_the_last_place_and_grows_with_the_magnitudes() -> None:
    module, shape = all_networks()["resnet"]
    network = network_of(module, input_shape=shape)
    small, large = (magnitudes_of(network, ball("linf", torch.full((1, *shape), size), 0.1)) for size in (1.0, 1e6))
    last = len(network.nodes) - 1
    assert float(small.slack(last).max()) < 1e-6
    assert float(large.slack(last).min()) > 1e3 * float(small.slack(last).max())
    assert small.operations[last] > small.operations[1] > 0


def test_the_slack_of_a_specification_is_the_weighted_sum_of_its_outputs_magnitudes() -> None:
    module, shape = all_networks()["mlp"]
    network = network_of(module, input_shape=shape)
    magnitudes = magnitudes_of(network, ball("linf", torch.ones(1, 6), 0.1))
    last, C = len(network.nodes) - 1, torch.tensor([[[1.0, -2.0, 0.0]]]).double()
    wanted = magnitudes.sums[last][0, 0] + 2 * magnitudes.sums[last][0, 1]
    operations = magnitudes.operations[last] + 3 + 2
    assert float(magnitudes.slack_of(last, C)) == pytest.approx(float(2 * UNIT * operations * wanted))
