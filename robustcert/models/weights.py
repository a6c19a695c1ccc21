"""State dicts: taken out of a module, and checked tensor by tensor before they go into one."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from robustcert.errors import ModelError, expected


def state_of(body: nn.Module) -> dict[str, Tensor]:
    """State dict sorted by name, as contiguous CPU copies; ModelError where it holds something that is no tensor."""
    state = body.state_dict()
    for name, value in state.items():
        if not isinstance(value, Tensor):
            got = f"{type(value).__name__} under {name!r}"
            raise ModelError(expected("only tensors in the state dict", got=got, remedy="remove get_extra_state"))
    return {name: value.detach().to("cpu", copy=True).contiguous() for name, value in sorted(state.items())}


def filled(body: nn.Module, tensors: Mapping[str, Tensor], *, source: str) -> nn.Module:
    """The body, which may be on the meta device, with these tensors in place of its own; ModelError unless they fit."""
    check_tensors(tensors, wanted=body.state_dict(), source=source)
    body.load_state_dict(tensors, assign=True)
    return body


def check_tensors(tensors: Mapping[str, Tensor], *, wanted: Mapping[str, Tensor], source: str) -> None:
    """ModelError unless both have the same names, shapes and dtypes, and every number in `tensors` is finite.

    `wanted` may be on the meta device; `source` says in the error where `tensors` came from.
    """
    _same_names(tensors, wanted=wanted, source=source)
    for name, tensor in sorted(tensors.items()):
        want, got = _described(wanted[name]), _described(tensor)
        if want != got:
            remedy = "check the architecture and its parameters"
            raise ModelError(expected(f"{name!r} as {want}", got=f"{got} in {source}", remedy=remedy))
        if not torch.isfinite(tensor).all():
            got = f"NaN or infinity in {source}"
            raise ModelError(expected(f"finite numbers in {name!r}", got=got, remedy="train or export it again"))


def _same_names(tensors: Mapping[str, Tensor], *, wanted: Mapping[str, Tensor], source: str) -> None:
    if missing := sorted(set(wanted) - set(tensors)):
        remedy = "check the architecture and its parameters"
        raise ModelError(expected(f"the tensor {missing[0]!r}", got=f"none of that name in {source}", remedy=remedy))
    if surplus := sorted(set(tensors) - set(wanted)):
        remedy = "check the architecture and its parameters"
        raise ModelError(expected("only the model's tensors", got=f"also {surplus[0]!r} in {source}", remedy=remedy))


def _described(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}"
