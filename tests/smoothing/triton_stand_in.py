"""The part of triton.language that the noise kernel uses, on numpy arrays: its source runs where there is no triton.

What it shows is the arithmetic of the source, one program at a time; not what a compiler makes of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

int32, int64, uint64, float32, float64 = np.int32, np.int64, np.uint64, np.float32, np.float64
constexpr = int
sqrt, static_range = np.sqrt, range
_program = [0]


class Register(np.ndarray):
    """Values of a program's lanes."""

    def to(self, dtype: Any, bitcast: bool = False) -> Any:
        return self.view(dtype) if bitcast else self.astype(dtype)


class Pointer:
    """An array, and offsets into it."""

    def __init__(self, array: np.ndarray, offsets: Any = 0) -> None:
        self.array, self.offsets = array, offsets
        self.dtype = type("PointerType", (), {"element_ty": array.dtype})

    def __add__(self, offsets: Any) -> Pointer:
        return Pointer(self.array, self.offsets + offsets)


@contextmanager
def program(number: int) -> Iterator[None]:
    """Inside, `program_id` is `number`."""
    _program[0] = number
    yield


def program_id(axis: int) -> Any:
    return np.array([_program[axis]], dtype=np.int32).view(Register)


def arange(start: int, end: int) -> Any:
    return np.arange(start, end, dtype=np.int32).view(Register)


def zeros_like(value: Any) -> Any:
    return np.zeros_like(value)


def load(pointer: Pointer, mask: Any = None, other: Any = 0) -> Any:
    offsets = np.atleast_1d(pointer.offsets)
    inside = np.ones(offsets.shape, dtype=bool) if mask is None else mask
    found = np.full(offsets.shape, other, dtype=pointer.array.dtype)
    found[inside] = pointer.array[offsets[inside]]
    return found.view(Register)


def store(pointer: Pointer, value: Any, mask: Any) -> None:
    pointer.array[pointer.offsets[mask]] = value[mask]


def umulhi(x: Any, y: Any) -> Any:
    high: Callable[..., Any] = np.frompyfunc(lambda a, b: (int(a) * int(b)) >> 64, 2, 1)
    return high(x, y).astype(np.uint64).view(Register)


def interleave(first: Any, second: Any) -> Any:
    return np.stack([first, second], axis=-1).reshape(-1).view(Register)


def where(condition: Any, yes: Any, no: Any) -> Any:
    return np.where(condition, yes, no).view(Register)


def max(value: Any, axis: int) -> Any:  # noqa: A001
    return np.max(value, axis=axis)


def abs(value: Any) -> Any:  # noqa: A001
    return np.abs(value)
