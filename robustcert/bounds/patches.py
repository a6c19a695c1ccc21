"""Coefficients of neurons that see only a window of a feature map: tiles instead of whole maps.

A bound of a neuron in a convolution layer needs the layers before it only in the neuron's receptive field. Going back
through a convolution of kernel k and stride s, a tile of side t becomes one of side (t - 1) s + k. Tiles of neurons at
any place of any sample stand side by side, because a layer's weights don't depend on the place; what does (slopes,
shifts, input bounds) is gathered at each neuron's window. Outside the map it is gathered as zero.

Shapes: V directions (1: lower; 2: lower and upper), N neurons, h, w the tile, C, H, W the map, B batch. Channels are
last, so that a convolution's step is one matrix product (h w V N, C_out) x (C_out, k k C_in) and k k shifted additions.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from robustcert.bounds.network import Node

Extent = tuple[tuple[int, int], tuple[int, int]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Patches:
    """Coefficients `values` (h, w, V, N, C); neuron n's tile starts at (top_N, left_N) of sample sample_N's map.

    `extent` holds the least and largest top and left, or looser limits; `clean` tiles are zero outside the map.
    """

    values: Tensor
    top_N: Tensor
    left_N: Tensor
    sample_N: Tensor
    shape: tuple[int, ...]
    extent: Extent
    clean: bool = False

    @property
    def side(self) -> tuple[int, int]:
        """Height and width of a tile."""
        return self.values.shape[0], self.values.shape[1]

    @cached_property
    def places(self) -> Tensor:
        """Row numbers of `ChannelsLast` maps under every tile, flattened from (h, w, N)."""
        _, height, width = self.shape
        h, w = self.side
        down = (self.top_N + torch.arange(h)[:, None]).clamp_(-1, height).add_(1)
        right = (self.left_N + torch.arange(w)[:, None]).clamp_(-1, width).add_(1)
        down = (down + self.sample_N * (height + 2)) * (width + 2)
        return (down[:, None, :] + right[None, :, :]).flatten()


class ChannelsLast:
    """A per-sample map (B, C, H, W), laid out for gathering at windows, with zeros around it."""

    def __init__(self, map_BCHW: Tensor) -> None:
        padded = torch.nn.functional.pad(map_BCHW.permute(0, 2, 3, 1), (0, 0, 1, 1, 1, 1))
        self._height, self._width = padded.shape[1:3]
        self._rows = padded.reshape(-1, padded.shape[-1])

    def at(self, places: Tensor, side: tuple[int, int]) -> Tensor:
        """The map in every window, (h, w, 1, N, C)."""
        return self._rows.index_select(0, places).reshape(*side, 1, -1, self._rows.shape[1])


def whole_maps(values_VNCHW: Tensor, sample_N: Tensor) -> Patches:
    """Coefficients of whole maps as tiles."""
    zero = torch.zeros_like(sample_N)
    values = values_VNCHW.permute(3, 4, 0, 1, 2).contiguous()
    shape = tuple(values_VNCHW.shape[2:])
    return Patches(
        values=values, top_N=zero, left_N=zero, sample_N=sample_N, shape=shape, extent=((0, 0), (0, 0)), clean=True
    )


def single_outputs(values: Tensor, neuron_N: Tensor, sample_N: Tensor, shape: tuple[int, ...]) -> Patches:
    """Tiles of one place, (1, 1, V, N, C), at the places of neurons numbered as in a flattened map."""
    _, height, width = shape
    return Patches(
        values=values,
        top_N=neuron_N // width % height,
        left_N=neuron_N % width,
        sample_N=sample_N,
        shape=shape,
        extent=((0, height - 1), (0, width - 1)),
        clean=True,
    )


def cleaned(patches: Patches) -> Patches:
    """The same with zeros outside the map, which is what the map's padding holds."""
    if patches.clean:
        return patches
    down = _inside(patches.top_N, patches.side[0], patches.shape[1])
    right = _inside(patches.left_N, patches.side[1], patches.shape[2])
    mask = (down[:, None, :] & right[None, :, :])[:, :, None, :, None]
    return replace(patches, values=patches.values * mask, clean=True)


def _inside(start_N: Tensor, side: int, size: int) -> Tensor:
    place = start_N + torch.arange(side)[:, None]
    return (place >= 0) & (place < size)


