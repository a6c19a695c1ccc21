"""Evaluation: every attack of the suite against every threat at every epsilon of the curve, on the same samples.

Shapes: N samples, R the perturbed ones, X the shape of one input. What comes out is empirical: a sample that no attack
broke is not proved to be safe, and accuracy under attack is an upper bound on the true one. A sample that is wrong
before any attack counts as broken. Results depend on neither order, sharding nor batch size of the samples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from robustcert.data.dataset import Dataset
from robustcert.evaluation.adversarials import Adversarials
from robustcert.evaluation.attack_run import AttackRun, Budget, Row, attack_samples, clean_rows
from robustcert.evaluation.clean_pass import CleanPass, clean_pass
from robustcert.evaluation.curve import Strength, curve_of
from robustcert.evaluation.sanity import changed_at_zero, not_finite, rows_that_sum_to_one, whole_range, zero_gradients
from robustcert.evaluation.suites import AttackConfig, Suite, allowed_attacks, load_suite
from robustcert.evaluation.validity import Facts, ValidityCheck, validity_of
from robustcert.models.canonical_execution import canonical_execution
from robustcert.models.execution_device import Device, execution_device, placed
from robustcert.models.model import LoadedModel
from robustcert.specification import Specification
from robustcert.threat_model import ThreatModel

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, kw_only=True)
class EvaluationResult:
    """Evidence rows, perturbed inputs at each threat's own epsilon (keyed `THREAT/ATTACK`), checks and costs.

    `budgets` counts gradients and forward passes of each attack run; `refused` names, by threat, the attacks that need
    more access than it declares.
    """

    rows: list[Row]
    adversarials: dict[str, Adversarials]
    validity: tuple[ValidityCheck, ...]
    budgets: list[Budget]
    refused: tuple[str, ...]

    @property
    def valid(self) -> bool:
        """Whether the evaluation passed all of its own checks."""
        return all(check.passed for check in self.validity)


@dataclass(frozen=True, kw_only=True)
class PlannedRun:
    """One attack at one epsilon of one threat."""

    threat: ThreatModel
    strength: Strength
    attack: AttackConfig


def evaluate(
    model: LoadedModel,
    dataset: Dataset,
    specification: Specification,
    *,
    progress: Progress | None = None,
    device: Device = "auto",
) -> EvaluationResult:
    """Evaluate `model` on every sample of `dataset` as `specification.evaluation` and its threat models say.

    The model runs on `device`; searches and results stay on the CPU. Raises SpecificationError when a suite is unknown,
    none of its attacks is within a threat's access, a sample lies outside a threat's bounds, or nothing may be changed;
    ModelError where the device can't be used.
    """
    suite = load_suite(specification.evaluation.suite)
    plan = planned_runs(specification, suite)
    with canonical_execution():
        clean = clean_pass(placed(model.module, execution_device(device)), dataset)
        runs = list(_attacked(clean, plan, seed=specification.seed, progress=progress or _silent))
        facts = _facts(clean, plan, runs, seed=specification.seed)
    (progress or _silent)(len(plan) + 1, len(plan) + 1, "checked itself")
    return EvaluationResult(
        rows=[row for threat in specification.threat_models for row in _rows(clean, threat, runs)],
        adversarials={f"{run.threat}/{run.attack}": run.adversarials for run in runs if run.adversarials is not None},
        validity=validity_of(facts),
        budgets=[run.budget for run in runs],
        refused=tuple(_refused(specification, suite)),
    )


def planned_runs(specification: Specification, suite: Suite) -> list[PlannedRun]:
    """What will run, in order; SpecificationError where a threat's access leaves no attack."""
    return [
        PlannedRun(threat=threat, strength=strength, attack=attack)
        for threat in specification.threat_models
        for strength in curve_of(threat, specification.evaluation.curve)
        for attack in allowed_attacks(suite, threat)
    ]


def _attacked(clean: CleanPass, plan: Sequence[PlannedRun], *, seed: int, progress: Progress) -> Iterator[AttackRun]:
    for done, step in enumerate(plan):
        where = f"{step.attack.name} at epsilon {step.strength.text} {step.threat.unit} ({step.threat.name})"
        progress(done, len(plan) + 1, where)
        yield attack_samples(clean, step.attack, threat=step.threat, strength=step.strength, seed=seed)


def _facts(clean: CleanPass, plan: Sequence[PlannedRun], runs: Sequence[AttackRun], *, seed: int) -> Facts:
    own = [step for step in plan if step.strength.main]
    threats = {step.threat.name: step.threat for step in own}
    return Facts(
        n_classes=clean.dataset.n_classes,
        samples=len(clean.dataset),
        not_finite=not_finite(clean.logits_NK),
        rows_that_sum_to_one=rows_that_sum_to_one(clean.logits_NK),
        zero_gradients=zero_gradients(clean),
        zero_epsilon={
            f"{step.threat.name}, {step.attack.id}": changed_at_zero(clean, step.attack, threat=step.threat, seed=seed)
            for step in own
        },
        whole_range=[
            whole_range(clean, [step.attack for step in own if step.threat.name == name], threat=threat, seed=seed)
            for name, threat in threats.items()
        ],
        points=[run.point for run in runs],
    )


def _rows(clean: CleanPass, threat: ThreatModel, runs: Sequence[AttackRun]) -> list[Row]:
    attacked = [row for run in runs if run.threat == threat.name for row in run.rows]
    return clean_rows(clean, threat=threat) + attacked


def _refused(specification: Specification, suite: Suite) -> Iterator[str]:
    for threat in specification.threat_models:
        for attack in suite.attacks:
            if not threat.allows(attack.needs):
                yield f"{threat.name}: {attack.id} needs access {attack.needs}, the threat declares {threat.access}"


def _silent(done: int, total: int, text: str) -> None:
    pass
