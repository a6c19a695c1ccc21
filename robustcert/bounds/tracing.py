"""A torch module becomes a `Network`: it is run once, and every operator that touches its input is written down.

Recording the calls themselves (torch's ATen operators) sees modules, functional calls, `Classifier` and `OnnxGraph`
alike, and what happens to constants alone is computed as the module does it. An operator without a translation is an
error that names it. At the end both are run on the same inputs, so that a translation can't be silently wrong.

Shapes: B batch, X the shape of one input.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from robustcert.bounds.network import Network, Node, UnsupportedOperator
from robustcert.bounds.simplification import simplified
from robustcert.bounds.traced_graph import Graph, Value
from robustcert.bounds.translation_arithmetic import TRANSLATIONS as ARITHMETIC
from robustcert.bounds.translation_pooling import TRANSLATIONS as POOLING
from robustcert.bounds.translation_shapes import TRANSLATIONS as SHAPES

TRANSLATIONS: Mapping[str, Callable[..., Value]] = ARITHMETIC | POOLING | SHAPES
ROWS = 3
AGREEMENT = 1e-4


def network_of(module: nn.Module, *, input_shape: Sequence[int]) -> Network:
    """The module's network over one input of `input_shape`; give the module in eval mode.

    Weights are taken as they are and then held in float64, so that bounds are those of the real-arithmetic network.
    Raises UnsupportedOperator, with the operator's name, for what has no bounds here.
    """
    x_BX = _samples(ROWS, input_shape, dtype=_dtype(module))
    recorder = _Recorder(x_BX)
    with torch.inference_mode(mode=False), torch.no_grad():
        with recorder:
            output = module(x_BX)
        network = Network(nodes=simplified(recorder.nodes, output=recorder.number_of(output)))
        _compare(module, network)
    return network


class _Recorder(TorchDispatchMode):
    """Translates every call that has the input, or something made from it, among its arguments."""

    def __init__(self, x_BX: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._graph = Graph(tuple(x_BX.shape[1:]), rows=len(x_BX))
        self._numbers: dict[int, int] = {id(x_BX): 0}
        self._alive: list[Tensor] = [x_BX]  # ids are reused once a tensor is gone

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        outputs = func(*args, **kwargs)
        if any(id(leaf) in self._numbers for leaf in tree_leaves((args, kwargs))):
            self._record(func, args, kwargs, outputs)
        return outputs

    @property
    def nodes(self) -> tuple[Node, ...]:
        return tuple(self._graph.nodes)

    def number_of(self, output: object) -> int:
        if not isinstance(output, Tensor) or id(output) not in self._numbers:
            raise UnsupportedOperator(type(output).__name__, why="the output does not come from the input")
        return self._numbers[id(output)]

    def _record(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], outputs: Any) -> None:
        name = str(func.overloadpacket.__name__)
        translate = TRANSLATIONS.get(name.removesuffix("_") if name.endswith("_") else name)
        if translate is None:
            raise UnsupportedOperator(name.strip("_"))
        first = outputs[0] if isinstance(outputs, tuple | list) else outputs
        shape = tuple(first.shape)
        if not shape or shape[0] != self._graph.rows:
            raise UnsupportedOperator(name.strip("_"), why="it mixes the samples of a batch")
        try:
            value = translate(
                self._graph, func, *self._seen(args), **self._seen_by_name(kwargs), output_shape=shape[1:]
            )
        except TypeError as error:
            raise UnsupportedOperator(name.strip("_"), why=f"arguments that are not translated ({error})") from error
        self._numbers[id(first)] = value.number
        self._alive.append(first)

    def _seen(self, values: Sequence[Any]) -> list[Any]:
        return [self._value(value) for value in values]

    def _seen_by_name(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return {name: self._value(value) for name, value in values.items() if name not in ("dtype", "memory_format")}

    def _value(self, value: Any) -> Any:
        if isinstance(value, Tensor) and id(value) in self._numbers:
            return Value(self._graph, self._numbers[id(value)])
        if isinstance(value, Tensor):
            return value.detach().clone()
        return self._seen(value) if isinstance(value, list | tuple) else value


def _dtype(module: nn.Module) -> torch.dtype:
    tensors = itertools.chain(module.parameters(), module.buffers())
    return next((tensor.dtype for tensor in tensors if tensor.is_floating_point()), torch.float32)


def _samples(rows: int, input_shape: Sequence[int], *, dtype: torch.dtype) -> Tensor:
    generator = torch.Generator().manual_seed(rows)
    return torch.rand((rows, *input_shape), generator=generator).to(dtype)


def _compare(module: nn.Module, network: Network) -> None:
    """UnsupportedOperator where the network computes something else than the module."""
    for rows in (1, 4):
        x_BX = 2.0 * _samples(rows, network.input_shape, dtype=_dtype(module)) - 0.5
        wanted, found = module(x_BX).double(), network.forward(x_BX)
        allowed = AGREEMENT * max(1.0, float(wanted.abs().max()))
        if wanted.shape != found.shape or not math.isclose(float((wanted - found).abs().max()), 0.0, abs_tol=allowed):
            raise UnsupportedOperator(type(module).__name__, why="its translation does not compute what it computes")