def to_maps(patches: Patches) -> Tensor:
    """The coefficients as whole maps, (V, N, C, H, W)."""
    channels, height, width = patches.shape
    (h, w), (_, _, directions, neurons, _) = patches.side, patches.values.shape
    if (h, w) == (height, width) and not patches.top_N.any() and not patches.left_N.any():
        return patches.values.permute(2, 3, 4, 0, 1)
    down, right = patches.top_N + torch.arange(h)[:, None], patches.left_N + torch.arange(w)[:, None]
    inside = ((down >= 0) & (down < height))[:, None, :] & ((right >= 0) & (right < width))[None, :, :]
    place = (down[:, None, :] * width + right[None, :, :]) * neurons + torch.arange(neurons)
    values = patches.values.permute(0, 1, 3, 2, 4)[inside]
    maps = values.new_zeros((height * width * neurons, directions, channels)).index_put((place[inside],), values)
    return maps.reshape(height, width, neurons, directions, channels).permute(3, 2, 4, 0, 1)


def chosen(patches: Patches, rows: Tensor) -> Patches:
    """The tiles of some of the neurons."""
    return replace(
        patches,
        values=patches.values.index_select(3, rows),
        top_N=patches.top_N[rows],
        left_N=patches.left_N[rows],
        sample_N=patches.sample_N[rows],
    )


def aligned(a: Patches, b: Patches) -> bool:
    """Whether both sets of tiles lie the same distance apart for every neuron; whole maps and tiles may not."""
    down_N, right_N = b.top_N - a.top_N, b.left_N - a.left_N
    return bool((down_N == down_N[:1]).all()) and bool((right_N == right_N[:1]).all())


def added(a: Patches, b: Patches) -> Patches:
    """The sum of two aligned sets of tiles of the same neurons, over the rectangle that holds both."""
    assert aligned(a, b)
    down, right = int((b.top_N - a.top_N)[0]), int((b.left_N - a.left_N)[0])
    top, left = min(0, down), min(0, right)
    height = max(a.side[0], down + b.side[0]) - top
    width = max(a.side[1], right + b.side[1]) - left
    total = _placed(a.values, -top, -left, height, width) + _placed(b.values, down - top, right - left, height, width)
    (least_top, most_top), (least_left, most_left) = a.extent
    extent = ((least_top + top, most_top + top), (least_left + left, most_left + left))
    return replace(
        a, values=total, top_N=a.top_N + top, left_N=a.left_N + left, extent=extent, clean=a.clean and b.clean
    )


def _placed(values: Tensor, top: int, left: int, height: int, width: int) -> Tensor:
    if values.shape[:2] == (height, width):
        return values
    h, w = values.shape[:2]
    around = (0, 0, 0, 0, 0, 0, left, width - left - w, top, height - top - h)
    return torch.nn.functional.pad(values, around)


@dataclass(frozen=True, kw_only=True, eq=False)
class Kernel:
    """A two-dimensional convolution as tiles need it: its taps (kernel height, kernel width, C_out, C_in)."""

    taps: Tensor
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]

    @cached_property
    def forth(self) -> Tensor:
        """All taps side by side, (C_out, kernel C_in)."""
        return self.taps.permute(2, 0, 1, 3).reshape(self.taps.shape[2], -1)

    @cached_property
    def back(self) -> Tensor:
        """All taps on top of one another, (kernel C_in, C_out)."""
        return self.taps.permute(0, 1, 3, 2).reshape(-1, self.taps.shape[2])


def kernel_of(node: Node) -> Kernel:
    """The kernel of a convolution node, its groups written out."""
    p = node.parameters
    weight, groups = p["weight"], p["groups"]
    taps = weight.permute(2, 3, 0, 1)
    outputs, inputs = weight.shape[0] // groups, weight.shape[1]
    wide = weight.new_zeros((*weight.shape[2:], weight.shape[0], inputs * groups))
    for group in range(groups):
        rows = slice(group * outputs, (group + 1) * outputs)
        wide[:, :, rows, group * inputs : (group + 1) * inputs] = taps[:, :, rows]
    return Kernel(taps=wide, stride=p["stride"], padding=p["padding"], dilation=p["dilation"])


