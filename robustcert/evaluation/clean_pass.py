"""What is known of every sample before any attack: input, label, logits, prediction, and a targeted attack's target.

Shapes: N samples, X the shape of one input, K classes. Every rate of an evaluation is over these same samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from robustcert.attacks.fixed_batches import logits_of
from robustcert.data.dataset import Dataset
from robustcert.data.digests import sample_sha256
from robustcert.evaluation.run_attack import AttackInputs
from robustcert.threat_model import ThreatModel


@dataclass(frozen=True, kw_only=True)
class CleanPass:
    """x_NX: float64; y_N, sample_ids_N, predictions: int64; logits_NK: float32; digests: SHA-256 of each input."""

    module: nn.Module
    dataset: Dataset
    x_NX: Tensor
    y_N: Tensor
    sample_ids_N: Tensor
    logits_NK: Tensor

    @cached_property
    def predictions(self) -> Tensor:
        """Most likely class of each sample."""
        return self.logits_NK.argmax(dim=1)

    @cached_property
    def correct_rows(self) -> Tensor:
        """Indices of the samples that are classified correctly; only these are attacked, the others count as broken."""
        return (self.predictions == self.y_N).nonzero()[:, 0]

    @cached_property
    def digests(self) -> list[str]:
        """SHA-256 of each sample's integers."""
        return [sample_sha256(x_int) for x_int in self.dataset.x_int]

    def targets(self, threat: ThreatModel) -> Tensor | None:
        """The most likely class other than the label, for a targeted threat; None for an untargeted one."""
        if threat.goal == "untargeted":
            return None
        others_NK = self.logits_NK.scatter(1, self.y_N[:, None], float("-inf"))
        return others_NK.argmax(dim=1)

    def inputs(self, threat: ThreatModel) -> AttackInputs:
        """What an attack under `threat` is given."""
        return AttackInputs(
            x_BX=self.x_NX, y_B=self.y_N, sample_ids_B=self.sample_ids_N, targets_B=self.targets(threat)
        )


def clean_pass(module: nn.Module, dataset: Dataset) -> CleanPass:
    """Classify every sample of `dataset` as it is, float32(x_int * unit), in fixed padded batches."""
    x_NX = torch.from_numpy(dataset.x())
    return CleanPass(
        module=module,
        dataset=dataset,
        x_NX=x_NX,
        y_N=torch.from_numpy(dataset.y),
        sample_ids_N=torch.from_numpy(dataset.sample_ids),
        logits_NK=logits_of(module, x_NX),
    )
