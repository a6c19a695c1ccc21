"""A search for a point inside a certified ball where the smoothed classifier prefers another class. Needs torch.

Shapes: M noise draws, K classes, D coordinates of one sample.

The objective is that of SmoothAdv (Salman et al. 2019, section 3.2): minus the logarithm of the candidate's softmax,
averaged over a fixed set of noise draws. It is climbed inside the ball by Frank and Wolfe's steps (Jaggi 2013), each
toward the point of the ball that the gradient favours most: its direction for l2, its largest coordinate for l1. So no
projection is needed, and the first step is the exact answer for a linear model. The ball is that of the theorem: it is
not cut off at the range of the data. What is found is rounded to the grid toward the sample, so that it stays inside.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from robustcert.models.canonical_execution import canonical_execution
from robustcert.models.execution_device import device_of
from robustcert.smoothing.noise import Stream, integer_noise
from robustcert.smoothing.votes import GridNoise, refuse_training_mode

INSIDE = 1 - 1e-9  # of the radius, for the rounding of float64


@dataclass(frozen=True, kw_only=True)
class BallSearch:
    """`radius` in the unit of `sigma`; `draws` noise draws are fixed throughout `steps` steps."""

    norm: Literal["l2", "l1"]
    radius: float
    sigma: float
    steps: int = 20
    draws: int = 128


def attacked(
    module: nn.Module,
    x_int: NDArray[np.int32],
    *,
    candidate: int,
    noise: GridNoise,
    sample_id: int,
    search: BallSearch,
) -> NDArray[np.int32]:
    """The grid point of the ball around x_int (*shape) where the smoothed candidate looked weakest, x_int included.

    Raises ModelError for a module in training mode.
    """
    refuse_training_mode(module)
    scale_D = noise.sigma_steps.ravel() / search.sigma  # grid steps for one unit of radius
    noisy_MD = torch.from_numpy(_noisy(x_int, noise, sample_id=sample_id, draws=search.draws))
    objective = _Objective(module, noisy_MD, scale_D * noise.unit.ravel(), shape=x_int.shape, candidate=candidate)
    v_D, best_D, best = torch.zeros(x_int.size, dtype=torch.float64), None, -np.inf
    with canonical_execution():
        for step in range(search.steps + 1):
            value, gradient_D = objective.at(v_D)
            if value > best:
                best, best_D = value, v_D
            v_D = v_D + 2 / (step + 2) * (_farthest(gradient_D, search) - v_D)
    assert best_D is not None, "the objective is a number"
    return x_int + np.trunc(best_D.numpy() * scale_D).astype(np.int32).reshape(x_int.shape)


class _Objective:
    """Minus log of the candidate's average softmax at x + scale * v, and its gradient with respect to v."""

    def __init__(
        self,
        module: nn.Module,
        noisy_MD: Tensor,
        scale_D: NDArray[np.float64],
        *,
        shape: tuple[int, ...],
        candidate: int,
    ) -> None:
        self._module, self._device = module, device_of(module)
        self._noisy_MD, self._scale_D = noisy_MD, torch.from_numpy(scale_D)
        self._shape, self._candidate = shape, candidate

    def at(self, v_D: Tensor) -> tuple[float, Tensor]:
        v_D = v_D.detach().requires_grad_()
        x_MD = (self._noisy_MD + self._scale_D * v_D).float()
        logits_MK = self._module(x_MD.reshape(-1, *self._shape).to(self._device)).double().cpu()
        log_M = torch.log_softmax(logits_MK, dim=1)[:, self._candidate]
        value = np.log(len(log_M)) - torch.logsumexp(log_M, dim=0)
        (gradient_D,) = torch.autograd.grad(value, v_D)
        return float(value.detach()), gradient_D


def _noisy(x_int: NDArray[np.int32], noise: GridNoise, *, sample_id: int, draws: int) -> NDArray[np.float64]:
    noise_MD = integer_noise(
        noise.key0,
        sample_id=sample_id,
        stream=Stream.PILOT,
        first_draw=0,
        draws=draws,
        sigma_steps=noise.sigma_steps.ravel(),
        kind=noise.kind,
    )
    noisy_MD: NDArray[np.float64] = (x_int.ravel() + noise_MD) * noise.unit.ravel()
    return noisy_MD


def _farthest(gradient_D: Tensor, search: BallSearch) -> Tensor:
    """The point of the ball with the largest inner product with the gradient."""
    radius = search.radius * INSIDE
    if search.norm == "l2":
        length = gradient_D.norm()
        return gradient_D * (radius / length) if length > 0 else torch.zeros_like(gradient_D)
    place = gradient_D.abs().argmax()
    corner_D = torch.zeros_like(gradient_D)
    corner_D[place] = radius * gradient_D[place].sign()
    return corner_D
