"""Which epoch's weights are kept: chosen on the validation split by accuracy under attack, never on the test split.

Shapes: L validation samples of this process, X the shape of one input. A sample's result depends on that sample alone,
so the score is the same for any number of processes with equal weights. Rice et al. 2020 (arXiv:2002.11569): the last
epoch is not the best one under attack.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from robustcert.attacks.ball import Ball
from robustcert.attacks.fixed_batches import predictions_of
from robustcert.attacks.pgd import pgd
from robustcert.data.dataset import Dataset
from robustcert.data.planned_samples import planned_samples
from robustcert.threat_model import ThreatModel
from robustcert.training.world import ALONE, World

ATTACK_STEPS = 10
MOST_SAMPLES = 1000


@dataclass(frozen=True, kw_only=True)
class Score:
    """How many of `of` validation samples are classified correctly: as they are, and under PGD with 10 steps."""

    clean: int
    under_attack: int
    of: int


class Validation:
    """The validation samples (at most 1000, chosen by seed) and the threat they are attacked under."""

    def __init__(self, dataset: Dataset, threat: ThreatModel, *, seed: int, world: World = ALONE) -> None:
        ids = dataset.sample_ids.tolist()
        chosen = dataset.rows(planned_samples(ids, samples=min(MOST_SAMPLES, len(ids)), seed=seed))
        self._ball, self._of = Ball.from_threat(threat, chosen), len(chosen)
        mine = world.mine(torch.arange(len(chosen)))
        self._x_LX = torch.from_numpy(chosen.x())[mine]
        self._y_L = torch.from_numpy(chosen.y)[mine]
        self._sample_ids: list[int] = chosen.sample_ids[mine.numpy()].tolist()
        self._seed = seed
        self._world = world

    def score(self, module: nn.Module) -> Score:
        """Score of `module`, in eval mode from here on; every process of the world takes part and gets it."""
        module.eval()
        rows = (predictions_of(module, self._x_LX) == self._y_L).nonzero()[:, 0]
        broken = int(self._broken(module, rows).sum())
        counts = torch.tensor([len(rows), len(rows) - broken])
        self._world.add_up([counts])
        return Score(clean=int(counts[0]), under_attack=int(counts[1]), of=self._of)

    def _broken(self, module: nn.Module, rows: Tensor) -> Tensor:
        return pgd(
            module,
            self._x_LX[rows],
            self._y_L[rows],
            ball=self._ball,
            steps=ATTACK_STEPS,
            restarts=1,
            sample_ids=[self._sample_ids[row] for row in rows],
            seed=self._seed,
        ).success_B


class BestCheckpoint:
    """The best weights so far: by accuracy under attack, then clean accuracy, then the earlier epoch.

    With method `standard`, which no attack should break late, clean accuracy comes first.
    """

    def __init__(self, method: Literal["pgd", "standard"]) -> None:
        self._method = method
        self._rank = (-1, -1)
        self._state: dict[str, Tensor] = {}
        self.epoch = 0

    def offer(self, module: nn.Module, score: Score, *, epoch: int) -> None:
        """Keep a copy of the weights of `epoch` (from 1) if its score is better than all before."""
        rank = (score.under_attack, score.clean)
        rank = rank if self._method == "pgd" else rank[::-1]
        if rank > self._rank:
            self._rank, self.epoch = rank, epoch
            self._state = {name: value.clone() for name, value in module.state_dict().items()}

    def restore(self, module: nn.Module) -> None:
        """Put the best weights back."""
        module.load_state_dict(self._state)
