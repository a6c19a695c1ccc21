"""Linear nodes, back to front, for coefficients that lie as whole arrays.

Each takes coefficients (V, N, X) of a node's output and returns those of each of its inputs, and what the node's
constants add to every row, (V, N). Shapes: V directions, N rows, X the shape of one sample.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from robustcert.bounds.network import Node

Shapes = Sequence[tuple[int, ...]]
Parts = tuple[list[Tensor], Tensor]


def through(node: Node, values: Tensor, shapes: Shapes) -> Parts:
    """Coefficients of the node's inputs, of the given shapes, from those of its output."""
    return TRANSPOSED[node.op](node, values, shapes)


def _linear(node: Node, values: Tensor, shapes: Shapes) -> Parts:
    return [values @ node.parameters["weight"]], values @ node.parameters["bias"]


def _scale(node: Node, values: Tensor, shapes: Shapes) -> Parts:
    shift = (values * node.parameters["shift"]).flatten(2).sum(dim=-1)
    return [values * node.parameters["factor"]], shift


def _reshape(node: Node, values: Tensor, shapes: Shapes) -> Parts:
    return [values.reshape(*values.shape[:2], *shapes[0])], torch.zeros(())


def _concatenate(node: Node, values: Tensor, shapes: Shapes) -> Parts:
    axis = node.parameters["axis"]
    return list(torch.split(values, [shape[axis] for shape in shapes], dim=axis + 2)), torch.zeros(())


def _rearrange(node: Node, values: Tensor, shapes: Shapes) -> Parts:
    index, flat = node.parameters["index"].flatten(), values.flatten(2)
    outside = index < 0
    back = flat.new_zeros((*flat.shape[:2], math.prod(shapes[0])))
    back = back.index_add(2, index[~outside], flat[:, :, ~outside])
    return [back.reshape(*back.shape[:2], *shapes[0])], flat[:, :, outside].sum(dim=-1) * node.parameters["fill"]


def _convolution(node: Node, values: Tensor, shapes: Shapes) -> Parts:
    """A convolution over any number of axes, as torch's transposed one of the size that fits."""
    p, flat = node.parameters, values.flatten(0, 1)
    shift = flat.flatten(2).sum(dim=-1) @ p["bias"]
    steps = zip(p["stride"], p["padding"], p["dilation"], p["weight"].shape[2:], strict=True)
    reached = [
        (out - 1) * stride - 2 * padding + dilation * (kernel - 1) + 1
        for out, (stride, padding, dilation, kernel) in zip(node.shape[1:], steps, strict=True)
    ]
    extra = [size - end for size, end in zip(shapes[0][1:], reached, strict=True)]
    back = torch.convolution(
        flat, p["weight"], None, p["stride"], p["padding"], p["dilation"], True, extra, p["groups"]
    )
    return [back.reshape(*values.shape[:2], *shapes[0])], shift.reshape(values.shape[:2])


TRANSPOSED = {
    "linear": _linear,
    "scale": _scale,
    "reshape": _reshape,
    "concatenate": _concatenate,
    "rearrange": _rearrange,
    "convolution": _convolution,
}
