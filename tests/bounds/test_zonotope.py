import pytest
import torch

from robustcert.bounds.interval import interval_bounds
from robustcert.bounds.network import UnsupportedOperator
from robustcert.bounds.regions import ball, margins
from robustcert.bounds.tracing import network_of
from robustcert.bounds.zonotope import zonotope_bounds
from tests.bounds.inside import drawn, outputs
from tests.bounds.networks import all_networks

NETWORKS = all_networks()


@pytest.mark.parametrize("name", [name for name in NETWORKS if "max pool" not in name])
def test_sampled_outputs_lie_within_zonotopes_that_improve_on_intervals(name: str) -> None:
    module, shape = NETWORKS[name]
    network = network_of(module, input_shape=shape)
    region = ball("linf", torch.rand((2, *shape), generator=torch.Generator().manual_seed(1)), 0.05)
    lower, upper = zonotope_bounds(network, region)
    found, plain = outputs(network, drawn(region, 700)), interval_bounds(network, region)
    assert bool(((lower - 1e-12 <= found) & (found <= upper + 1e-12)).all())
    assert float((upper - lower).sum()) < float((plain[1] - plain[0]).sum())


def test_a_network_without_activations_has_exact_margins() -> None:
    network = network_of(torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.Linear(5, 3)), input_shape=(4,))
    x, C_BQK = torch.rand((1, 4), generator=torch.Generator().manual_seed(0)), margins(torch.tensor([0]), 3)
    weight = network.nodes[2].parameters["weight"] @ network.nodes[1].parameters["weight"]
    wanted = (C_BQK @ network.forward(x)[:, :, None])[0, :, 0] - 0.2 * (C_BQK[0] @ weight).abs().sum(dim=1)
    torch.testing.assert_close(zonotope_bounds(network, ball("linf", x, 0.2), C_BQK)[0][0], wanted, rtol=0, atol=1e-12)


def test_noise_of_two_branches_is_kept_apart() -> None:
    """|x| - |y| has all of [-1, 1], although the lines of both are the same: their symbols must not cancel."""

    class Difference(torch.nn.Module):
        def forward(self, x_BD: torch.Tensor) -> torch.Tensor:
            return x_BD[:, :1].abs() - x_BD[:, 1:].abs()

    network, region = network_of(Difference(), input_shape=(2,)), ball("linf", torch.zeros(1, 2), 1.0)
    lower, upper = zonotope_bounds(network, region)
    assert float(lower) <= -1.0
    assert float(upper) >= 1.0


def test_max_pooling_is_refused_by_name() -> None:
    module, shape = NETWORKS["small max pool"]
    network = network_of(module, input_shape=shape)
    with pytest.raises(UnsupportedOperator, match="the unsupported operator max_pool: it has no zonotope here"):
        zonotope_bounds(network, ball("linf", torch.zeros(1, *shape), 0.1))
