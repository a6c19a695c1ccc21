"""One attack at one epsilon on every sample, and its evidence: a row per sample, measured in float64.

Shapes: N samples, R the perturbed ones, X the shape of one input.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from robustcert.attacks.attack import AttackResult
from robustcert.attacks.ball import Ball
from robustcert.attacks.budget import distances, legal, within
from robustcert.attacks.fixed_batches import predictions_of
from robustcert.evaluation.adversarials import Adversarials
from robustcert.evaluation.clean_pass import CleanPass
from robustcert.evaluation.curve import CLEAN, NO_PERTURBATION, Strength
from robustcert.evaluation.run_attack import AttackInputs, run_attack
from robustcert.evaluation.statistics import round_up
from robustcert.evaluation.suites import AttackConfig
from robustcert.evaluation.validity import AttackedPoint
from robustcert.provenance.digests import sha256_bytes
from robustcert.threat_model import ThreatModel

DISTANCE_DIGITS = 12
NO_DISTANCE = "0"
NO_INPUT = ""

Row = dict[str, str | int | None]
Budget = dict[str, str | int]


@dataclass(frozen=True, kw_only=True)
class AttackRun:
    """What one attack did at one epsilon; `adversarials` only at the threat's own epsilon."""

    threat: str
    attack: str
    rows: list[Row]
    point: AttackedPoint
    budget: Budget
    adversarials: Adversarials | None


@dataclass(frozen=True, kw_only=True)
class Perturbed:
    """What broke: positions (R,) among the N samples, float32 inputs (R, *shape), float64 distances, int64 classes."""

    positions: NDArray[np.int64]
    x_adv: NDArray[np.float32]
    distances: NDArray[np.float64]
    classes: NDArray[np.int64]


def attack_samples(
    clean: CleanPass, attack: AttackConfig, *, threat: ThreatModel, strength: Strength, seed: int
) -> AttackRun:
    """Attack every correctly classified sample; the others are broken already and cost nothing."""
    ball = Ball.from_threat(threat, clean.dataset, epsilon=strength.value)
    inputs = clean.inputs(threat)
    rows = clean.correct_rows
    found = run_attack(attack, clean.module, inputs.rows(rows), threat=threat, ball=ball, seed=seed)
    perturbed = _perturbed(clean, rows[found.success_B], found.x_adv_BX[found.success_B], ball=ball)
    sample_ids = clean.dataset.sample_ids[perturbed.positions]
    return AttackRun(
        threat=threat.name,
        attack=attack.id,
        rows=_rows(clean, perturbed, threat=threat, epsilon=strength.text, attack=attack.id),
        point=_point(clean, perturbed, inputs, threat=threat, ball=ball, attack=attack.id),
        budget=_budget(found, threat=threat, epsilon=strength.text, attack=attack.id),
        adversarials=Adversarials(sample_ids=sample_ids, x_adv=perturbed.x_adv) if strength.main else None,
    )


def clean_rows(clean: CleanPass, *, threat: ThreatModel) -> list[Row]:
    """One row per sample without any perturbation."""
    nothing = _nothing(clean)
    return _rows(clean, nothing, threat=threat, epsilon=NO_PERTURBATION, attack=CLEAN)


def _perturbed(clean: CleanPass, positions_R: Tensor, x_adv_RX: Tensor, *, ball: Ball) -> Perturbed:
    x_adv, positions = x_adv_RX.numpy(), positions_R.numpy()
    x = clean.x_NX.numpy()[positions]
    return Perturbed(
        positions=positions,
        x_adv=x_adv,
        distances=distances(x_adv, x, scale=ball.scale.numpy(), norm=ball.norm),
        classes=predictions_of(clean.module, x_adv_RX).numpy(),
    )


def _nothing(clean: CleanPass) -> Perturbed:
    return Perturbed(
        positions=np.zeros(0, np.int64),
        x_adv=np.zeros((0, *clean.x_NX.shape[1:]), np.float32),
        distances=np.zeros(0),
        classes=np.zeros(0, np.int64),
    )


def _rows(clean: CleanPass, perturbed: Perturbed, *, threat: ThreatModel, epsilon: str, attack: str) -> list[Row]:
    targets_N = None if attack == CLEAN else clean.targets(threat)
    targets = targets_N.tolist() if targets_N is not None else [None] * len(clean.y_N)
    samples = zip(clean.sample_ids_N.tolist(), clean.digests, clean.y_N.tolist(), targets, strict=True)
    rows: list[Row] = [
        {
            "threat": threat.name,
            "epsilon": epsilon,
            "attack": attack,
            "sample": sample,
            "input": digest,
            "label": label,
            "target": target,
            "prediction": prediction,
            "adversarial": prediction,
            "distance": NO_DISTANCE,
            "perturbed": NO_INPUT,
        }
        for (sample, digest, label, target), prediction in zip(samples, clean.predictions.tolist(), strict=True)
    ]
    for index, position in enumerate(perturbed.positions.tolist()):
        rows[position] |= _finding(perturbed, index)
    return rows


def _finding(perturbed: Perturbed, index: int) -> Row:
    return {
        "adversarial": int(perturbed.classes[index]),
        "distance": round_up(float(perturbed.distances[index]), DISTANCE_DIGITS),
        "perturbed": sha256_bytes(perturbed.x_adv[index].astype("<f4").tobytes()),
    }


def _point(
    clean: CleanPass, perturbed: Perturbed, inputs: AttackInputs, *, threat: ThreatModel, ball: Ball, attack: str
) -> AttackedPoint:
    unbroken = (clean.predictions == clean.y_N).numpy().copy()
    unbroken[perturbed.positions] = False
    kept = within(perturbed.distances, ball.epsilon) & legal(
        perturbed.x_adv, clean.x_NX.numpy()[perturbed.positions], lower=ball.lower.numpy(), upper=ball.upper.numpy()
    )
    return AttackedPoint(
        threat=threat.name,
        attack=attack,
        epsilon=ball.epsilon,
        unbroken=unbroken,
        worst_ratio=float(perturbed.distances.max(initial=0.0)) / ball.epsilon,
        illegal=int((~kept).sum()),
        unreproduced=_unreproduced(perturbed, inputs),
    )


def _unreproduced(perturbed: Perturbed, inputs: AttackInputs) -> int:
    positions = torch.from_numpy(perturbed.positions)
    classes = torch.from_numpy(perturbed.classes)
    if inputs.targets_B is None:
        return int((classes == inputs.y_B[positions]).sum())
    return int((classes != inputs.targets_B[positions]).sum())


def _budget(found: AttackResult, *, threat: ThreatModel, epsilon: str, attack: str) -> Budget:
    return {
        "threat": threat.name,
        "epsilon": epsilon,
        "attack": attack,
        "samples": len(found.success_B),
        "broken": int(found.success_B.sum()),
        "gradients": int(found.gradients_B.sum()),
        "forwards": int(found.forwards_B.sum()),
    }
