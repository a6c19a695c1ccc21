"""Inputs drawn from a region, and what a network makes of them. Shapes: N draws, B batch, X one sample, K outputs."""

import torch
from torch import Tensor

from robustcert.bounds.network import Network
from robustcert.bounds.regions import Region


def drawn(region: Region, draws: int, *, seed: int = 0) -> Tensor:
    """Draws (N, B, X): half of them corners of the box, all pulled towards x where the ball is smaller."""
    generator = torch.Generator().manual_seed(seed)
    share = torch.rand((draws, *region.lower_BX.shape), generator=generator, dtype=torch.float64)
    share[: draws // 2] = share[: draws // 2].round()
    x_NBX = region.lower_BX + share * (region.upper_BX - region.lower_BX)
    if region.ball is None:
        return x_NBX
    ball, step_NBX = region.ball, x_NBX - region.ball.x_BX
    scaled = (step_NBX / ball.scale_X).flatten(2)
    length_NB = scaled.norm(dim=-1) if ball.norm == "l2" else scaled.abs().sum(dim=-1)
    shrink_NB = (ball.epsilon_B / length_NB.clamp(min=1e-300)).clamp(max=1.0)
    return ball.x_BX + step_NBX * shrink_NB.reshape(*shrink_NB.shape, *(1,) * (step_NBX.ndim - 2))


def outputs(network: Network, x_NBX: Tensor) -> Tensor:
    """Outputs (N, B, K) of every draw."""
    return network.forward(x_NBX.flatten(0, 1)).unflatten(0, x_NBX.shape[:2])
