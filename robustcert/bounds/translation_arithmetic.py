"""Translations of ATen's additions, products, layers and batch norm."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from robustcert.bounds.network import UnsupportedOperator
from robustcert.bounds.traced_graph import Graph, Shape, Value, added, per_sample, refusal, scaled


def add(graph: Graph, func: Any, a: Any, b: Any, *, alpha: float = 1, output_shape: Shape) -> Value:
    """a + alpha b, of two values or a value and a constant."""
    if not isinstance(a, Value):
        return scaled(b, float(alpha), per_sample(func, a, b))
    if not isinstance(b, Value):
        return scaled(a, 1.0, alpha * per_sample(func, b, a))
    return added(a, b if alpha == 1 else scaled(b, float(alpha), 0.0))


def subtract(graph: Graph, func: Any, a: Any, b: Any, *, alpha: float = 1, output_shape: Shape) -> Value:
    """a - alpha b."""
    return add(graph, func, a, b, alpha=-alpha, output_shape=output_shape)


def subtract_from(graph: Graph, func: Any, a: Any, b: Any, *, alpha: float = 1, output_shape: Shape) -> Value:
    """b - alpha a."""
    return add(graph, func, b, a, alpha=-alpha, output_shape=output_shape)


def multiply(graph: Graph, func: Any, a: Any, b: Any, *, output_shape: Shape) -> Value:
    """A value times a constant; a product of two values is refused."""
    if isinstance(a, Value) and isinstance(b, Value):
        raise refusal(func, "a product of two values that both depend on the input")
    x, constant = (a, b) if isinstance(a, Value) else (b, a)
    return scaled(x, per_sample(func, constant, x), 0.0)


def divide(graph: Graph, func: Any, a: Any, b: Any, *, rounding_mode: str | None = None, output_shape: Shape) -> Value:
    """A value over a constant."""
    if isinstance(b, Value) or rounding_mode is not None:
        raise refusal(func, "a divisor that depends on the input, or a rounded quotient")
    return scaled(a, 1.0 / per_sample(func, b, a), 0.0)


def negate(graph: Graph, func: Any, x: Value, *, output_shape: Shape) -> Value:
    """-x."""
    return scaled(x, -1.0, 0.0)


def mm(graph: Graph, func: Any, x: Any, weight_IO: Any, *, output_shape: Shape) -> Value:
    """x_BI @ weight_IO."""
    return _linear(func, x, weight_IO, None)


def addmm(graph: Graph, func: Any, bias: Any, x: Any, weight_IO: Any, *, output_shape: Shape, **scales: float) -> Value:
    """bias + x_BI @ weight_IO."""
    if isinstance(bias, Value) or bias.ndim > 1 or any(scale != 1 for scale in scales.values()):
        raise refusal(func, "it is not a layer with one bias a unit")
    return _linear(func, x, weight_IO, bias)


def _linear(func: Any, x: Any, weight_IO: Any, bias: Tensor | None) -> Value:
    if not isinstance(x, Value) or isinstance(weight_IO, Value) or len(x.shape) != 1:
        raise refusal(func, "a product of matrices that is not a layer on one vector a sample")
    units = weight_IO.shape[1]
    bias_O = torch.zeros(units) if bias is None else bias.expand(units)
    return x.graph.add("linear", x, shape=(units,), weight=weight_IO.T.contiguous(), bias=bias_O)


def convolution(
    graph: Graph,
    func: Any,
    x: Any,
    weight: Any,
    bias: Any,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
    *,
    output_shape: Shape,
) -> Value:
    """A convolution layer over one to three axes; transposed ones are refused."""
    if transposed:
        raise UnsupportedOperator("transposed convolution")
    if not isinstance(x, Value) or isinstance(weight, Value) or isinstance(bias, Value):
        raise refusal(func, "a weight that depends on the input")
    if len(x.shape) != weight.ndim - 1:
        raise refusal(func, "an input without its channels' axis")
    sizes = {"stride": stride, "padding": padding, "dilation": dilation}
    held = {name: spread(size, weight.ndim - 2) for name, size in sizes.items()}
    bias = torch.zeros(len(weight)) if bias is None else bias
    return graph.add("convolution", x, shape=output_shape, weight=weight, bias=bias, groups=groups, **held)


def spread(sizes: Sequence[int] | int, axes: int) -> tuple[int, ...]:
    """One size per axis, as torch reads a single number."""
    listed = [sizes] if isinstance(sizes, int) else list(sizes)
    return tuple(listed * axes if len(listed) == 1 else listed)


def batch_norm(
    graph: Graph, func: Any, x: Any, weight: Any, bias: Any, mean: Any, var: Any, *rest: Any, output_shape: Shape
) -> Value:
    """Batch norm by its stored mean and variance; refused in training mode."""
    *training, _, eps = rest
    if any(training) or mean is None or not isinstance(x, Value):
        raise UnsupportedOperator("batch_norm", why="it is in training mode; call eval() on the model")
    axes = (-1,) + (1,) * (len(x.shape) - 1)
    factor = (1.0 if weight is None else weight.double()) / (var.double() + eps).sqrt()
    shift = (0.0 if bias is None else bias.double()) - mean.double() * factor
    return scaled(x, factor.reshape(axes), shift.reshape(axes))


TRANSLATIONS: dict[str, Callable[..., Value]] = {
    "add": add,
    "sub": subtract,
    "rsub": subtract_from,
    "mul": multiply,
    "div": divide,
    "neg": negate,
    "mm": mm,
    "addmm": addmm,
    "convolution": convolution,
    "native_batch_norm": batch_norm,
    "_native_batch_norm_legit_no_training": batch_norm,
    "cudnn_batch_norm": batch_norm,
}
