from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from robustcert.bounds.network import UnsupportedOperator
from robustcert.bounds.tracing import network_of

A = torch.tensor([[0.5, -2.0, 3.0]])


class Function(nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "x + a": lambda x: x + A,
    "a + x": lambda x: torch.add(A, x, alpha=2),
    "x - a": lambda x: torch.sub(x, A, alpha=3),
    "1 - x": lambda x: 1.0 - x,
    "a - x": lambda x: torch.rsub(x, A, alpha=0.5),
    "x - 2 y": lambda x: torch.sub(x * A, x, alpha=2),
    "-x * a": lambda x: -x * A,
    "x / a": lambda x: x / A,
    "x @ W": lambda x: x @ torch.arange(6.0).reshape(3, 2),
    "b + x W": lambda x: torch.addmm(torch.ones(2), x, torch.arange(6.0).reshape(3, 2)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_arithmetic_is_translated(name: str) -> None:
    x = torch.rand((4, 3), generator=torch.Generator().manual_seed(0))
    network = network_of(Function(FUNCTIONS[name]), input_shape=(3,))
    torch.testing.assert_close(network.forward(x), FUNCTIONS[name](x).double(), rtol=1e-6, atol=1e-6)


def test_batch_norm_is_folded_into_the_layer_before_it() -> None:
    module = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)).eval()
    network = network_of(module, input_shape=(3,))
    assert [node.op for node in network.nodes] == ["input", "linear"]


@pytest.mark.parametrize(
    ("match", "function"),
    [
        ("batch_norm: it is in training mode; call eval", nn.BatchNorm1d(3)),
        ("mul: a product of two values", Function(lambda x: x * x)),
        ("div: a divisor that depends on the input", Function(lambda x: A / (x + 2))),
        ("div: .* rounded quotient", Function(lambda x: torch.div(x, 2.0, rounding_mode="floor"))),
        ("addmm: it is not a layer with one bias a unit", Function(lambda x: torch.addmm(x, x, torch.eye(3)))),
        (
            "convolution: a weight that depends",
            Function(lambda x: nn.functional.conv1d(torch.ones(3, 1, 3), x[:, None])),
        ),
    ],
)
def test_what_is_not_linear_in_the_input_is_refused(match: str, function: nn.Module) -> None:
    with pytest.raises(UnsupportedOperator, match=match):
        network_of(function, input_shape=(3,))
