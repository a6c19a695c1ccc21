"""Small random networks that between them hold every operator with bounds. Shapes: B batch, C channels, H, W, D."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from robustcert.models.architectures import mlp, resnet, small_cnn
from robustcert.models.model import Classifier

Shape = tuple[int, ...]


class Branches(nn.Module):
    """Views, branches, a permutation, padding, concatenation, clamps and constants, in functional calls."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 3, padding="same", groups=2)
        self.norm = nn.BatchNorm2d(4)
        self.linear = nn.Linear(4 * 3 * 3 + 4, 5)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        h = functional.hardtanh(self.norm(self.conv(functional.pad(1.0 - x_BCHW, (1, 0, 1, 0)))), -1.0, 1.5)
        left, right = h[:, :2], h[:, 2:].abs()
        h = torch.cat([right, left - 0.5 * right], dim=1).transpose(2, 3)
        pooled = functional.adaptive_avg_pool2d(h, 3) * 2.0
        features = torch.cat([pooled.flatten(1), h.mean((2, 3))], dim=1)
        return -self.linear(functional.dropout(features, training=False)) / 3.0 + features.sum(1, keepdim=True)


class Widened(nn.Module):
    """A sum in which one operand is broadcast."""

    def __init__(self) -> None:
        super().__init__()
        self.wide, self.narrow = nn.Linear(6, 4), nn.Linear(6, 1)

    def forward(self, x_BD: Tensor) -> Tensor:
        return functional.relu(self.wide(x_BD) + self.narrow(x_BD).tanh())


def activations(activation: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Linear(6, 12), activation, nn.Linear(12, 12), activation, nn.Linear(12, 3))


def convolutions(*, stride: int = 2, dilation: int = 1, pool: nn.Module | None = None) -> nn.Sequential:
    layers = [nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 6, 3, stride=stride, dilation=dilation, padding=1)]
    layers += [nn.ReLU(), pool or nn.Identity(), nn.Conv2d(6, 4, 2), nn.ReLU(), nn.Flatten(), nn.LazyLinear(5)]
    return nn.Sequential(*layers)


def signals() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv1d(2, 4, 3, padding=1), nn.ReLU(), nn.Conv1d(4, 4, 3, stride=2), nn.LeakyReLU(0.1), nn.AvgPool1d(2),
        nn.Flatten(), nn.LazyLinear(3),
    )  # fmt: skip


def volumes() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv3d(1, 2, 2), nn.ReLU(), nn.Conv3d(2, 2, 2, padding=1), nn.ReLU(), nn.Flatten(), nn.LazyLinear(3)
    )


def smooth_convolutions() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(1, 3, 3), nn.GELU(), nn.Conv2d(3, 3, 2), nn.Tanh(), nn.Flatten(), nn.LazyLinear(3))


def _classifier() -> Classifier:
    body = small_cnn((2, 6, 6), 4, width=2)
    mean, std = torch.tensor([0.3, 0.6]).reshape(2, 1, 1), torch.tensor([0.5, 0.2]).reshape(2, 1, 1)
    return Classifier(body, mean=mean, std=std)


def all_networks() -> dict[str, tuple[nn.Module, Shape]]:
    """Every network by name, in eval mode, with its input's shape; batch norms have seen data."""
    torch.manual_seed(0)
    made: dict[str, tuple[nn.Module, Shape]] = {
        "mlp": (mlp((6,), 3, hidden=(12, 12)), (6,)),
        "tanh": (activations(nn.Tanh()), (6,)),
        "sigmoid": (activations(nn.Sigmoid()), (6,)),
        "gelu": (activations(nn.GELU()), (6,)),
        "tanh gelu": (activations(nn.GELU(approximate="tanh")), (6,)),
        "leaky relu": (activations(nn.LeakyReLU(0.2)), (6,)),
        "relu6": (activations(nn.ReLU6()), (6,)),
        "widened": (Widened(), (6,)),
        "convolutions": (convolutions(), (1, 8, 8)),
        "dilated": (convolutions(stride=1, dilation=2), (1, 8, 8)),
        "max pool": (convolutions(stride=1, pool=nn.MaxPool2d(3, 2, padding=1, ceil_mode=True)), (1, 8, 8)),
        "small max pool": (convolutions(stride=1, pool=nn.MaxPool2d(2)), (1, 8, 8)),
        "average pool": (convolutions(stride=1, pool=nn.AvgPool2d(3, 2, 1, count_include_pad=False)), (1, 8, 8)),
        "conv gelu": (smooth_convolutions(), (1, 6, 6)),
        "resnet": (resnet((1, 8, 8), 4, width=2), (1, 8, 8)),
        "classifier": (_classifier(), (2, 6, 6)),
        "branches": (Branches(), (2, 6, 6)),
        "signals": (signals(), (2, 12)),
        "volumes": (volumes(), (1, 4, 4, 4)),
    }  # fmt: skip
    for module, shape in made.values():
        module.eval()(torch.zeros((1, *shape)))
        for layer in module.modules():
            if isinstance(layer, nn.BatchNorm2d) and layer.running_mean is not None and layer.running_var is not None:
                layer.running_mean.uniform_(-0.5, 0.5)
                layer.running_var.uniform_(0.5, 1.5)
    return made
