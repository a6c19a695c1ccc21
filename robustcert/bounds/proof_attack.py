"""The attack that comes before any proof, and the samples that it and the bounds are given.

Shapes: N samples, X the shape of one input, K classes, Q = K - 1 rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from robustcert.attacks.fixed_batches import logits_of
from robustcert.attacks.pgd import pgd
from robustcert.bounds.dense import Array
from robustcert.bounds.proof_threat import ProofThreat
from robustcert.bounds.query import tolerance_of
from robustcert.bounds.verdict import SampleVerdict, margins
from robustcert.bounds.vertex_attack import vertex_attack
from robustcert.data.dataset import Dataset
from robustcert.data.digests import sample_sha256


@dataclass(frozen=True, kw_only=True)
class Samples:
    """Samples with their logits (N, K) as the deployed model gives them; x_NX is float64."""

    dataset: Dataset
    x_NX: Array
    logits_NK: NDArray[np.float32]

    @classmethod
    def of(cls, module: nn.Module, dataset: Dataset) -> Samples:
        """Every sample as it is, in fixed padded batches."""
        x_NX = dataset.x()
        return cls(dataset=dataset, x_NX=x_NX, logits_NK=logits_of(module, torch.from_numpy(x_NX)).numpy())

    def __len__(self) -> int:
        return len(self.x_NX)

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Bool (N,): classified as labelled."""
        return np.asarray(self.logits_NK.argmax(axis=1) == self.dataset.y)

    @property
    def tolerances(self) -> Array:
        """Each sample's tolerance."""
        return np.array([tolerance_of(logits_K) for logits_K in self.logits_NK])

    def all_margins(self) -> Array:
        """logit[label] - logit[other]."""
        labels = self.dataset.y.tolist()
        return np.stack([margins(logits_K, label=y) for logits_K, y in zip(self.logits_NK, labels, strict=True)])

    def rows(self, chosen_N: NDArray[np.bool_]) -> Samples:
        """These samples only."""
        dataset = self.dataset.rows(self.dataset.sample_ids[chosen_N])
        return Samples(dataset=dataset, x_NX=self.x_NX[chosen_N], logits_NK=self.logits_NK[chosen_N])

    def facts(self, row: int) -> SampleVerdict:
        """What is known of one sample before any verdict."""
        return SampleVerdict(
            sample=int(self.dataset.sample_ids[row]),
            input_sha256=sample_sha256(self.dataset.x_int[row]),
            label=int(self.dataset.y[row]),
            verdict="unknown",
            tolerance=tolerance_of(self.logits_NK[row]),
        )


@dataclass(frozen=True, kw_only=True)
class Attacked:
    """Where the attack ended (float32, inside the ball), the deployed model's margins there, and what it broke."""

    points_NX: NDArray[np.float32]
    margins_NQ: Array
    broken_N: NDArray[np.bool_]


def attacked(
    module: nn.Module, samples: Samples, *, threat: ProofThreat, steps: int, restarts: int, seed: int
) -> Attacked:
    """PGD on every sample, for l1 every vertex; what is broken is decided here, by the deployed model on float32."""
    if threat.norm == "l1":
        points_NX = vertex_attack(module, samples.x_NX, samples.dataset.y, threat=threat)
    else:
        found = pgd(
            module,
            torch.from_numpy(samples.x_NX),
            torch.from_numpy(samples.dataset.y),
            ball=threat.ball(),
            steps=steps,
            restarts=restarts,
            sample_ids=samples.dataset.sample_ids.tolist(),
            seed=seed,
        )
        points_NX = np.asarray(found.x_adv_BX.numpy(), np.float32)
    inside_N = threat.contains(points_NX, samples.x_NX).reshape(-1, *(1,) * (points_NX.ndim - 1))
    points_NX = np.where(inside_N, points_NX, samples.x_NX.astype(np.float32))
    logits_NK = logits_of(module, torch.from_numpy(points_NX)).numpy()
    there = Samples(dataset=samples.dataset, x_NX=samples.x_NX, logits_NK=logits_NK)
    return Attacked(points_NX=points_NX, margins_NQ=there.all_margins(), broken_N=~there.correct)
