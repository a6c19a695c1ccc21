from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from robustcert.bounds import translation_pooling
from robustcert.bounds.network import UnsupportedOperator
from robustcert.bounds.tracing import network_of
from tests.bounds.test_translation_arithmetic import Function

POOLS: dict[str, Callable[[Tensor], Tensor]] = {
    "max": lambda x: functional.max_pool2d(x, 3, stride=2, padding=1, dilation=1, ceil_mode=True),
    "dilated max": lambda x: functional.max_pool2d(x, 2, stride=1, dilation=2),
    "max over columns": lambda x: functional.max_pool2d(x, (1, 3)),
    "average": lambda x: functional.avg_pool2d(x, 2),
    "average with padding": lambda x: functional.avg_pool2d(x, 3, 2, 1),
    "average without padding": lambda x: functional.avg_pool2d(x, 3, 2, 1, count_include_pad=False),
    "average cut short": lambda x: functional.avg_pool2d(x, 2, 2, ceil_mode=True),
    "average with divisor": lambda x: functional.avg_pool2d(x, 2, divisor_override=3),
    "adaptive": lambda x: functional.adaptive_avg_pool2d(x, (2, 3)),
    "adaptive in unlike windows": lambda x: functional.adaptive_avg_pool2d(x, 4),
    "mean over the map": lambda x: x.mean((2, 3)),
    "mean over channels": lambda x: x.mean(1, keepdim=True),
    "sum": lambda x: x.sum((1, 3)),
    "clamp": lambda x: x.clamp(-0.2, 0.3) + x.clamp(min=0.1) + x.clamp(max=-0.1),
    "relu6": lambda x: functional.relu6(9 * x),
    "abs": lambda x: x.abs(),
    "leaky": lambda x: functional.leaky_relu(x, 0.3),
    "gelu": lambda x: functional.gelu(x, approximate="tanh"),
}


@pytest.mark.parametrize("name", POOLS)
def test_pools_and_activations_are_translated(name: str) -> None:
    x = torch.randn((4, 2, 6, 6), generator=torch.Generator().manual_seed(0))
    network = network_of(Function(POOLS[name]), input_shape=(2, 6, 6))
    torch.testing.assert_close(network.forward(x), POOLS[name](x).double(), rtol=1e-6, atol=1e-6)


def test_what_would_need_a_huge_matrix_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(translation_pooling, "LARGEST_MATRIX", 100)
    with pytest.raises(UnsupportedOperator, match="sum: a matrix of 72 x 12"):
        network_of(Function(lambda x: x.sum(3)), input_shape=(2, 6, 6))


@pytest.mark.parametrize(
    ("match", "module"),
    [
        (r"leaky_relu: a slope of 1\.5", nn.LeakyReLU(1.5)),
        ("clamp: limits that are not numbers", Function(lambda x: x.clamp(torch.zeros(6), torch.ones(6)))),
    ],
)
def test_activations_outside_what_is_bounded_are_refused(match: str, module: nn.Module) -> None:
    with pytest.raises(UnsupportedOperator, match=match):
        network_of(module, input_shape=(2, 6, 6))
