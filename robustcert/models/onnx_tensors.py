"""ONNX operators on whole tensors, in torch: elementwise, dense, shapes.

Source: https://onnx.ai/onnx/operators, where the versions of each operator are listed; opset 11 to 21 are meant here.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from robustcert.models.onnx_graph import Node, Operator

SOFTMAX_BY_AXIS_SINCE = 13


def gemm(node: Node, a: Tensor, b: Tensor, c: Tensor | None = None) -> Tensor:
    """alpha * A' B' + beta * C, each of A and B transposed where transA or transB says so."""
    read = node.attributes.get
    product: Tensor = read("alpha", 1.0) * (a.T if read("transA", 0) else a) @ (b.T if read("transB", 0) else b)
    return product if c is None else product + read("beta", 1.0) * c


def divide(_: Node, a: Tensor, b: Tensor) -> Tensor:
    """Quotient; integers are truncated."""
    return torch.div(a, b, rounding_mode=None if a.is_floating_point() else "trunc")


def leaky_relu(node: Node, x: Tensor) -> Tensor:
    """x, or alpha x below 0."""
    return functional.leaky_relu(x, node.attributes.get("alpha", 0.01))


def elu(node: Node, x: Tensor) -> Tensor:
    """x, or alpha (exp(x) - 1) below 0."""
    return functional.elu(x, node.attributes.get("alpha", 1.0))


def prelu(_: Node, x: Tensor, slope: Tensor) -> Tensor:
    """x, or slope x below 0."""
    return torch.where(x < 0, slope * x, x)


def clip(_: Node, x: Tensor, low: Tensor | None = None, high: Tensor | None = None) -> Tensor:
    """x limited to [low, high], each optional."""
    return x if low is None and high is None else torch.clamp(x, low, high)


def softmax(node: Node, x: Tensor) -> Tensor:
    """Softmax along an axis; before opset 13 along that axis and all after it."""
    return _softmax(node, x, torch.softmax)


def log_softmax(node: Node, x: Tensor) -> Tensor:
    """Logarithm of `softmax`."""
    return _softmax(node, x, torch.log_softmax)


def dropout(node: Node, x: Tensor, _ratio: Tensor | None = None, training: Tensor | None = None) -> Tensor:
    """Identity; refused where it is told to train."""
    if training is not None and bool(training):
        raise node.refusal("training_mode")
    return x


def reduce_mean(node: Node, x: Tensor, axes: Tensor | None = None) -> Tensor:
    """Mean over axes, an attribute before opset 18 and an input since."""
    chosen = _axes(node, axes)
    if not chosen:
        raise node.refusal("a mean over no named axis")
    return x.mean(dim=chosen, keepdim=bool(node.attributes.get("keepdims", 1)))


def flatten(node: Node, x: Tensor) -> Tensor:
    """A matrix: the axes before `axis`, and the others."""
    axis = node.attributes.get("axis", 1) % x.ndim if x.ndim else 0
    return x.reshape(math.prod(x.shape[:axis]), math.prod(x.shape[axis:]))


def reshape(node: Node, x: Tensor, shape: Tensor) -> Tensor:
    """x in another shape, in which 0 copies the input's size."""
    wanted = [int(size) for size in shape]
    if node.attributes.get("allowzero", 0) and 0 in wanted:
        raise node.refusal("allowzero")
    return x.reshape([x.shape[axis] if size == 0 else size for axis, size in enumerate(wanted)])


def transpose(node: Node, x: Tensor) -> Tensor:
    """x with its axes in the order `perm`, reversed where there is none."""
    return x.permute(node.attributes.get("perm", tuple(reversed(range(x.ndim)))))


def concat(node: Node, *parts: Tensor) -> Tensor:
    """All inputs behind one another along `axis`."""
    return torch.cat(parts, dim=node.attributes["axis"])


def gather(node: Node, x: Tensor, indices: Tensor) -> Tensor:
    """Entries `indices` of one axis; negative ones count from its end."""
    axis = node.attributes.get("axis", 0) % x.ndim
    chosen = x.index_select(axis, indices.flatten() % x.shape[axis])
    return chosen.reshape((*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]))


