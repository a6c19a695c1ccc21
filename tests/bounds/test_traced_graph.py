import pytest
import torch
from torch import Tensor

from robustcert.bounds.network import Network, UnsupportedOperator
from robustcert.bounds.traced_graph import (
    Graph,
    Value,
    added,
    name_of,
    per_sample,
    rearranged,
    refusal,
    reshaped,
    scaled,
)

RELU = torch.ops.aten.relu.default


def value_of(x: Value, x_BX: Tensor) -> Tensor:
    return Network(nodes=tuple(x.graph.nodes)).values(x_BX)[x.number]


def start(*shape: int) -> Value:
    return Value(Graph(shape, rows=3), 0)


def test_what_is_broadcast_in_torch_is_broadcast_here() -> None:
    x_BX = torch.rand((2, 3, 1), generator=torch.Generator().manual_seed(0)).double()
    factor, x = torch.rand((1, 4)).double(), start(3, 1)
    assert torch.equal(value_of(scaled(x, factor, 2.0), x_BX), x_BX * factor + 2.0)
    wide = scaled(x, torch.ones(3, 4), 0.0)
    assert torch.equal(value_of(added(x, wide), x_BX), x_BX + x_BX.expand(2, 3, 4))


def test_numbers_are_moved_by_what_moves_their_places() -> None:
    x_BX = torch.rand((2, 3, 4), generator=torch.Generator().manual_seed(0)).double()
    moved = rearranged(start(3, 4), lambda places: places.flip(0).T)
    assert torch.equal(value_of(moved, x_BX), x_BX.flip(1).transpose(1, 2))
    assert torch.equal(value_of(reshaped(moved, (2, 6)), x_BX), x_BX.flip(1).transpose(1, 2).reshape(2, 2, 6))
    same = start(3)
    assert reshaped(same, (3,)) is same


def test_weights_are_held_in_float64_and_places_in_int64() -> None:
    x = scaled(start(2), torch.ones(2, dtype=torch.float32), 0.0)
    moved = rearranged(x, lambda places: places)
    nodes = x.graph.nodes
    assert nodes[1].parameters["factor"].dtype == torch.float64
    assert nodes[moved.number].parameters["index"].dtype == torch.int64


def test_a_constant_may_have_a_batch_axis_of_one_but_not_one_value_a_row() -> None:
    assert per_sample(RELU, torch.ones(1, 2), start(2)).shape == (2,)
    with pytest.raises(UnsupportedOperator, match="relu: a constant with one value per row of the batch"):
        per_sample(RELU, torch.ones(3, 2), start(2))


def test_a_refusal_names_its_function() -> None:
    assert name_of(torch.ops.aten._softmax.default) == "softmax"
    assert "operator relu: too steep" in str(refusal(RELU, "too steep"))
