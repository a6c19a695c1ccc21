"""What every attack shares: its aim, its search over the samples that are not broken yet, and its result.

Shapes: B batch, X the shape of one input, K classes, R the rows of a batch that are still searched.
An attack claims success only for a point that lies inside the ball as float32 and whose class a fresh forward pass,
apart from the search, confirms. Every call is counted per sample.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from robustcert.attacks.ball import Ball, Region
from robustcert.attacks.fixed_batches import in_fixed_batches, logits_of
from robustcert.models.execution_device import device_of


@dataclass(frozen=True, kw_only=True)
class AttackResult:
    """What an attack did to each sample.

    `x_adv_BX` is float32: an adversarial input inside the ball where `success_B`, the last point tried elsewhere.
    `gradients_B` counts input gradients, `forwards_B` forward passes, those of the gradients included.
    """

    x_adv_BX: Tensor
    success_B: Tensor
    gradients_B: Tensor
    forwards_B: Tensor


@dataclass(frozen=True, kw_only=True)
class Aim:
    """What counts as success: any class but `y_B`, or `targets_B` where given (int64)."""

    y_B: Tensor
    targets_B: Tensor | None = None

    def reached(self, logits_BK: Tensor) -> Tensor:
        """Bool (B,): the prediction is what the attacker wants."""
        prediction_B = logits_BK.argmax(dim=1)
        return prediction_B != self.y_B if self.targets_B is None else prediction_B == self.targets_B

    def loss(self, logits_BK: Tensor) -> Tensor:
        """Float (B,) that the attacker increases: cross-entropy of y, or minus that of the target."""
        if self.targets_B is None:
            return F.cross_entropy(logits_BK, self.y_B, reduction="none")
        return -F.cross_entropy(logits_BK, self.targets_B, reduction="none")

    def to(self, device: torch.device) -> Aim:
        """The same aim, its tensors on `device`."""
        return Aim(y_B=self.y_B.to(device), targets_B=None if self.targets_B is None else self.targets_B.to(device))

    def rows(self, index: Tensor) -> Aim:
        """The aim of these rows only."""
        return Aim(y_B=self.y_B[index], targets_B=None if self.targets_B is None else self.targets_B[index])


def logits_and_gradient(module: nn.Module, x_BX: Tensor, aim: Aim) -> tuple[Tensor, Tensor]:
    """logits_BK and the gradient of the aim's loss with respect to x_BX, both detached; weights get no gradient.

    Computed where the module lies, and brought back to where x_BX does.
    """
    home, device = x_BX.device, device_of(module)
    x_BX = x_BX.detach().to(device).requires_grad_(True)
    with torch.enable_grad():
        logits_BK = module(x_BX)
        (gradient_BX,) = torch.autograd.grad(aim.to(device).loss(logits_BK).sum(), x_BX)
    return logits_BK.detach().to(home), gradient_BX.nan_to_num().to(home)


def fixed_logits_and_gradient(module: nn.Module, x_BX: Tensor, aim: Aim) -> tuple[Tensor, Tensor]:
    """The same in fixed padded batches, so that a row's result does not depend on the others."""
    labels = (aim.y_B,) if aim.targets_B is None else (aim.y_B, aim.targets_B)

    def block(x_RX: Tensor, y_R: Tensor, targets_R: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return logits_and_gradient(module, x_RX, Aim(y_B=y_R, targets_B=targets_R))

    logits_BK, gradient_BX = in_fixed_batches(block, x_BX, *labels)
    return logits_BK, gradient_BX


class Search:
    """One attack in progress on x_BX: which rows are broken, the best points so far, and what they cost."""

    def __init__(self, module: nn.Module, x_BX: Tensor, aim: Aim, *, ball: Ball) -> None:
        self.region = ball.around(x_BX)
        self._module = module
        self._aim = aim
        self._x_adv_BX = self.region.clean_BX.clone()
        self._success_B = torch.zeros(len(x_BX), dtype=torch.bool)
        self._gradients_B = torch.zeros(len(x_BX), dtype=torch.int64)
        self._forwards_B = torch.zeros(len(x_BX), dtype=torch.int64)

    def open_rows(self) -> Tensor:
        """Indices (R,) of the rows that are not broken yet."""
        return (~self._success_B).nonzero()[:, 0]

    def step(self, rows: Tensor, region: Region, x_adv_RX: Tensor, *, step: float) -> tuple[Tensor, Tensor]:
        """The points one step up the loss, and whether the points given reach the aim (bool (R,), unconfirmed)."""
        aim = self._aim.rows(rows)
        logits_RK, gradient_RX = fixed_logits_and_gradient(self._module, x_adv_RX, aim)
        self._gradients_B[rows] += 1
        self._forwards_B[rows] += 1
        return region.ascend(x_adv_RX, gradient_RX, step=step), aim.reached(logits_RK)

    def confirm(self, rows: Tensor, x_adv_RX: Tensor) -> Tensor:
        """Keep the points, projected exactly; bool (R,): a fresh forward pass says that they reach the aim."""
        if not len(rows):
            return torch.zeros(0, dtype=torch.bool)
        x_adv_RX = self.region.rows(rows).project(x_adv_RX)
        reached_R = self._aim.rows(rows).reached(logits_of(self._module, x_adv_RX))
        self._forwards_B[rows] += 1
        self._x_adv_BX[rows] = x_adv_RX
        self._success_B[rows] = reached_R
        return reached_R

    def result(self) -> AttackResult:
        """Everything found so far."""
        return AttackResult(
            x_adv_BX=self._x_adv_BX,
            success_B=self._success_B,
            gradients_B=self._gradients_B,
            forwards_B=self._forwards_B,
        )
