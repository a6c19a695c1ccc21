"""What is minimised: cross-entropy on perturbed inputs (Madry et al. 2018) and, for smoothing, on noisy ones.

Shapes: B batch, X the shape of one input, K classes. Gaussian noise of the certification's sigma: Cohen et al. 2019,
section 3.3. Label smoothing (Szegedy et al. 2016, section 7) keeps the logits small, so that attacks see gradients.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from robustcert.attacks.attack import Aim, logits_and_gradient
from robustcert.attacks.ball import Region
from robustcert.attacks.pgd import step_size_of
from robustcert.attacks.random_starts import random_starts

LABEL_SMOOTHING = 0.1


@dataclass(frozen=True, kw_only=True)
class PerturbedBatch:
    """PGD from one random start per sample, keyed by (seed, sample id, epoch), against the batch's own ball."""

    region: Region
    sample_ids: Sequence[int]
    steps: int
    seed: int
    epoch: int

    def inputs(self, module: nn.Module, y_B: Tensor) -> Tensor:
        """x_adv_BX, found with the module in eval mode; the module is left in training mode."""
        ball, aim = self.region.ball, Aim(y_B=y_B)
        starts_BX = random_starts(ball, sample_ids=self.sample_ids, restart=self.epoch, seed=self.seed)
        x_adv_BX = self.region.displaced(starts_BX.to(self.region.clean_BX.device))
        module.eval()
        for _ in range(self.steps):
            _, gradient_BX = logits_and_gradient(module, x_adv_BX, aim)
            x_adv_BX = self.region.ascend(x_adv_BX, gradient_BX, step=step_size_of(ball, steps=self.steps))
        module.train()
        return x_adv_BX


def mean_loss(module: nn.Module, copies: Sequence[Tensor], y_B: Tensor) -> Tensor:
    """Scalar: smoothed cross-entropy, averaged over the samples and over several inputs (B, *X) of each."""
    logits = module(torch.cat(list(copies)))
    return F.cross_entropy(logits, y_B.repeat(len(copies)), label_smoothing=LABEL_SMOOTHING)
