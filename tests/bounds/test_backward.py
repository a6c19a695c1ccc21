import pytest
import torch

from robustcert.bounds.backward import Backward, Rows
from robustcert.bounds.concretization import Concretization
from robustcert.bounds.fixed_lines import FixedLines
from robustcert.bounds.linear import intermediate_bounds
from robustcert.bounds.regions import ball
from robustcert.bounds.tracing import network_of
from tests.bounds.inside import drawn
from tests.bounds.networks import all_networks

NETWORKS = all_networks()


@pytest.mark.parametrize("name", NETWORKS)
def test_every_neuron_of_every_node_is_bounded_by_its_pass(name: str) -> None:
    module, shape = NETWORKS[name]
    network = network_of(module, input_shape=shape)
    region = ball("linf", torch.rand((2, *shape), generator=torch.Generator().manual_seed(1)), 0.1)
    relaxation = FixedLines(network, intermediate_bounds(network, region))
    backward, values = Backward(network, Concretization(region)), network.values(drawn(region, 200).flatten(0, 1))
    for number, node in enumerate(network.nodes[1:], start=1):
        if node.op in ("relu", "leaky_relu", "tanh", "sigmoid", "gelu", "max_pool", "reshape"):
            continue
        value_NBD = values[number].reshape(200, 2, -1)
        neuron_N = torch.arange(value_NBD.shape[2]).repeat(2)
        sample_N = torch.arange(2).repeat_interleave(value_NBD.shape[2])
        signs = torch.tensor([[1.0], [-1.0]]).double().expand(-1, len(neuron_N))
        bounds = backward.of_neurons(number, signs, Rows(neuron_N=neuron_N, sample_N=sample_N), relaxation)
        found = value_NBD[:, sample_N, neuron_N]
        assert bool((found >= bounds[0] - 1e-9).all())
        assert bool((-found >= bounds[1] - 1e-9).all())


@pytest.mark.parametrize("name", ["convolutions", "resnet", "small max pool", "mlp"])
def test_a_pass_in_small_pieces_gives_the_same_bounds(name: str) -> None:
    module, shape = NETWORKS[name]
    network = network_of(module, input_shape=shape)
    region = ball("linf", torch.rand((3, *shape), generator=torch.Generator().manual_seed(1)), 0.05)
    relaxation, concretization = FixedLines(network, intermediate_bounds(network, region)), Concretization(region)
    values = torch.eye(network.n_outputs).double().repeat(3, 1)[None]
    sample_N = torch.arange(3).repeat_interleave(network.n_outputs)
    whole, pieces = (
        Backward(network, concretization, chunk_values=size).of_outputs(values, sample_N, relaxation)
        for size in (1 << 40, 1 << 9)
    )
    torch.testing.assert_close(whole, pieces, rtol=0, atol=1e-13)
