"""What each operator of `robustcert.bounds.network` computes, in float64, and its absolute twin.

Shapes: B batch, X the shape of one sample. Everything here is differentiable.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from robustcert.bounds.network import ELEMENTWISE, Node

CONVOLUTIONS: dict[int, Callable[..., Tensor]] = {
    1: functional.conv1d,
    2: functional.conv2d,
    3: functional.conv3d,
}
LINEAR_OPS = ("linear", "convolution", "scale")


def evaluate(node: Node, inputs: Sequence[Tensor]) -> Tensor:
    """The node's value, batch first, from its inputs' values."""
    if node.op in ELEMENTWISE:
        return activation(node, inputs[0])
    if node.op == "max_pool":
        return members(node, inputs[0]).amax(dim=-1).reshape(-1, *node.shape)
    if node.op in LINEAR_OPS:
        return affine(node, inputs[0])
    return moved(node, inputs)


def affine(node: Node, x_BX: Tensor, *, absolute: bool = False, bias: bool = True) -> Tensor:
    """A linear, convolution or scale node; `absolute` takes the size of every weight and bias, for radii and errors."""
    weight_name, bias_name = ("factor", "shift") if node.op == "scale" else ("weight", "bias")
    weight, offset = node.parameters[weight_name], node.parameters[bias_name]
    if absolute:
        weight, offset = weight.abs(), offset.abs()
    if not bias:
        offset = torch.zeros_like(offset)
    if node.op == "scale":
        scaled: Tensor = weight * x_BX + offset
        return scaled
    if node.op == "linear":
        return functional.linear(x_BX, weight, offset)
    p = node.parameters
    convolve = CONVOLUTIONS[weight.ndim - 2]
    return convolve(x_BX, weight, offset, p["stride"], p["padding"], p["dilation"], p["groups"])


def fan_in(node: Node) -> int:
    """How many products one output of an affine node adds up, its bias included."""
    if node.op == "scale":
        return 2
    products: int = math.prod(node.parameters["weight"].shape[1:])
    return products + 1


def activation(node: Node, x: Tensor) -> Tensor:
    """An elementwise activation's value."""
    if node.op == "relu":
        return x.clamp(min=0)
    if node.op == "leaky_relu":
        return functional.leaky_relu(x, node.parameters["slope"])
    if node.op == "gelu":
        return functional.gelu(x, approximate=node.parameters["approximate"])
    return torch.tanh(x) if node.op == "tanh" else torch.sigmoid(x)


def moved(node: Node, inputs: Sequence[Tensor], *, absolute: bool = False) -> Tensor:
    """Operators that add or move numbers: monotone in every input, so the same for a value and for a bound."""
    if node.op == "add":
        return torch.stack(list(inputs)).sum(dim=0) if len(inputs) > 2 else inputs[0] + inputs[1]
    if node.op == "concatenate":
        return torch.cat(list(inputs), dim=node.parameters["axis"] + 1)
    if node.op == "reshape":
        return inputs[0].reshape(-1, *node.shape)
    assert node.op == "rearrange", node.op
    index = node.parameters["index"].flatten()
    moved_BD = inputs[0].flatten(1)[:, index.clamp(min=0)]
    fill = abs(node.parameters["fill"]) if absolute else node.parameters["fill"]
    return torch.where(index >= 0, moved_BD, fill).reshape(-1, *node.shape)


def members(node: Node, x_BX: Tensor, *, absent: float = -math.inf) -> Tensor:
    """What each window of a max_pool node sees, (B, D, W), `absent` in the place of padding."""
    windows_DW = node.parameters["windows"]
    members_BDW = x_BX.flatten(1)[:, windows_DW.clamp(min=0)]
    return torch.where(windows_DW >= 0, members_BDW, absent)
