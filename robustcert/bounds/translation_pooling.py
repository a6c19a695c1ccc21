"""Translations of ATen's activations, of pooling, and of means and sums over axes of a sample."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from robustcert.bounds.network import UnsupportedOperator
from robustcert.bounds.traced_graph import Graph, Shape, Value, added, refusal, reshaped, scaled
from robustcert.bounds.translation_arithmetic import spread

LARGEST_MATRIX = 1 << 24

Sizes = Sequence[int]
Translation = Callable[..., Value]


def plain(op: str) -> Translation:
    """An activation without parameters."""

    def translate(graph: Graph, func: Any, x: Value, *, output_shape: Shape) -> Value:
        return graph.add(op, x, shape=output_shape)

    return translate


def leaky_relu(graph: Graph, func: Any, x: Value, slope: float = 0.01, *, output_shape: Shape) -> Value:
    """LeakyReLU with a slope in [0, 1]."""
    if not 0.0 <= slope <= 1.0:
        raise refusal(func, f"a slope of {slope}, outside 0 to 1")
    return graph.add("leaky_relu", x, shape=output_shape, slope=float(slope))


def gelu(graph: Graph, func: Any, x: Value, *, approximate: str = "none", output_shape: Shape) -> Value:
    """GELU, exact or by its tanh formula."""
    return graph.add("gelu", x, shape=output_shape, approximate=approximate)


def clamp(graph: Graph, func: Any, x: Value, low: Any = None, high: Any = None, *, output_shape: Shape) -> Value:
    """x limited to [low, high] by ReLUs: low + relu(x - low), then high - relu(high - x)."""
    if isinstance(low, Value | Tensor) or isinstance(high, Value | Tensor):
        raise refusal(func, "limits that are not numbers")
    if low is not None:
        x = scaled(graph.add("relu", scaled(x, 1.0, -low), shape=output_shape), 1.0, low)
    if high is not None:
        x = scaled(graph.add("relu", scaled(x, -1.0, high), shape=output_shape), -1.0, high)
    return x


def hardtanh(graph: Graph, func: Any, x: Value, low: float = -1, high: float = 1, *, output_shape: Shape) -> Value:
    """x limited to [-1, 1], or to the given numbers (ReLU6: 0 and 6)."""
    return clamp(graph, func, x, low, high, output_shape=output_shape)


def absolute(graph: Graph, func: Any, x: Value, *, output_shape: Shape) -> Value:
    """|x| = relu(x) + relu(-x)."""
    negated = graph.add("relu", scaled(x, -1.0, 0.0), shape=output_shape)
    return added(graph.add("relu", x, shape=output_shape), negated)


def max_pool(
    graph: Graph, func: Any, x: Value, kernel: Sizes, stride: Sizes = (), padding: Sizes = (0,),
    dilation: Sizes = (1,), ceil_mode: bool = False, *, output_shape: Shape,
) -> Value:  # fmt: skip
    """The largest of each window, found by pooling the numbers' places."""
    axes = len(x.shape) - 1
    kernel, padding, dilation = (spread(size, axes) for size in (kernel, padding, dilation))
    steps = spread(stride, axes) if stride else kernel
    windows = _windows(x.shape, output_shape, kernel=kernel, stride=steps, padding=padding, dilation=dilation)
    return graph.add("max_pool", x, shape=output_shape, windows=windows)


def average_pool(
    graph: Graph, func: Any, x: Value, kernel: Sizes, stride: Sizes = (), padding: Sizes = (0,),
    ceil_mode: bool = False, count_include_pad: bool = True, divisor: int | None = None, *, output_shape: Shape,
) -> Value:  # fmt: skip
    """The mean of each window: a convolution of every channel alone, or a matrix where windows are cut short."""
    axes = len(x.shape) - 1
    kernel, padding = spread(kernel, axes), spread(padding, axes)
    if ceil_mode or (any(padding) and not count_include_pad):
        arguments = (kernel, stride, padding, ceil_mode, count_include_pad, divisor)
        return matrix(graph, func, x, *arguments, output_shape=output_shape)
    weight = torch.full((x.shape[0], 1, *kernel), 1.0 / (divisor or math.prod(kernel)), dtype=torch.float64)
    return graph.add(
        "convolution",
        x,
        shape=output_shape,
        weight=weight,
        bias=torch.zeros(x.shape[0]),
        stride=spread(stride, axes) if stride else kernel,
        padding=padding,
        dilation=(1,) * axes,
        groups=x.shape[0],
    )


