"""Gathers what the validity checks look at: attacks at epsilon 0 and over the whole range, logits, gradients.

Shapes: N samples, X the shape of one input, K classes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from robustcert.attacks.attack import Aim, fixed_logits_and_gradient
from robustcert.attacks.ball import Ball
from robustcert.attacks.fixed_batches import FIXED_ROWS, predictions_of
from robustcert.evaluation.clean_pass import CleanPass
from robustcert.evaluation.run_attack import run_attack, with_one_restart
from robustcert.evaluation.suites import AttackConfig
from robustcert.evaluation.validity import WholeRange
from robustcert.threat_model import ThreatModel

WHOLE_RANGE_SAMPLES = FIXED_ROWS
SUM_SLACK = 1e-4


def changed_at_zero(clean: CleanPass, attack: AttackConfig, *, threat: ThreatModel, seed: int) -> int:
    """How many samples differ, in input or prediction, after the attack (one restart) with epsilon 0."""
    ball = Ball.from_threat(threat, clean.dataset, epsilon=0.0)
    inputs = clean.inputs(threat)
    found = run_attack(with_one_restart(attack), clean.module, inputs, threat=threat, ball=ball, seed=seed)
    moved_N = (found.x_adv_BX != clean.x_NX.float()).flatten(start_dim=1).any(dim=1)
    changed_N = predictions_of(clean.module, found.x_adv_BX) != clean.predictions
    return int((moved_N | changed_N).sum())


def whole_range(clean: CleanPass, attacks: Sequence[AttackConfig], *, threat: ThreatModel, seed: int) -> WholeRange:
    """The attacks (one restart) with an epsilon that reaches every input, on the 256 samples of smallest ids."""
    ball = whole_range_ball(Ball.from_threat(threat, clean.dataset))
    rows = clean.sample_ids_N.argsort()[:WHOLE_RANGE_SAMPLES]
    broken_N = clean.predictions[rows] != clean.y_N[rows]
    inputs = clean.inputs(threat).rows(rows)
    for attack in attacks:
        found = run_attack(with_one_restart(attack), clean.module, inputs, threat=threat, ball=ball, seed=seed)
        broken_N = broken_N | found.success_B
    return WholeRange(
        threat=threat.name, unbroken=int((~broken_N).sum()), of=len(rows), fixed=int((ball.scale == 0).sum())
    )


def whole_range_ball(ball: Ball) -> Ball:
    """The same ball, so large that it holds everything between its bounds, wherever its centre is."""
    movable = ball.scale > 0
    reach = (ball.upper - ball.lower)[movable] / ball.scale[movable]
    epsilon = float(torch.linalg.vector_norm(reach, ord=math.inf if ball.norm == "linf" else 2))
    return Ball(norm=ball.norm, epsilon=epsilon, scale=ball.scale, lower=ball.lower, upper=ball.upper)


def zero_gradients(clean: CleanPass) -> int:
    """How many samples have a gradient of the cross-entropy that is exactly zero in every coordinate."""
    _, gradient_NX = fixed_logits_and_gradient(clean.module, clean.x_NX.float(), Aim(y_B=clean.y_N))
    return int((gradient_NX == 0).flatten(start_dim=1).all(dim=1).sum())


def not_finite(logits_NK: Tensor) -> int:
    """How many rows hold a logit that is not a finite number."""
    return int((~logits_NK.isfinite()).any(dim=1).sum())


def rows_that_sum_to_one(logits_NK: Tensor) -> int:
    """How many rows are non-negative and sum to 1, as probabilities do."""
    return int(((logits_NK >= 0).all(dim=1) & ((logits_NK.sum(dim=1) - 1).abs() < SUM_SLACK)).sum())
