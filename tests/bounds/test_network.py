import pytest
import torch
from torch import nn

from robustcert.bounds.network import RECTIFIERS, UnsupportedOperator
from robustcert.bounds.tracing import network_of


def test_a_network_lists_its_nodes_and_runs_them() -> None:
    module = nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 2))
    network = network_of(module, input_shape=(3,))
    assert (network.input_shape, network.n_outputs) == ((3,), 2)
    assert network.numbers_of(RECTIFIERS) == (2,)
    assert network.numbers_of(("linear", "tanh")) == (1, 3, 4, 5)
    values = network.values(torch.ones(2, 3))
    assert [tuple(value.shape) for value in values] == [(2, *node.shape) for node in network.nodes]
    assert values[-1].dtype == torch.float64


def test_the_error_of_an_unsupported_operator_says_what_is_supported() -> None:
    with pytest.raises(UnsupportedOperator, match=r"got the unsupported operator erf: too curved; use linear and conv"):
        raise UnsupportedOperator("erf", why="too curved")
