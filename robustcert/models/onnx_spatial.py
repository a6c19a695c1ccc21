"""ONNX operators on feature maps, in torch: convolution, pooling, padding, batch normalisation.

Source: https://onnx.ai/onnx/operators, opset 11 to 21. Shapes: x_BCX with X one, two or three spatial axes. Pads
are (begin, end) per spatial axis and are put around x first, because torch's own layers take no unequal ones.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from robustcert.models.onnx_graph import Node, Operator

MAX_PAD = 1024

CONVOLUTIONS = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}
MAX_POOLS = {1: functional.max_pool1d, 2: functional.max_pool2d, 3: functional.max_pool3d}
AVERAGE_POOLS = {1: functional.avg_pool1d, 2: functional.avg_pool2d, 3: functional.avg_pool3d}

Pads = list[tuple[int, int]]


def convolve(node: Node, x_BCX: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Convolution with strides, dilations, groups and any padding."""
    kernel = tuple(weight.shape[2:])
    if tuple(node.attributes.get("kernel_shape", kernel)) != kernel:
        raise node.refusal(f"kernel_shape other than the weight's {kernel}")
    strides, dilations = _per_axis(node, "strides", x_BCX), _per_axis(node, "dilations", x_BCX)
    padded_BCX = _padded(x_BCX, _pads(node, x_BCX, kernel=kernel), value=0.0)
    function = CONVOLUTIONS[len(kernel)]
    return function(padded_BCX, weight, bias, strides, 0, dilations, node.attributes.get("group", 1))


def max_pool(node: Node, x_BCX: Tensor) -> Tensor:
    """Largest value of each window; padding never wins."""
    kernel = tuple(node.attributes["kernel_shape"])
    strides, dilations = _per_axis(node, "strides", x_BCX), _per_axis(node, "dilations", x_BCX)
    pads = _pads(node, x_BCX, kernel=kernel)
    padded_BCX = _padded(x_BCX, pads, value=-torch.inf)
    _refuse_partial_windows(node, padded_BCX, kernel=kernel)
    return MAX_POOLS[len(kernel)](padded_BCX, kernel, strides, 0, dilations)


def average_pool(node: Node, x_BCX: Tensor) -> Tensor:
    """Mean of each window, over its padding too where count_include_pad says so."""
    kernel = tuple(node.attributes["kernel_shape"])
    if any(dilation != 1 for dilation in _per_axis(node, "dilations", x_BCX)):
        raise node.refusal("dilations")
    pads, strides = _pads(node, x_BCX, kernel=kernel), _per_axis(node, "strides", x_BCX)
    padded_BCX, pool = _padded(x_BCX, pads, value=0.0), AVERAGE_POOLS[len(kernel)]
    _refuse_partial_windows(node, padded_BCX, kernel=kernel)
    mean_BCX = pool(padded_BCX, kernel, strides)
    if node.attributes.get("count_include_pad", 0) or not any(map(any, pads)):
        return mean_BCX
    return mean_BCX / pool(_padded(torch.ones_like(x_BCX[:1, :1]), pads, value=0.0), kernel, strides)


def batch_normalization(node: Node, x_BCX: Tensor, scale: Tensor, bias: Tensor, mean: Tensor, var: Tensor) -> Tensor:
    """Normalisation by the stored mean and variance of each channel; refused in training mode."""
    if node.attributes.get("training_mode", 0):
        raise node.refusal("training_mode")
    return functional.batch_norm(
        x_BCX, mean, var, scale, bias, training=False, eps=node.attributes.get("epsilon", 1e-5)
    )


def global_average_pool(_: Node, x_BCX: Tensor) -> Tensor:
    """Mean over all spatial axes, which stay with size 1."""
    return x_BCX.mean(dim=tuple(range(2, x_BCX.ndim)), keepdim=True)


def global_max_pool(_: Node, x_BCX: Tensor) -> Tensor:
    """Largest value over all spatial axes, which stay with size 1."""
    return x_BCX.amax(dim=tuple(range(2, x_BCX.ndim)), keepdim=True)