def shape_of(node: Node, x: Tensor) -> Tensor:
    """The input's shape, or its part from `start` to `end`."""
    return torch.tensor(x.shape[node.attributes.get("start", 0) : node.attributes.get("end", x.ndim)])


def unsqueeze(node: Node, x: Tensor, axes: Tensor | None = None) -> Tensor:
    """x with axes of size 1 inserted; `axes` are an attribute before opset 13 and an input since."""
    chosen = _axes(node, axes)
    for axis in sorted(axis % (x.ndim + len(chosen)) for axis in chosen):
        x = x.unsqueeze(axis)
    return x


def squeeze(node: Node, x: Tensor, axes: Tensor | None = None) -> Tensor:
    """x without the named axes; refused without names, where a batch of one row would lose its batch axis."""
    chosen = _axes(node, axes)
    if not chosen:
        raise node.refusal("no axes")
    return x.squeeze(chosen)


OPERATORS: dict[str, Operator] = {
    "Abs": Operator(run=lambda _, x: x.abs()),
    "Add": Operator(run=lambda _, a, b: a + b),
    "Clip": Operator(run=clip),
    "Concat": Operator(run=concat, attributes=frozenset({"axis"})),
    "Div": Operator(run=divide),
    "Dropout": Operator(run=dropout, attributes=frozenset({"ratio", "seed"})),
    "Elu": Operator(run=elu, attributes=frozenset({"alpha"})),
    "Erf": Operator(run=lambda _, x: torch.erf(x)),
    "Exp": Operator(run=lambda _, x: x.exp()),
    "Flatten": Operator(run=flatten, attributes=frozenset({"axis"})),
    "Gather": Operator(run=gather, attributes=frozenset({"axis"})),
    "Gemm": Operator(run=gemm, attributes=frozenset({"alpha", "beta", "transA", "transB"})),
    "Identity": Operator(run=lambda _, x: x),
    "LeakyRelu": Operator(run=leaky_relu, attributes=frozenset({"alpha"})),
    "LogSoftmax": Operator(run=log_softmax, attributes=frozenset({"axis"})),
    "MatMul": Operator(run=lambda _, a, b: a @ b),
    "Mul": Operator(run=lambda _, a, b: a * b),
    "Neg": Operator(run=lambda _, x: -x),
    "PRelu": Operator(run=prelu),
    "ReduceMean": Operator(run=reduce_mean, attributes=frozenset({"axes", "keepdims"})),
    "Relu": Operator(run=lambda _, x: functional.relu(x)),
    "Reshape": Operator(run=reshape, attributes=frozenset({"allowzero"})),
    "Shape": Operator(run=shape_of, attributes=frozenset({"start", "end"})),
    "Sigmoid": Operator(run=lambda _, x: torch.sigmoid(x)),
    "Softmax": Operator(run=softmax, attributes=frozenset({"axis"})),
    "Sqrt": Operator(run=lambda _, x: x.sqrt()),
    "Squeeze": Operator(run=squeeze, attributes=frozenset({"axes"})),
    "Sub": Operator(run=lambda _, a, b: a - b),
    "Tanh": Operator(run=lambda _, x: x.tanh()),
    "Transpose": Operator(run=transpose, attributes=frozenset({"perm"})),
    "Unsqueeze": Operator(run=unsqueeze, attributes=frozenset({"axes"})),
}


def _softmax(node: Node, x: Tensor, function: Callable[..., Tensor]) -> Tensor:
    if node.opset >= SOFTMAX_BY_AXIS_SINCE:
        return function(x, dim=node.attributes.get("axis", -1))
    return function(x.flatten(node.attributes.get("axis", 1)), dim=-1).reshape(x.shape)


def _axes(node: Node, axes: Tensor | None) -> tuple[int, ...]:
    given = node.attributes.get("axes", ()) if axes is None else axes.tolist()
    return tuple(int(axis) for axis in given)
