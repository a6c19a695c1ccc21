import math

import pytest
import torch
from torch import Tensor, nn

from robustcert.bounds.network import Node
from robustcert.bounds.operators import activation, affine, evaluate, fan_in, members, moved
from robustcert.bounds.tracing import network_of


def node(op: str, shape: tuple[int, ...], **parameters: object) -> Node:
    return Node(op=op, inputs=(0,), shape=shape, parameters=parameters)


def test_an_affine_node_can_be_taken_absolutely_and_without_its_bias() -> None:
    linear = node("linear", (1,), weight=torch.tensor([[1.0, -2.0]]), bias=torch.tensor([-3.0]))
    x = torch.tensor([[10.0, 1.0]])
    assert affine(linear, x).item() == 5.0
    assert affine(linear, x, absolute=True).item() == 15.0
    assert affine(linear, x, absolute=True, bias=False).item() == 12.0


def test_a_fan_in_counts_a_neurons_products_and_its_bias() -> None:
    network = network_of(nn.Conv2d(4, 6, 3, groups=2), input_shape=(4, 5, 5))
    assert fan_in(network.nodes[1]) == 2 * 9 + 1
    assert fan_in(node("scale", (1,), factor=torch.ones(1), shift=torch.ones(1))) == 2


@pytest.mark.parametrize(
    ("op", "parameters", "wanted"),
    [
        ("relu", {}, [0.0, 0.0, 2.0]),
        ("leaky_relu", {"slope": 0.25}, [-0.25, 0.0, 2.0]),
        ("tanh", {}, [math.tanh(-1), 0.0, math.tanh(2)]),
        ("sigmoid", {}, [1 / (1 + math.e), 0.5, 1 / (1 + math.exp(-2))]),
        ("gelu", {"approximate": "none"}, [-0.5 * math.erfc(1 / math.sqrt(2)), 0.0, math.erfc(-math.sqrt(2))]),
    ],
)
def test_activations_are_their_textbook_values(op: str, parameters: dict[str, object], wanted: list[float]) -> None:
    z = torch.tensor([-1.0, 0.0, 2.0], dtype=torch.float64)
    torch.testing.assert_close(activation(node(op, (3,), **parameters), z), torch.tensor(wanted, dtype=torch.float64))


def test_a_rearranged_value_fills_what_comes_from_nowhere() -> None:
    move = node("rearrange", (2, 2), index=torch.tensor([[1, -1], [0, 1]]), fill=-7.0)
    assert moved(move, [torch.tensor([[3.0, 4.0]])]).tolist() == [[[4.0, -7.0], [3.0, 4.0]]]
    assert moved(move, [torch.tensor([[3.0, 4.0]])], absolute=True).tolist() == [[[4.0, 7.0], [3.0, 4.0]]]


def test_padding_never_wins_a_pooling_window() -> None:
    pool = node("max_pool", (2,), windows=torch.tensor([[0, 1], [1, -1]]))
    x: Tensor = torch.tensor([[-5.0, -6.0]])
    assert evaluate(pool, [x]).tolist() == [[-5.0, -6.0]]
    assert members(pool, x).tolist() == [[[-5.0, -6.0], [-6.0, -math.inf]]]


def test_sums_and_concatenations_take_any_number_of_inputs() -> None:
    a, b, c = (torch.full((1, 2), value) for value in (1.0, 2.0, 4.0))
    assert evaluate(Node(op="add", inputs=(0, 1, 2), shape=(2,)), [a, b, c]).tolist() == [[7.0, 7.0]]
    behind = Node(op="concatenate", inputs=(0, 1), shape=(4,), parameters={"axis": 0})
    assert evaluate(behind, [a, c]).tolist() == [[1.0, 1.0, 4.0, 4.0]]
