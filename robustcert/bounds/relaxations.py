"""Two lines around an activation: lower slope * z + lower shift <= f(z) <= upper slope * z + upper shift on [l, u].

Shapes: B batch, X the shape of one sample; every line parameter has the shape of l and u. ReLU: Zhang et al. 2018
(CROWN), section 3.2, with the adaptive lower slope. Smooth activations: any slope k is sound with the shift
min (for the lower line) or max of f(z) - k z over [l, u], which `_extreme_shift` bounds piece by piece between the
inflection points of f:
  - on a piece where f is concave, f(z) - k z is, so that its least value is at an end;
  - on a piece where f is convex, it lies above its tangent at any point, and the least value of that tangent is at an
    end; the point where f' = k, found by bisection, makes this bound exact but is not needed for its truth.
The slope is the one whose line is best in the middle of [l, u], that is, of least area (golden-section search: the
value in the middle is a convex function of the slope).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from robustcert.bounds.network import Node

SLOPE_STEPS = 16
SEARCH_BISECTIONS = 10
FINAL_BISECTIONS = 40
GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0
TANH_GELU_INFLECTION = 1.4185040087908284  # root of f'' in 40 digits


@dataclass(frozen=True, kw_only=True, eq=False)
class Lines:
    """Slopes and shifts of the two lines around an activation."""

    lower_slope: Tensor
    upper_slope: Tensor
    lower_shift: Tensor
    upper_shift: Tensor


@dataclass(frozen=True, kw_only=True)
class Smooth:
    """A smooth activation: value, slope, its inflection points, and the sign of its curvature before each and after."""

    value: Callable[[Tensor], Tensor]
    slope: Callable[[Tensor], Tensor]
    inflections: tuple[float, ...]
    convex: tuple[bool, ...]


def lines_of(node: Node, lower_BX: Tensor, upper_BX: Tensor) -> Lines:
    """Lines around an elementwise activation whose input lies in [lower, upper]."""
    if node.op == "relu":
        return relu_lines(lower_BX, upper_BX, slope=0.0)
    if node.op == "leaky_relu":
        return relu_lines(lower_BX, upper_BX, slope=node.parameters["slope"])
    return smooth_lines(smooth_of(node), lower_BX, upper_BX)


def relu_lines(lower: Tensor, upper: Tensor, *, slope: float) -> Lines:
    """ReLU, or LeakyReLU with `slope` below zero; the lower line is z or slope * z, whichever leaves less area."""
    unstable = (lower < 0) & (upper > 0)
    width = torch.where(unstable, upper - lower, 1.0)
    one, least = torch.ones_like(lower), torch.full_like(lower, slope)  # numbers alone would be float32 in torch.where
    stable_slope = torch.where(lower >= 0, one, least)
    chord = torch.where(unstable, (upper - slope * lower) / width, stable_slope)
    shift = torch.where(unstable, (1.0 - slope) * upper * (-lower / width), 0.0)
    adaptive = torch.where(upper > -lower, one, least)
    return Lines(
        lower_slope=torch.where(unstable, adaptive, stable_slope),
        upper_slope=chord,
        lower_shift=torch.zeros_like(shift),
        upper_shift=shift,
    )


def smooth_of(node: Node) -> Smooth:
    """Value, slope and curvature of tanh, sigmoid or GELU."""
    if node.op == "tanh":
        return Smooth(value=torch.tanh, slope=lambda z: 1 - z.tanh().square(), inflections=(0.0,), convex=(True, False))
    if node.op == "sigmoid":
        slope = lambda z: torch.sigmoid(z) * torch.sigmoid(-z)  # noqa: E731
        return Smooth(value=torch.sigmoid, slope=slope, inflections=(0.0,), convex=(True, False))
    return _gelu() if node.parameters["approximate"] == "none" else _tanh_gelu()


def smooth_lines(f: Smooth, lower: Tensor, upper: Tensor) -> Lines:
    """Lines of least area around a smooth activation."""
    with torch.no_grad():
        below, above = (_best_slope(f, lower, upper, sign=sign) for sign in (1.0, -1.0))
        shifts = [
            _extreme_shift(f, slope, lower, upper, sign=sign, bisections=FINAL_BISECTIONS)
            for slope, sign in ((below, 1.0), (above, -1.0))
        ]
    return Lines(lower_slope=below, upper_slope=above, lower_shift=shifts[0], upper_shift=shifts[1])


def _best_slope(f: Smooth, lower: Tensor, upper: Tensor, *, sign: float) -> Tensor:
    """Slope whose line is nearest in the middle: from below for sign 1, from above for -1."""
    middle = lower + (upper - lower) / 2
    low, high = _slope_range(f, lower, upper)

    def height(slope: Tensor) -> Tensor:
        shift = _extreme_shift(f, slope, lower, upper, sign=sign, bisections=SEARCH_BISECTIONS)
        return sign * (slope * middle + shift)

    left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
    left_height, right_height = height(left), height(right)
    for _ in range(SLOPE_STEPS):
        to_right = right_height > left_height
        low, high = torch.where(to_right, left, low), torch.where(to_right, high, right)
        left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
        left_height, right_height = height(left), height(right)
    return low + (high - low) / 2


def _slope_range(f: Smooth, lower: Tensor, upper: Tensor) -> tuple[Tensor, Tensor]:
    """Least and largest slope on [lower, upper]: at its ends or at inflection points inside."""
    points = [lower, upper, *(torch.clamp(torch.full_like(lower, at), lower, upper) for at in f.inflections)]
    slopes = torch.stack([f.slope(point) for point in points])
    return slopes.amin(dim=0), slopes.amax(dim=0)


def _extreme_shift(f: Smooth, slope: Tensor, lower: Tensor, upper: Tensor, *, sign: float, bisections: int) -> Tensor:
    """Bound on min (sign 1) or max (sign -1) of f(z) - slope * z over [lower, upper]; see the module's docstring."""
    edges = (-math.inf, *f.inflections, math.inf)
    extremes = []
    for number, convex in enumerate(f.convex):
        start = lower.clamp(min=edges[number]).minimum(upper)
        end = upper.clamp(max=edges[number + 1]).maximum(lower)
        reached = (
            (start <= end) & (start >= lower) & (end <= upper) & (end >= edges[number]) & (start <= edges[number + 1])
        )
        extreme = _piece(f, slope, start, end, sign=sign, tangent=convex == (sign > 0), bisections=bisections)
        extremes.append(torch.where(reached, extreme, math.inf))
    return sign * torch.stack(extremes).amin(dim=0)


