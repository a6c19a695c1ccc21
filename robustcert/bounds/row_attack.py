"""An attack on a VNN-LIB case: signed gradient steps within its box that lower the largest row.

Madry et al. 2018 (arXiv:1706.06083, section 2.1) with another loss. Starts are fixed by the case alone.
Shapes: B starts, D flattened inputs, K outputs, Q rows.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from robustcert.bounds.dense import Array
from robustcert.bounds.vnnlib import Case

STARTS = 32
STEPS = 40
RELATIVE_STEP = 0.1
CANDIDATES = 4


def row_attack(
    module: nn.Module, case: Case, rows: tuple[Array, Array], *, shape: tuple[int, ...]
) -> list[NDArray[np.float32]]:
    """A few float32 points (D,) of the box where the largest row is smallest, the best first; unconfirmed."""
    lower, upper = (_float32(values, toward) for values, toward in ((case.lower, np.inf), (case.upper, -np.inf)))
    lower, upper = torch.minimum(lower, upper), torch.maximum(lower, upper)
    rows_QK, offsets_Q = (torch.from_numpy(values).float() for values in rows)
    if not len(rows_QK):
        return []
    generator = torch.Generator().manual_seed(0)
    x_BD = lower + (upper - lower) * torch.rand(STARTS, len(lower), generator=generator)
    best_BD, best_B = x_BD, torch.full((STARTS,), float("inf"))
    for number in range(STEPS):
        largest_B, gradient_BD = _largest(module, x_BD, rows_QK, offsets_Q, shape=shape)
        better_B = largest_B < best_B
        best_BD, best_B = torch.where(better_B[:, None], x_BD, best_BD), torch.where(better_B, largest_B, best_B)
        step = RELATIVE_STEP * (1 - number / STEPS) * (upper - lower)
        x_BD = torch.minimum(torch.maximum(x_BD - step * gradient_BD.sign(), lower), upper)
    order = best_B.argsort(stable=True)[:CANDIDATES]
    return [np.asarray(point, np.float32) for point in best_BD[order].numpy()]


def _largest(
    module: nn.Module, x_BD: Tensor, rows_QK: Tensor, offsets_Q: Tensor, *, shape: tuple[int, ...]
) -> tuple[Tensor, Tensor]:
    x_BD = x_BD.detach().requires_grad_(True)
    with torch.enable_grad():
        largest_B = (module(x_BD.reshape(-1, *shape)) @ rows_QK.T + offsets_Q).amax(dim=1)
        (gradient_BD,) = torch.autograd.grad(largest_B.sum(), x_BD)
    return largest_B.detach(), gradient_BD.nan_to_num()


def _float32(values: tuple[float, ...], toward: float) -> Tensor:
    """The limits as float32, rounded toward the box."""
    exact = np.array(values)
    near = exact.astype(np.float32)
    outside = near < exact if toward > 0 else near > exact
    return torch.from_numpy(np.where(outside, np.nextafter(near, np.float32(toward)), near).astype(np.float32))
