"""What the report says of each threat model: its meaning in plain words, its chart, its rates and what attacks cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from robustcert.certificate.schema import Predicate, ThreatModelPart, UnderAttackPart
from robustcert.data.dataset import Dataset
from robustcert.evaluation.statistics import Rate, rate
from robustcert.report.attack_curve import attack_curve, parts_of
from robustcert.report.domain_units import DomainSize, domain_sizes
from robustcert.report.wording import same, size_text

Budget = Mapping[str, str | int]

NORM_WORDS = {
    "linf": "Every single value may change by at most {size}, all of them at once.",
    "l2": "The change as a whole, the root of the sum of squares over all values, may be at most {size}.",
}
ACCESS_WORDS = {
    "gradients": "The attacker knows the model and its gradients",
    "scores": "The attacker sees the scores of all classes",
    "labels": "The attacker sees the predicted class only",
    "transfer": "The attacker sees nothing of this model and transfers from another",
}
GOAL_WORDS = {
    "untargeted": "and wins with any wrong class.",
    "targeted": "and wins with one chosen wrong class only.",
}


@dataclass(frozen=True, kw_only=True)
class AttackRun:
    """One attack at the threat's own epsilon; `rate` is what it changed of the samples it was run on, None for none."""

    attack: str
    rate: Rate | None
    gradients: int
    forwards: int


@dataclass(frozen=True, kw_only=True)
class ThreatView:
    """Everything the report prints of one threat model."""

    part: ThreatModelPart
    words: str
    sizes: tuple[DomainSize, ...]
    chart: Markup
    lines: tuple[UnderAttackPart, ...]
    runs: tuple[AttackRun, ...]


def threat_views(predicate: Predicate, dataset: Dataset, budgets: Sequence[Budget]) -> tuple[ThreatView, ...]:
    """One view per threat model, in the order of the specification."""
    return tuple(_view(predicate, dataset, budgets, threat) for threat in predicate.threat_models)


def threat_words(threat: ThreatModelPart) -> str:
    """The threat in two or three plain sentences."""
    change = NORM_WORDS[threat.norm].format(size=size_text(threat.epsilon, threat.unit))
    allowed = "what the data contract allows" if threat.bounds == "contract" else threat.bounds
    attacker = f"{ACCESS_WORDS.get(threat.access, threat.access)} {GOAL_WORDS.get(threat.goal, threat.goal)}"
    return f"{change} Values stay within {allowed}. {attacker}"


def _view(predicate: Predicate, dataset: Dataset, budgets: Sequence[Budget], threat: ThreatModelPart) -> ThreatView:
    return ThreatView(
        part=threat,
        words=threat_words(threat),
        sizes=domain_sizes(dataset, threat.epsilon, unit=threat.unit, norm=threat.norm),  # type: ignore[arg-type]
        chart=attack_curve(predicate, threat),
        lines=tuple(parts_of(predicate, threat)),
        runs=tuple(_run(budget) for budget in budgets if _is_of(budget, threat)),
    )


def _is_of(budget: Budget, threat: ThreatModelPart) -> bool:
    return budget["threat"] == threat.name and same(str(budget["epsilon"]), threat.epsilon)


def _run(budget: Budget) -> AttackRun:
    samples = int(budget["samples"])
    return AttackRun(
        attack=str(budget["attack"]),
        rate=rate(int(budget["broken"]), samples) if samples else None,
        gradients=int(budget["gradients"]),
        forwards=int(budget["forwards"]),
    )