def _piece(
    f: Smooth, slope: Tensor, start: Tensor, end: Tensor, *, sign: float, tangent: bool, bisections: int
) -> Tensor:
    """Least value of sign * (f(z) - slope * z) on one piece, by its ends or by a tangent."""
    if not tangent:
        return torch.minimum(*(sign * (f.value(z) - slope * z) for z in (start, end)))
    point = _where_slope(f, slope, start, end, rising=sign > 0, bisections=bisections)
    height, tilt = sign * (f.value(point) - slope * point), sign * (f.slope(point) - slope)
    return height + torch.minimum(tilt * (start - point), tilt * (end - point))


def _where_slope(f: Smooth, slope: Tensor, low: Tensor, high: Tensor, *, rising: bool, bisections: int) -> Tensor:
    """Where f' passes `slope` in [low, high], f' being monotone there; an end where it does not."""
    for _ in range(bisections):
        middle = low + (high - low) / 2
        beyond = (f.slope(middle) > slope) == rising
        low, high = torch.where(beyond, low, middle), torch.where(beyond, middle, high)
    return low + (high - low) / 2


def _gelu() -> Smooth:
    """z Phi(z): f'' = phi(z) (2 - z^2), convex between -sqrt(2) and sqrt(2)."""
    root = math.sqrt(2.0)

    def slope(z: Tensor) -> Tensor:
        return 0.5 * torch.erfc(-z / root) + z * torch.exp(-z.square() / 2) / math.sqrt(2 * math.pi)

    return Smooth(value=functional.gelu, slope=slope, inflections=(-root, root), convex=(False, True, False))


def _tanh_gelu() -> Smooth:
    """z (1 + tanh(t)) / 2 with t = sqrt(2 / pi) (z + 0.044715 z^3)."""
    scale, cubic = math.sqrt(2.0 / math.pi), 0.044715

    def value(z: Tensor) -> Tensor:
        return functional.gelu(z, approximate="tanh")

    def slope(z: Tensor) -> Tensor:
        z = z.clamp(-1e3, 1e3)
        inner = torch.tanh(scale * (z + cubic * z**3))
        return 0.5 * (1 + inner) + 0.5 * z * (1 - inner.square()) * scale * (1 + 3 * cubic * z.square())

    turn = TANH_GELU_INFLECTION
    return Smooth(value=value, slope=slope, inflections=(-turn, turn), convex=(False, True, False))


def value_range(node: Node, lower: Tensor, upper: Tensor) -> tuple[Tensor, Tensor]:
    """Least and largest value of a smooth activation over [lower, upper]: the shifts of lines of slope 0."""
    flat, f = torch.zeros_like(lower), smooth_of(node)
    low, high = (_extreme_shift(f, flat, lower, upper, sign=sign, bisections=FINAL_BISECTIONS) for sign in (1.0, -1.0))
    return low, high
