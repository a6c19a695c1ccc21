"""Ranges of a convolutional network's neurons, forward and cheap: affine in the few inputs that each one sees.

Every neuron is held as center + sum of generators over the inputs of its receptive field + a remainder in [-r, r].
Convolutions act on all three; a ReLU over [l, u] is the middle of two lines of slope u / (u - l) with half their gap
added to the remainder (Singh et al. 2018, DeepZ, theorem 3.1, with new noise symbols merged into the remainder).
Looser than a backward pass and tens of times cheaper, it shows most stable neurons of a network stable. Used over
boxes, for nodes from the input on as long as they are convolutions, scalings, additions and ReLUs of feature maps.

Shapes: B batch, C channels, H, W the map, c the input's channels, p, q the generators' window.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from robustcert.bounds.network import Network, Node
from robustcert.bounds.operators import affine
from robustcert.bounds.patches import kernel_of
from robustcert.bounds.regions import Region

Interval = tuple[Tensor, Tensor]
MAP_AXES = 3


@dataclass(frozen=True, kw_only=True, eq=False)
class Form:
    """Neuron (i, j) has generators over inputs (i jump + start ..., j jump + start ...); a pair for both axes."""

    center_BCHW: Tensor
    remainder_BCHW: Tensor
    generators: Tensor  # (B, C, c, p, q, H, W)
    start: tuple[int, int]
    jump: tuple[int, int]

    def interval(self) -> Interval:
        """The neurons' ranges."""
        reach = self.generators.abs().sum(dim=(2, 3, 4)) + self.remainder_BCHW
        return self.center_BCHW - reach, self.center_BCHW + reach


class AffineForms:
    """Forms of the nodes of one network over one region, made in the order of the nodes."""

    def __init__(self, network: Network, region: Region) -> None:
        self._nodes = network.nodes
        self._last_use = {source: number for number, node in enumerate(network.nodes) for source in node.inputs}
        self._forms: dict[int, Form] = {}
        if region.ball is None and len(network.input_shape) == MAP_AXES:
            self._forms[0] = _of_region(region)

    def interval(self, number: int, ranges: Mapping[int, Interval]) -> Interval | None:
        """The ranges of a node's neurons from their forms, None where there are none; `ranges` of what feeds ReLUs."""
        node = self._nodes[number]
        inputs = [self._forms[source] for source in node.inputs if source in self._forms]
        form = self._forms.get(number) if number == 0 else self._next(node, inputs, ranges)
        for source in node.inputs:
            if self._last_use[source] == number:
                self._forms.pop(source, None)
        if form is None:
            return None
        self._forms[number] = form
        return form.interval() if node.op in ("convolution", "add") else None

    def _next(self, node: Node, inputs: Sequence[Form], ranges: Mapping[int, Interval]) -> Form | None:
        if not inputs or len(inputs) != len(node.inputs) or len(node.shape) != MAP_AXES:
            return None
        if node.op == "convolution":
            return _convolved(node, inputs[0])
        if node.op == "scale":
            return _scaled(node, inputs[0])
        if node.op == "relu":
            return _rectified(inputs[0], *ranges[node.inputs[0]])
        if node.op == "add" and len({form.jump for form in inputs}) == 1:
            return _sum(inputs)
        return None


def values_per_sample(network: Network) -> int:
    """Roughly the numbers that the largest form holds for one sample; 1 where there are no maps."""
    window, jump, largest = [1, 1], [1, 1], 1
    for node in network.nodes:
        if node.op == "convolution" and len(node.shape) == MAP_AXES and len(network.input_shape) == MAP_AXES:
            p = node.parameters
            for axis, kernel in enumerate(p["weight"].shape[2:]):
                window[axis] += (kernel - 1) * p["dilation"][axis] * jump[axis]
                jump[axis] *= p["stride"][axis]
            seen = network.input_shape[0] * window[0] * window[1]
            largest = max(largest, seen * node.shape[0] * node.shape[1] * node.shape[2])
    return largest


