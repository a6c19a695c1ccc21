"""The same network with fewer nodes: scalings folded into what stands before them, dead nodes left out.

Folding happens in float64 and changes no value beyond its rounding. A scaling is folded into a linear or convolution
node in front of it, never into one behind it, where zero padding would see it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from robustcert.bounds.network import Node


def simplified(nodes: Sequence[Node], *, output: int) -> tuple[Node, ...]:
    """Only what the node numbered `output` needs, which comes last, with scalings folded."""
    uses = Counter(number for node in nodes for number in node.inputs)
    uses[output] += 1
    made: list[Node] = []
    place: dict[int, int] = {}
    for number, node in enumerate(nodes):
        before = made[place[node.inputs[0]]] if node.op == "scale" else None
        folded = _folded(before, node) if before is not None and uses[node.inputs[0]] == 1 else None
        if folded is not None:
            place[number] = place[node.inputs[0]]
            made[place[number]] = folded
            continue
        made.append(replace(node, inputs=tuple(place[source] for source in node.inputs)))
        place[number] = len(made) - 1
    return _alive(made, output=place[output])


def _alive(nodes: Sequence[Node], *, output: int) -> tuple[Node, ...]:
    needed = {0, output}
    for number in range(output, 0, -1):
        if number in needed:
            needed.update(nodes[number].inputs)
    place: Mapping[int, int] = {number: rank for rank, number in enumerate(sorted(needed))}
    return tuple(
        replace(nodes[number], inputs=tuple(place[source] for source in nodes[number].inputs)) for number in place
    )


def _folded(before: Node, scale: Node) -> Node | None:
    """One node for both, or None where there is none."""
    factor, shift = scale.parameters["factor"], scale.parameters["shift"]
    if before.shape != scale.shape:
        return None
    if before.op == "scale":
        inner = before.parameters
        return replace(
            before, parameters={"factor": factor * inner["factor"], "shift": factor * inner["shift"] + shift}
        )
    factor_O, shift_O = _per_channel(before, factor), _per_channel(before, shift)
    if before.op not in ("linear", "convolution") or factor_O is None or shift_O is None:
        return None
    weight, bias = before.parameters["weight"], before.parameters["bias"]
    wide = factor_O.reshape(-1, *(1,) * (weight.ndim - 1))
    return replace(before, parameters={**before.parameters, "weight": wide * weight, "bias": factor_O * bias + shift_O})


def _per_channel(node: Node, value: Tensor) -> Tensor | None:
    """The value for each output channel or unit, None where it differs within one."""
    axes = value.reshape((1,) * (len(node.shape) - value.ndim) + tuple(value.shape))
    if any(size != 1 for size in axes.shape[1:]):
        return None
    return torch.broadcast_to(axes.flatten(), (node.shape[0],))