def adaptive_average_pool(graph: Graph, func: Any, x: Value, sizes: Sizes, *, output_shape: Shape) -> Value:
    """Means over a grid of windows, an average pool where the grid divides the map."""
    if any(size % parts for size, parts in zip(x.shape[1:], output_shape[1:], strict=True)):
        return matrix(graph, func, x, sizes, output_shape=output_shape)
    kernel = [size // parts for size, parts in zip(x.shape[1:], output_shape[1:], strict=True)]
    return average_pool(graph, func, x, kernel, output_shape=output_shape)


def mean(
    graph: Graph, func: Any, x: Value, axes: Sizes | None = None, keepdim: bool = False, *, output_shape: Shape
) -> Value:
    """Means over axes: an average pool where these are all the spatial ones."""
    chosen = sorted(axis % (len(x.shape) + 1) for axis in axes or ())
    if len(x.shape) > 1 and chosen == list(range(2, len(x.shape) + 1)):
        pooled = (x.shape[0],) + (1,) * len(chosen)
        return reshaped(average_pool(graph, func, x, x.shape[1:], output_shape=pooled), output_shape)
    return matrix(graph, func, x, axes, keepdim, output_shape=output_shape)


def matrix(graph: Graph, func: Any, x: Value, *arguments: Any, output_shape: Shape, **options: Any) -> Value:
    """Any linear function of one sample as a matrix, found by pushing the identity through it."""
    size, outputs = math.prod(x.shape), math.prod(output_shape)
    if size * outputs > LARGEST_MATRIX:
        raise refusal(func, f"a matrix of {size} x {outputs}")
    pushed = func(torch.eye(size, dtype=torch.float64).reshape(size, *x.shape), *arguments, **options)
    if pushed.shape[0] != size:
        raise refusal(func, "it mixes the samples of a batch")
    weight, bias = pushed.reshape(size, outputs).T.contiguous(), torch.zeros(outputs)
    flat = graph.add("linear", reshaped(x, (size,)), shape=(outputs,), weight=weight, bias=bias)
    return reshaped(flat, output_shape)


def dropout(graph: Graph, func: Any, x: Value, probability: float, train: bool, *, output_shape: Shape) -> Value:
    """Identity; refused where it drops."""
    if train:
        raise UnsupportedOperator("dropout", why="it is in training mode; call eval() on the model")
    return x


def _windows(
    shape: Shape, output_shape: Shape, *, kernel: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes
) -> Tensor:
    """The places of each window's members, -1 outside the input: (outputs, kernel size)."""
    axes = len(shape) - 1
    place = torch.arange(shape[0]).reshape(-1, *(1,) * (2 * axes))
    inside = torch.tensor(data=True)
    for axis, size in enumerate(shape[1:]):
        starts = torch.arange(output_shape[axis + 1]) * stride[axis] - padding[axis]
        at = starts[:, None] + torch.arange(kernel[axis]) * dilation[axis]
        along = [1] * (1 + 2 * axes)
        along[1 + axis], along[1 + axes + axis] = at.shape
        at = at.reshape(along)
        inside, place = inside & (at >= 0) & (at < size), place * size + at
    return torch.where(inside, place, -1).reshape(-1, math.prod(kernel))


TRANSLATIONS: dict[str, Translation] = {
    **{op: plain(op) for op in ("relu", "tanh", "sigmoid")},
    "leaky_relu": leaky_relu,
    "gelu": gelu,
    "clamp": clamp,
    "clamp_min": clamp,
    "clamp_max": lambda graph, func, x, high, **rest: clamp(graph, func, x, None, high, **rest),
    "hardtanh": hardtanh,
    "abs": absolute,
    "max_pool2d_with_indices": max_pool,
    "max_pool3d_with_indices": max_pool,
    "avg_pool1d": average_pool,
    "avg_pool2d": average_pool,
    "avg_pool3d": average_pool,
    "_adaptive_avg_pool2d": adaptive_average_pool,
    "_adaptive_avg_pool3d": adaptive_average_pool,
    "mean": mean,
    "sum": matrix,
    "native_dropout": dropout,
}
