"""The cheap stages of a proof, in their order: interval bounds, CROWN, alpha-CROWN; and the network's two forms.

Shapes: N samples, X the shape of one input, K classes, Q = K - 1 rows, one per class but the label, ascending.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from robustcert.bounds.alpha import alpha_bounds
from robustcert.bounds.dense import Array, DenseNetwork
from robustcert.bounds.dense_folding import fold
from robustcert.bounds.interval import interval_bounds
from robustcert.bounds.linear import linear_bounds
from robustcert.bounds.network import Network, UnsupportedOperator
from robustcert.bounds.proof_threat import ProofThreat
from robustcert.bounds.regions import Ball, Region, box, margins
from robustcert.bounds.tracing import network_of

Stage = Literal["interval", "crown", "alpha-crown"]
BOUND_STAGES: tuple[Stage, ...] = ("interval", "crown", "alpha-crown")


class BoundStages:
    """One model's bounds under one threat.

    `network` is None where the model has an operator without bounds, `dense` where it has no exact form as well;
    `reason` then names the operator.
    """

    def __init__(self, module: nn.Module, *, input_shape: Sequence[int], threat: ProofThreat) -> None:
        self.threat, self.reason = threat, ""
        self.network: Network | None = None
        self.dense: DenseNetwork | None = None
        try:
            self.network = network_of(module, input_shape=input_shape)
            self.dense = fold(self.network)
        except UnsupportedOperator as error:
            self.reason = f"operator {error.operator}"

    def lower(self, stage: Stage, x_NX: Array, labels_N: NDArray[np.int64], *, iterations: int) -> Array:
        """Lower bounds (N, Q) of logit[label] - logit[other]; minus infinity where the model has no bounds."""
        if self.network is None:
            return np.full((len(x_NX), 1), -np.inf)
        if stage == "alpha-crown" and len(x_NX) > 1:  # Adam would let a sample's bounds depend on its neighbours
            alone = [(x_NX[row : row + 1], labels_N[row : row + 1]) for row in range(len(x_NX))]
            return np.concatenate([self.lower(stage, x, label, iterations=iterations) for x, label in alone])
        specification = margins(torch.from_numpy(labels_N), self.network.n_outputs)
        region = region_of(self.threat, x_NX)
        return np.asarray(_lower(stage, self.network, region, specification, iterations=iterations).numpy(), np.float64)

    def rows(self, label: int) -> Array:
        """The rows (Q, K) of one label."""
        assert self.network is not None
        return np.asarray(margins(torch.tensor([label]), self.network.n_outputs)[0].numpy(), np.float64)


def region_of(threat: ProofThreat, x_NX: Array) -> Region:
    """The threat's balls around a batch; a coordinate with scale 0 stays where it is."""
    x = torch.from_numpy(x_NX)
    sets = [threat.input_set(x_X) for x_X in x_NX]
    lower, upper = (
        torch.stack(side).reshape(x.shape) for side in zip(*((s.lower, s.upper) for s in sets), strict=True)
    )
    region = box(lower, upper)
    if threat.norm == "linf":
        return region
    scale = torch.from_numpy(np.where(threat.scale > 0, threat.scale, 1.0))
    epsilon = torch.full((len(x),), threat.size, dtype=torch.float64)
    met = Ball(norm=threat.norm, x_BX=x, epsilon_B=epsilon, scale_X=scale)
    return Region(lower_BX=region.lower_BX, upper_BX=region.upper_BX, ball=met)


def _lower(stage: Stage, network: Network, region: Region, specification: Tensor, *, iterations: int) -> Tensor:
    if stage == "interval":
        return interval_bounds(network, region, specification)[0]
    if stage == "crown":
        return linear_bounds(network, region, specification)[0]
    return alpha_bounds(network, region, specification, iterations=iterations)