def _of_region(region: Region) -> Form:
    center = (region.lower_BX + region.upper_BX) / 2
    radius = (region.upper_BX - region.lower_BX) / 2
    channels = radius.shape[1]
    generators = torch.diag_embed(radius.permute(0, 2, 3, 1)).permute(0, 3, 4, 1, 2)
    shape = (len(radius), channels, channels, 1, 1, *radius.shape[2:])
    return Form(
        center_BCHW=center,
        remainder_BCHW=torch.zeros_like(center),
        generators=generators.reshape(shape),
        start=(0, 0),
        jump=(1, 1),
    )


def _scaled(node: Node, form: Form) -> Form:
    factor = node.parameters["factor"].expand(node.shape)
    return Form(
        center_BCHW=affine(node, form.center_BCHW),
        remainder_BCHW=form.remainder_BCHW * factor.abs(),
        generators=form.generators * factor[:, None, None, None],
        start=form.start,
        jump=form.jump,
    )


def _rectified(form: Form, lower: Tensor, upper: Tensor) -> Form:
    unstable = (lower < 0) & (upper > 0)
    slope = torch.where(unstable, upper / torch.where(unstable, upper - lower, 1.0), (lower >= 0).to(lower.dtype))
    half_gap = torch.where(unstable, -slope * lower / 2, 0.0)
    return Form(
        center_BCHW=slope * form.center_BCHW + half_gap,
        remainder_BCHW=slope * form.remainder_BCHW + half_gap,
        generators=form.generators * slope[:, :, None, None, None],
        start=form.start,
        jump=form.jump,
    )


def _sum(forms: Sequence[Form]) -> Form:
    top, left = (min(form.start[axis] for form in forms) for axis in (0, 1))
    bottom, right = (max(form.start[axis] + form.generators.shape[3 + axis] for form in forms) for axis in (0, 1))
    generators = sum(
        functional.pad(form.generators, (0, 0, 0, 0, *_around(form, 1, left, right), *_around(form, 0, top, bottom)))
        for form in forms
    )
    assert isinstance(generators, Tensor)
    return Form(
        center_BCHW=torch.stack([form.center_BCHW for form in forms]).sum(dim=0),
        remainder_BCHW=torch.stack([form.remainder_BCHW for form in forms]).sum(dim=0),
        generators=generators,
        start=(top, left),
        jump=forms[0].jump,
    )


def _around(form: Form, axis: int, first: int, last: int) -> tuple[int, int]:
    start, size = form.start[axis], form.generators.shape[3 + axis]
    return start - first, last - start - size


def _convolved(node: Node, form: Form) -> Form:
    """Each kernel place takes its inputs' generators, shifted by its distance in input pixels."""
    p, taps = node.parameters, kernel_of(node).taps
    (kh, kw), (jump_down, jump_right) = taps.shape[:2], form.jump
    steps = (p["dilation"][0] * jump_down, p["dilation"][1] * jump_right)
    batch, _, seen, height, width = form.generators.shape[:5]
    out = form.generators.new_zeros(
        (batch, node.shape[0], seen, height + (kh - 1) * steps[0], width + (kw - 1) * steps[1], *node.shape[1:])
    )
    (pad_down, pad_right), (stride_down, stride_right) = p["padding"], p["stride"]
    padded = functional.pad(form.generators, (pad_right, pad_right, pad_down, pad_down))
    for a, b in itertools.product(range(kh), range(kw)):
        top, left = a * p["dilation"][0], b * p["dilation"][1]
        met = padded[..., top::stride_down, left::stride_right][..., : node.shape[1], : node.shape[2]]
        product = taps[a, b] @ met.flatten(2)
        window = out[:, :, :, a * steps[0] :, b * steps[1] :][:, :, :, :height, :width]
        window += product.reshape(window.shape)
    return Form(
        center_BCHW=affine(node, form.center_BCHW),
        remainder_BCHW=affine(node, form.remainder_BCHW, absolute=True, bias=False),
        generators=out,
        start=(form.start[0] - pad_down * jump_down, form.start[1] - pad_right * jump_right),
        jump=(jump_down * stride_down, jump_right * stride_right),
    )
