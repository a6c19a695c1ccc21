"""Oracle: the unfolded network in float64, where rounding is no excuse."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from robustcert.models.architectures import resnet
from robustcert.models.folding import folded


def with_statistics(module: nn.Module) -> nn.Module:
    """Batch norms with statistics and weights that are not those of a new one."""
    generator = torch.Generator().manual_seed(0)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
            for tensor in (part.running_mean, part.running_var, part.weight, part.bias):
                if tensor is not None:
                    tensor.data.uniform_(0.5, 2.0, generator=generator)
    return module.eval().double().requires_grad_(False)


def norms(module: nn.Module) -> int:
    return sum(isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d) for part in module.modules())


class Shared(nn.Module):
    """A convolution whose output is used twice, and one that is called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.used, self.called = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)
        self.norm1, self.norm2 = nn.BatchNorm2d(3), nn.BatchNorm2d(3)

    def forward(self, x: Tensor) -> Tensor:
        y = self.used(x)
        return self.norm1(y) + y + self.norm2(self.called(x)) + self.called(x)


class Branching(nn.Module):
    """What a tracer can't follow."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3))

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.body(x)) if x.sum() > 0 else self.body(x)


def sequential() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 5, 3, bias=False), nn.BatchNorm2d(5), nn.ReLU(), nn.Flatten(), nn.Linear(180, 4), nn.BatchNorm1d(4)
    )


@pytest.mark.parametrize(
    ("module", "left"),
    [
        (sequential(), 0),
        (resnet((3, 8, 8), 4, width=4), 0),
        (Shared(), 2),
        (Branching(), 1),
        (nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 5, 3)), 1),
        (nn.Sequential(nn.Conv2d(3, 5, 3), nn.ReLU(), nn.BatchNorm2d(5)), 1),
        (nn.Sequential(nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5, track_running_stats=False)), 1),
    ],
    ids=["sequential", "resnet", "shared", "branching", "norm first", "norm after ReLU", "batch statistics"],
)
def test_a_folded_network_is_the_same_function(module: nn.Module, left: int) -> None:
    whole = with_statistics(module)
    other = folded(deepcopy(whole))
    x = torch.randn(6, 3, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    assert norms(other) == left
    assert torch.allclose(other(x), whole(x), rtol=1e-12, atol=1e-12)


def test_layers_with_hooks_are_left_alone() -> None:
    module = with_statistics(sequential())
    module[0].register_forward_hook(lambda *_: None)
    assert norms(folded(module)) == 1
