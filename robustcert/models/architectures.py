"""Reference architectures, small enough to train and certify on two cores.

Shapes: B batch, C channels, H height, W width, D features, K classes. Every body maps normalised x_BCHW or x_BD to
logits_BK. Normalisation is not here: it belongs to `robustcert.models.model.Classifier`.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from robustcert.errors import ModelError, expected
from robustcert.models.card import Parameter
from robustcert.specification import Model

MAX_LAYERS = 32
MAX_HIDDEN = 8192
MAX_WIDTH = 512
MIN_SIDE = 4


def mlp(input_shape: Sequence[int], n_classes: int, *, hidden: Sequence[int]) -> nn.Sequential:
    """Fully connected ReLU network; `hidden` are the widths of its hidden layers, ModelError outside 1..8192 each."""
    if not 0 < len(hidden) <= MAX_LAYERS or not all(0 < width <= MAX_HIDDEN for width in hidden):
        limits = f"1 to {MAX_LAYERS} hidden layers of 1 to {MAX_HIDDEN} units"
        raise ModelError(expected(limits, got=list(hidden), remedy="change the model's 'hidden'"))
    layers: OrderedDict[str, nn.Module] = OrderedDict(flatten=nn.Flatten())
    width = math.prod(input_shape)
    for number, units in enumerate(hidden, start=1):
        layers[f"hidden{number}"] = nn.Linear(width, units)
        layers[f"relu{number}"] = nn.ReLU()
        width = units
    layers["output"] = nn.Linear(width, n_classes)
    return nn.Sequential(layers)


def small_cnn(input_shape: Sequence[int], n_classes: int, *, width: int) -> nn.Sequential:
    """Three 3x3 convolutions of width, 2 width, 2 width, the last two with stride 2, and two linear layers."""
    channels, height, side = _image(input_shape, width)
    flat = 2 * width * _halved(_halved(height)) * _halved(_halved(side))
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(channels, width, 3, padding=1),
            relu1=nn.ReLU(),
            conv2=nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
            relu2=nn.ReLU(),
            conv3=nn.Conv2d(2 * width, 2 * width, 3, stride=2, padding=1),
            relu3=nn.ReLU(),
            flatten=nn.Flatten(),
            hidden=nn.Linear(flat, 8 * width),
            relu4=nn.ReLU(),
            output=nn.Linear(8 * width, n_classes),
        )
    )


def resnet(input_shape: Sequence[int], n_classes: int, *, width: int) -> nn.Sequential:
    """ResNet-8 in CIFAR style (He et al. 2016, section 4.2, n = 1): 3 stages of width, 2 width, 4 width, BatchNorm."""
    channels, _, _ = _image(input_shape, width)
    return nn.Sequential(
        OrderedDict(
            conv=nn.Conv2d(channels, width, 3, padding=1, bias=False),
            norm=nn.BatchNorm2d(width),
            relu=nn.ReLU(),
            stage1=ResidualBlock(width, width, stride=1),
            stage2=ResidualBlock(width, 2 * width, stride=2),
            stage3=ResidualBlock(2 * width, 4 * width, stride=2),
            pool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            output=nn.Linear(4 * width, n_classes),
        )
    )


class ResidualBlock(nn.Module):
    """Basic block: two 3x3 convolutions with BatchNorm, added to the input or its 1x1 projection."""

    def __init__(self, inputs: int, outputs: int, *, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.shortcut = _shortcut(inputs, outputs, stride=stride)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Map x_BCHW to (B, outputs, ceil(H / stride), ceil(W / stride))."""
        residual_BCHW = functional.relu(self.norm1(self.conv1(x_BCHW)))
        residual_BCHW = self.norm2(self.conv2(residual_BCHW))
        return functional.relu(residual_BCHW + self.shortcut(x_BCHW))


ARCHITECTURES: dict[str, tuple[Callable[..., nn.Sequential], str]] = {
    "mlp": (mlp, "hidden"),
    "small-cnn": (small_cnn, "width"),
    "resnet": (resnet, "width"),
}


def build(
    architecture: str, parameters: Mapping[str, Parameter], *, input_shape: Sequence[int], n_classes: int, seed: int
) -> nn.Sequential:
    """Body of a named architecture, initialised by torch's defaults from `seed`; the global generator is left alone.

    Raises ModelError when the architecture is unknown, its parameters are not exactly the ones it takes, or the input
    has a shape that it can't take.
    """
    maker, parameter = _maker(architecture, parameters)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return maker(input_shape, n_classes, **{parameter: parameters[parameter]})


def parameters_of(model: Model) -> dict[str, Parameter]:
    """The parameters that the specified architecture takes, as a card holds them; KeyError when none is named."""
    _, parameter = ARCHITECTURES[str(model.architecture)]
    value: Parameter = getattr(model, parameter)
    return {parameter: value}


def _maker(architecture: str, parameters: Mapping[str, Parameter]) -> tuple[Callable[..., nn.Sequential], str]:
    if architecture not in ARCHITECTURES:
        raise ModelError(expected(f"one of {sorted(ARCHITECTURES)}", got=repr(architecture), remedy="name one of them"))
    maker, parameter = ARCHITECTURES[architecture]
    kind = int if parameter == "width" else tuple
    if set(parameters) != {parameter} or not isinstance(parameters[parameter], kind):
        what = f"only the parameter '{parameter}' for {architecture}"
        raise ModelError(expected(what, got=dict(parameters), remedy="correct the model's parameters"))
    return maker, parameter


def _image(input_shape: Sequence[int], width: int) -> tuple[int, int, int]:
    if len(input_shape) != 3 or min(input_shape[1:]) < MIN_SIDE:
        what = f"images (C, H, W) of at least {MIN_SIDE} x {MIN_SIDE}"
        raise ModelError(expected(what, got=tuple(input_shape), remedy="use architecture mlp"))
    if not 0 < width <= MAX_WIDTH:
        raise ModelError(expected(f"a width of 1 to {MAX_WIDTH}", got=width, remedy="change the model's 'width'"))
    return input_shape[0], input_shape[1], input_shape[2]


def _halved(side: int) -> int:
    return (side + 1) // 2


def _shortcut(inputs: int, outputs: int, *, stride: int) -> nn.Module:
    if inputs == outputs and stride == 1:
        return nn.Identity()
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs))
