"""Threat regions: the inputs over which a network's outputs are bounded.

Shapes: B batch, X the shape of one input, D its size, Q rows of a specification, K classes.

A region is a box [lower, upper], or the part of such a box within distance epsilon of x in the l2 or l1 norm, each
feature measured in its own `scale`: ||(z - x) / scale|| <= epsilon. The linf norm is a box. For l2 and l1 a linear
function's bound is the better of the ball's and the box's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from robustcert.errors import InputError, expected

NormName = Literal["linf", "l2", "l1"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Ball:
    """Inputs within `epsilon_B` of `x_BX` in a norm, each feature divided by `scale_X`."""

    norm: Literal["l2", "l1"]
    x_BX: Tensor
    epsilon_B: Tensor
    scale_X: Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class Region:
    """A box in float64 and, for l2 and l1, the ball that is met with it."""

    lower_BX: Tensor
    upper_BX: Tensor
    ball: Ball | None = None

    def __len__(self) -> int:
        return len(self.lower_BX)

    def rows(self, rows: Tensor | slice) -> Region:
        """The region of some samples, in that order."""
        ball = self.ball and Ball(
            norm=self.ball.norm,
            x_BX=self.ball.x_BX[rows],
            epsilon_B=self.ball.epsilon_B[rows],
            scale_X=self.ball.scale_X,
        )
        return Region(lower_BX=self.lower_BX[rows], upper_BX=self.upper_BX[rows], ball=ball)


def box(lower_BX: Tensor, upper_BX: Tensor) -> Region:
    """All inputs between two corners: a tolerance of its own for each feature; InputError where a corner is crossed."""
    lower_BX, upper_BX = lower_BX.double(), upper_BX.double()
    if lower_BX.shape != upper_BX.shape or not bool((lower_BX <= upper_BX).all()):
        got = f"shapes {tuple(lower_BX.shape)} and {tuple(upper_BX.shape)}, or a lower bound above its upper one"
        raise InputError(expected("a box with lower <= upper", got=got, remedy="check the order of the two corners"))
    return Region(lower_BX=lower_BX, upper_BX=upper_BX)


def ball(
    norm: NormName,
    x_BX: Tensor,
    epsilon: Tensor | float,
    *,
    scale_X: Tensor | None = None,
    lower_X: Tensor | float | None = None,
    upper_X: Tensor | float | None = None,
) -> Region:
    """Inputs within `epsilon` (one number, or one a sample) of x_BX, cut to the domain [lower_X, upper_X]."""
    x_BX = x_BX.double()
    epsilon_B = torch.as_tensor(epsilon, dtype=torch.float64).expand(len(x_BX))
    scale_X = torch.ones(x_BX.shape[1:], dtype=torch.float64) if scale_X is None else scale_X.double()
    _check(norm, x_BX, epsilon_B, scale_X)
    reach_BX = epsilon_B.reshape(-1, *(1,) * (x_BX.ndim - 1)) * scale_X
    lowest, highest = (-math.inf if lower_X is None else lower_X), (math.inf if upper_X is None else upper_X)
    lower_BX = torch.maximum(x_BX - reach_BX, torch.as_tensor(lowest, dtype=torch.float64))
    upper_BX = torch.minimum(x_BX + reach_BX, torch.as_tensor(highest, dtype=torch.float64))
    region = box(lower_BX, upper_BX)
    if norm == "linf":
        return region
    met = Ball(norm=norm, x_BX=x_BX, epsilon_B=epsilon_B, scale_X=scale_X)
    return Region(lower_BX=region.lower_BX, upper_BX=region.upper_BX, ball=met)


def margins(labels_B: Tensor, n_classes: int) -> Tensor:
    """Specification C_BQK with a row e_y - e_k for every class k other than the label y, in order of k: Q = K - 1."""
    identity = torch.eye(n_classes, dtype=torch.float64)
    rivals = torch.arange(n_classes)[None, :].expand(len(labels_B), -1)
    rivals = rivals[rivals != labels_B[:, None]].reshape(len(labels_B), n_classes - 1)
    return identity[labels_B][:, None, :] - identity[rivals]


def _check(norm: str, x_BX: Tensor, epsilon_B: Tensor, scale_X: Tensor) -> None:
    if norm not in ("linf", "l2", "l1"):
        raise InputError(expected("the norm linf, l2 or l1", got=repr(norm), remedy="name one of them"))
    if not bool(torch.isfinite(x_BX).all()) or not bool((epsilon_B >= 0).all()):
        got = "an input or an epsilon that is not"
        raise InputError(expected("finite inputs and epsilon >= 0", got=got, remedy="check the data and the budget"))
    if not bool((scale_X > 0).all()):
        least = float(scale_X.min())
        raise InputError(
            expected("a positive scale for every feature", got=least, remedy="leave constant features out")
        )
