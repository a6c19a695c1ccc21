"""The base classifier as certification calls it: float32 as the model is written, or bfloat16 where that is declared.

bfloat16 is another base classifier, with votes of its own. Convolutions and linear layers compute in bfloat16 with
channels last, behind their batch norms where these follow directly (`robustcert.models.folding`); all else follows
torch's autocast. The last linear layer computes in float32 from bfloat16 inputs: bfloat16 logits have 8 bits, so that
the two best would often be equal.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Literal

import torch
from torch import Tensor, nn

from robustcert.models.folding import folded

Precision = Literal["float32", "bfloat16"]

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


class Float32Linear(nn.Module):
    """A linear layer that computes in float32 whatever surrounds it."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.linear = linear

    def forward(self, x_BD: Tensor) -> Tensor:
        """Logits (B, K) in float32."""
        with torch.autocast(x_BD.device.type, enabled=False):
            logits: Tensor = self.linear(x_BD.float())
        return logits


def in_precision(module: nn.Module, precision: Precision) -> nn.Module:
    """The module itself for float32; for bfloat16 a copy, to be called inside `arithmetic`."""
    if precision == "float32":
        return module
    copy = folded(deepcopy(module)).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    linears = [name for name, part in copy.named_modules() if isinstance(part, nn.Linear)]
    for name, part in copy.named_modules():
        if isinstance(part, (*CONVOLUTIONS, nn.Linear)) and name not in linears[-1:]:
            part.bfloat16()
    return _with_head(copy, linears[-1]) if linears else copy


@contextmanager
def arithmetic(device: torch.device, precision: Precision) -> Iterator[None]:
    """Calls inside of a module on `device` compute in `precision`."""
    if precision == "float32":
        yield
        return
    with torch.autocast(device.type, dtype=torch.bfloat16):
        yield


def _with_head(module: nn.Module, name: str) -> nn.Module:
    linear = module.get_submodule(name)
    assert isinstance(linear, nn.Linear)
    if not name:
        return Float32Linear(linear).eval()
    parent, _, child = name.rpartition(".")
    setattr(module.get_submodule(parent), child, Float32Linear(linear).eval())
    return module
