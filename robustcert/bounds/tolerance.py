"""How far a single feature may move, all others as they are, without a change of the predicted class.

Shapes: D features, B intervals bounded at once.
"""

from __future__ import annotations

import torch
from torch import Tensor

from robustcert.bounds.linear import linear_bounds
from robustcert.bounds.network import Network
from robustcert.bounds.regions import box, margins
from robustcert.errors import InputError, expected

BISECTIONS = 12


def feature_tolerances(
    network: Network, x_D: Tensor, lower_D: Tensor, upper_D: Tensor, *, bisections: int = BISECTIONS
) -> tuple[Tensor, Tensor]:
    """Least and largest value (D,) of each feature on its own for which linear bounds show the class of x_D.

    Looked for by bisection between x_D and the feature's domain [lower_D, upper_D] on either side, so that the true
    tolerance may be larger, never smaller. InputError where x_D lies outside the domain.
    """
    x_D, lower_D, upper_D = x_D.double(), lower_D.double(), upper_D.double()
    if not bool(((lower_D <= x_D) & (x_D <= upper_D)).all()):
        raise InputError(expected("x inside its domain", got="a feature outside", remedy="check lower and upper"))
    label = network.forward(x_D[None]).argmax(dim=1)
    least_D, largest_D = (_farthest(network, x_D, end_D, label, bisections) for end_D in (lower_D, upper_D))
    return least_D, largest_D


def _farthest(network: Network, x_D: Tensor, end_D: Tensor, label: Tensor, bisections: int) -> Tensor:
    """The farthest verified value of each feature between its own and `end_D`."""
    verified, refused = torch.zeros_like(x_D), torch.ones_like(x_D)
    verified = torch.where(_holds(network, x_D, end_D, label), 1.0, verified)
    for _ in range(bisections):
        middle = (verified + refused) / 2
        holds = _holds(network, x_D, x_D + middle * (end_D - x_D), label)
        verified, refused = torch.where(holds, middle, verified), torch.where(holds, refused, middle)
    return x_D + verified * (end_D - x_D)


def _holds(network: Network, x_D: Tensor, value_D: Tensor, label: Tensor) -> Tensor:
    """Whether the class stays when a feature is anywhere between x_D and value_D, for each feature alone, (D,)."""
    moved_DD = x_D.expand(len(x_D), -1).clone()
    moved_DD.fill_diagonal_(0.0).add_(torch.diag(value_D))
    region = box(torch.minimum(moved_DD, x_D), torch.maximum(moved_DD, x_D))
    C_DQK = margins(label.expand(len(x_D)), network.n_outputs)
    return (linear_bounds(network, region, C_DQK)[0] > 0).all(dim=1)
