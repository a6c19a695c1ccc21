"""Translations of ATen operators that only move numbers: views, permutations, slices, padding, concatenation."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.nn import functional

from robustcert.bounds.traced_graph import Graph, Shape, Value, rearranged, refusal, reshaped


def same(graph: Graph, func: Any, x: Value, *_: Any, output_shape: Shape, **__: Any) -> Value:
    """What hands its input on: copies, detached tensors."""
    return x


def reshape(graph: Graph, func: Any, x: Value, *_: Any, output_shape: Shape, **__: Any) -> Value:
    """The same numbers in another shape; the batch stays the first axis."""
    return reshaped(x, output_shape)


def move(graph: Graph, func: Any, x: Value, *arguments: Any, output_shape: Shape, **options: Any) -> Value:
    """A view that moves numbers: the function itself is run on the numbers' places."""
    size = math.prod(x.shape)
    places = torch.arange(graph.rows * size).reshape(graph.rows, *x.shape)
    moved = func(places, *arguments, **options)
    starts = size * torch.arange(graph.rows).reshape(-1, *(1,) * len(output_shape))
    if not torch.equal(moved, moved[0] + starts):
        raise refusal(func, "it mixes the samples of a batch")
    return rearranged(x, lambda _: moved[0])


def pad(
    graph: Graph, func: Any, x: Value, sizes: Sequence[int], value: float | None = None, *, output_shape: Shape
) -> Value:
    """A constant around x."""
    if len(sizes) > 2 * len(x.shape):
        raise refusal(func, "it pads the batch")
    return rearranged(x, lambda index: functional.pad(index, list(sizes), value=-1), fill=float(value or 0.0))


def concatenate(graph: Graph, func: Any, parts: Sequence[Any], axis: int = 0, *, output_shape: Shape) -> Value:
    """Values behind one another along an axis of the sample."""
    if not all(isinstance(part, Value) for part in parts):
        raise refusal(func, "a constant among its inputs")
    place = axis % (len(output_shape) + 1) - 1
    return graph.add("concatenate", *parts, shape=output_shape, axis=place)


TRANSLATIONS: dict[str, Callable[..., Value]] = {
    **dict.fromkeys(("clone", "detach", "alias", "lift_fresh", "contiguous", "_to_copy"), same),
    **dict.fromkeys(("view", "_unsafe_view", "reshape", "unsqueeze", "squeeze"), reshape),
    **dict.fromkeys(("permute", "transpose", "t", "slice", "select", "index_select", "flip", "expand"), move),
    "constant_pad_nd": pad,
    "cat": concatenate,
}