def through_convolution(patches: Patches, kernel: Kernel, input_shape: tuple[int, ...]) -> Patches:
    """Coefficients of a convolution's output, as coefficients of its input."""
    values = cleaned(patches).values
    step = _Transposed.apply if values.requires_grad else _scattered
    return _moved(patches, step(values, kernel), kernel, input_shape)


def first_through_convolution(
    kernel: Kernel, input_shape: tuple[int, ...], outputs: Patches, channel_N: Tensor
) -> Patches:
    """The same for single outputs, whose coefficients are the kernel itself."""
    values = _dilated(kernel.taps.index_select(2, channel_N)[:, :, None], kernel.dilation)
    return _moved(outputs, values, kernel, input_shape)


def _moved(patches: Patches, values: Tensor, kernel: Kernel, input_shape: tuple[int, ...]) -> Patches:
    """Tiles on a convolution's input, without the rows and columns that lie outside the map for every neuron."""
    starts, extents, kept = [], [], []
    corners = zip((patches.top_N, patches.left_N), patches.extent, strict=True)
    for axis, (start_N, (least, largest)) in enumerate(corners):
        stride, padding = kernel.stride[axis], kernel.padding[axis]
        least, largest = least * stride - padding, largest * stride - padding
        first = max(0, -largest)
        last = max(first + 1, min(values.shape[axis], input_shape[1 + axis] - least))
        starts.append(start_N * stride + (first - padding))
        extents.append((least + first, largest + first))
        kept.append(slice(first, last))
    return Patches(
        values=values[kept[0], kept[1]],
        top_N=starts[0],
        left_N=starts[1],
        sample_N=patches.sample_N,
        shape=input_shape,
        extent=(extents[0], extents[1]),
    )


def _dilated(values: Tensor, dilation: tuple[int, int]) -> Tensor:
    if dilation == (1, 1):
        return values
    sides = [(side - 1) * step + 1 for side, step in zip(values.shape[:2], dilation, strict=True)]
    wide = values.new_zeros((*sides, *values.shape[2:]))
    wide[:: dilation[0], :: dilation[1]] = values
    return wide


class _Transposed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, kernel: Kernel) -> Tensor:
        ctx.kernel, ctx.side = kernel, values.shape[:2]
        return _scattered(values, kernel)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return _collected(gradients[0], ctx.kernel, ctx.side), None


def _scattered(values: Tensor, kernel: Kernel) -> Tensor:
    """out[i stride + a dilation] += values[i] @ taps[a] for every place i of the tile and a of the kernel."""
    h, w, directions, neurons, outputs = values.shape
    kh, kw, _, channels = kernel.taps.shape
    products = (values.reshape(-1, outputs) @ kernel.forth).reshape(h, w, directions, neurons, kh, kw, channels)
    height, width = (
        (side - 1) * stride + (size - 1) * dilation + 1
        for side, stride, size, dilation in zip((h, w), kernel.stride, (kh, kw), kernel.dilation, strict=True)
    )
    out = values.new_zeros((height, width, directions, neurons, channels))
    for a, b in itertools.product(range(kh), range(kw)):
        _met_by(out, kernel, (a, b), (h, w)).add_(products[..., a, b, :])
    return out


def _collected(gradient: Tensor, kernel: Kernel, side: tuple[int, int]) -> Tensor:
    """The transpose of `_scattered`: values[i] = sum over a of gradient[i stride + a dilation] @ taps[a]^T."""
    kh, kw, outputs, channels = kernel.taps.shape
    met = [_met_by(gradient, kernel, place, side) for place in itertools.product(range(kh), range(kw))]
    seen = torch.stack(met, dim=-2).reshape(-1, kh * kw * channels)
    return (seen @ kernel.back).reshape(*side, *gradient.shape[2:4], outputs)


def _met_by(tile: Tensor, kernel: Kernel, place: tuple[int, int], side: tuple[int, int]) -> Tensor:
    """What one place of the kernel meets of a tile on the convolution's input."""
    top, left = (at * dilation for at, dilation in zip(place, kernel.dilation, strict=True))
    down, right = kernel.stride
    return tile[top : top + (side[0] - 1) * down + 1 : down, left : left + (side[1] - 1) * right + 1 : right]
