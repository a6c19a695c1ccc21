"""Run one attack of a suite against one threat; refuse it when it needs more access than the threat declares.

Shapes: B batch, X the shape of one input.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from robustcert.attacks.attack import AttackResult
from robustcert.attacks.ball import Ball
from robustcert.attacks.fgsm import fgsm
from robustcert.attacks.pgd import pgd
from robustcert.errors import SpecificationError, expected
from robustcert.evaluation.suites import AttackConfig
from robustcert.threat_model import ThreatModel

CHUNK_ROWS = 2048  # bounds memory; a multiple of the fixed batch, and without effect on results


@dataclass(frozen=True, kw_only=True)
class AttackInputs:
    """What is attacked: x_BX float64, y_B and sample_ids_B int64, targets_B int64 under a targeted threat."""

    x_BX: Tensor
    y_B: Tensor
    sample_ids_B: Tensor
    targets_B: Tensor | None = None

    def rows(self, index: Tensor | slice) -> AttackInputs:
        """These rows only."""
        return AttackInputs(
            x_BX=self.x_BX[index],
            y_B=self.y_B[index],
            sample_ids_B=self.sample_ids_B[index],
            targets_B=None if self.targets_B is None else self.targets_B[index],
        )


def run_attack(
    attack: AttackConfig, module: nn.Module, inputs: AttackInputs, *, threat: ThreatModel, ball: Ball, seed: int
) -> AttackResult:
    """The attack on every row; SpecificationError when `threat` does not grant the access that it needs."""
    if not threat.allows(attack.needs):
        what = f"an attack within access {threat.access!r} of threat {threat.name!r}"
        got = f"{attack.name}, which needs {attack.needs!r}"
        raise SpecificationError(expected(what, got=got, remedy="leave the attack out, or declare more access"))
    chunks = range(0, len(inputs.y_B), CHUNK_ROWS)
    parts = [inputs.rows(slice(start, start + CHUNK_ROWS)) for start in chunks] or [inputs]
    run = _RUN[attack.name]
    return _joined([run(attack, module, part, ball, seed) for part in parts])


def with_one_restart(attack: AttackConfig) -> AttackConfig:
    """The same attack with a single restart, for sanity checks."""
    if "restarts" not in attack.parameters:
        return attack
    return replace(attack, parameters={**attack.parameters, "restarts": 1})


def _run_fgsm(attack: AttackConfig, module: nn.Module, inputs: AttackInputs, ball: Ball, seed: int) -> AttackResult:
    return fgsm(module, inputs.x_BX, inputs.y_B, ball=ball, targets_B=inputs.targets_B)


def _run_pgd(attack: AttackConfig, module: nn.Module, inputs: AttackInputs, ball: Ball, seed: int) -> AttackResult:
    steps = int(attack.parameters["steps"])
    return pgd(
        module,
        inputs.x_BX,
        inputs.y_B,
        ball=ball,
        steps=steps,
        restarts=int(attack.parameters["restarts"]),
        sample_ids=inputs.sample_ids_B.tolist(),
        seed=seed,
        step_size=float(attack.parameters["relativeStep"]) * ball.epsilon / steps,
        targets_B=inputs.targets_B,
    )


_RUN: dict[str, Callable[[AttackConfig, nn.Module, AttackInputs, Ball, int], AttackResult]] = {
    "fgsm": _run_fgsm,
    "pgd": _run_pgd,
}


def _joined(results: list[AttackResult]) -> AttackResult:
    return AttackResult(
        x_adv_BX=torch.cat([result.x_adv_BX for result in results]),
        success_B=torch.cat([result.success_B for result in results]),
        gradients_B=torch.cat([result.gradients_B for result in results]),
        forwards_B=torch.cat([result.forwards_B for result in results]),
    )