def pad(node: Node, x: Tensor, pads: Tensor, value: Tensor | None = None, axes: Tensor | None = None) -> Tensor:
    """A constant around x, never along the batch; other modes are refused."""
    if node.attributes.get("mode", "constant") != "constant":
        raise node.refusal(f"mode {node.attributes['mode']!r}")
    chosen = range(x.ndim) if axes is None else [int(axis) % x.ndim for axis in axes]
    half, sizes = len(pads) // 2, [int(size) for size in pads]
    around = dict(zip(chosen, zip(sizes[:half], sizes[half:], strict=True), strict=True))
    if any(around.get(0, (0, 0))):
        raise node.refusal("pads along the batch")
    _refuse_pads(node, sizes, lowest=-MAX_PAD)
    number = 0.0 if value is None else float(value)
    return _padded(x, [around.get(axis, (0, 0)) for axis in range(1, x.ndim)], value=number)


_POOL = frozenset({"auto_pad", "ceil_mode", "dilations", "kernel_shape", "pads", "strides"})

OPERATORS: dict[str, Operator] = {
    "AveragePool": Operator(run=average_pool, attributes=_POOL | {"count_include_pad"}),
    "BatchNormalization": Operator(
        run=batch_normalization, attributes=frozenset({"epsilon", "momentum", "training_mode"})
    ),
    "Conv": Operator(
        run=convolve, attributes=frozenset({"auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"})
    ),
    "GlobalAveragePool": Operator(run=global_average_pool),
    "GlobalMaxPool": Operator(run=global_max_pool),
    "MaxPool": Operator(run=max_pool, attributes=_POOL | {"storage_order"}),
    "Pad": Operator(run=pad, attributes=frozenset({"mode"})),
}


def _per_axis(node: Node, name: str, x_BCX: Tensor) -> tuple[int, ...]:
    return tuple(node.attributes.get(name, (1,) * (x_BCX.ndim - 2)))


def _pads(node: Node, x_BCX: Tensor, *, kernel: Sequence[int]) -> Pads:
    """(begin, end) per spatial axis, from `pads` or `auto_pad`."""
    axes, automatic = len(kernel), node.attributes.get("auto_pad", "NOTSET")
    if automatic in ("SAME_UPPER", "SAME_LOWER"):
        return _same_pads(node, x_BCX, kernel=kernel, larger_end=automatic == "SAME_UPPER")
    sizes = (0,) * 2 * axes if automatic == "VALID" else node.attributes.get("pads", (0,) * 2 * axes)
    _refuse_pads(node, sizes, lowest=0)
    return list(zip(sizes[:axes], sizes[axes:], strict=True))


def _same_pads(node: Node, x_BCX: Tensor, *, kernel: Sequence[int], larger_end: bool) -> Pads:
    """As much padding as gives ceil(size / stride) windows; the odd one at the end or at the beginning."""
    pads = []
    strides, dilations = _per_axis(node, "strides", x_BCX), _per_axis(node, "dilations", x_BCX)
    for size, width, stride, dilation in zip(x_BCX.shape[2:], kernel, strides, dilations, strict=True):
        total = max(0, (-(-size // stride) - 1) * stride + dilation * (width - 1) + 1 - size)
        small, large = total // 2, total - total // 2
        pads.append((small, large) if larger_end else (large, small))
    return pads


def _refuse_pads(node: Node, sizes: Sequence[int], *, lowest: int) -> None:
    if not all(lowest <= size <= MAX_PAD for size in sizes):
        raise node.refusal(f"pads outside {lowest} to {MAX_PAD}")


def _refuse_partial_windows(node: Node, padded_BCX: Tensor, *, kernel: Sequence[int]) -> None:
    """With ceil_mode, ONNX and torch count windows that hang over the edge differently; none may hang over."""
    if not node.attributes.get("ceil_mode", 0):
        return
    strides, dilations = _per_axis(node, "strides", padded_BCX), _per_axis(node, "dilations", padded_BCX)
    for size, width, stride, dilation in zip(padded_BCX.shape[2:], kernel, strides, dilations, strict=True):
        if (size - dilation * (width - 1) - 1) % stride:
            raise node.refusal("ceil_mode with windows over the edge")


def _padded(x: Tensor, pads: Pads, *, value: float) -> Tensor:
    """x with `pads` around its last axes."""
    if not any(map(any, pads)):
        return x
    return functional.pad(x, [size for pair in reversed(pads) for size in pair], value=value)
