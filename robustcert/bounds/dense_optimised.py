"""The best linear bounds that slopes (alpha), split multipliers (beta) and shares of the rows give, by Adam.

Xu et al. 2021 (arXiv:2011.13824) and Wang et al. 2021 (arXiv:2103.06624, section 3). Whatever the optimiser does, each
bound is sound, since slopes are kept in [0, 1], multipliers at 0 or above and shares on the simplex.

Shapes: B subdomains, Q rows, R = Q or Q + 1 bounded rows, M units of one layer.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from robustcert.bounds.dense_linear import LinearBound, Multipliers, Relaxation, Weights, linear_rows
from robustcert.bounds.input_set import InputSet

LEARNING_RATE = 0.5  # measured: 0.1 needs up to 30 times the subdomains


def optimised_rows(
    weights: Weights, region: InputSet, relaxed: Sequence[Relaxation], *, iterations: int
) -> LinearBound:
    """The best bound of each row over `iterations` steps."""
    best = linear_rows(weights, region, relaxed)
    alphas = [relaxation.steepest()[:, None].repeat(1, best.lower.shape[1], 1) for relaxation in relaxed]
    betas = [torch.zeros_like(alpha) for alpha in alphas]
    shares_BQ = torch.zeros(len(best.lower), weights.network.output.units, dtype=torch.float64)
    parameters = [parameter.requires_grad_() for parameter in (*alphas, *betas, shares_BQ)]
    optimiser = torch.optim.Adam(parameters, lr=LEARNING_RATE, foreach=False)
    for _ in range(iterations if relaxed else 0):
        optimiser.zero_grad()
        given = [Multipliers(alpha=alpha, beta=beta) for alpha, beta in zip(alphas, betas, strict=True)]
        found = linear_rows(weights, region, relaxed, given, shares_BQ.softmax(dim=1))
        (-found.lower.sum()).backward()
        best = _better(best, found)
        optimiser.step()
        _keep_sound(alphas, betas)
    return best


def _keep_sound(alphas: Sequence[Tensor], betas: Sequence[Tensor]) -> None:
    with torch.no_grad():
        for alpha, beta in zip(alphas, betas, strict=True):
            alpha.clamp_(0, 1)
            beta.clamp_(min=0)


def _better(best: LinearBound, found: LinearBound) -> LinearBound:
    with torch.no_grad():
        improved_BQ = found.lower > best.lower
        improved_B1 = improved_BQ.any(dim=1)[:, None]
        return LinearBound(
            lower=torch.where(improved_BQ, found.lower, best.lower).detach(),
            coefficients=torch.where(improved_BQ[..., None], found.coefficients, best.coefficients).detach(),
            scores=[
                torch.where(improved_B1, new, old).detach() for new, old in zip(found.scores, best.scores, strict=True)
            ],
        )
