"""From evidence rows to results and verdicts: counting, intervals, criteria. The issuer and the verifier both use it.

Nothing here runs a model. Clean accuracy and accuracy under attack count rows of the evaluation table; certified
accuracy, abstention and radii count rows of the certification table (docs/certificate.md).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from robustcert.certificate.schema import (
    CertifiedPart,
    CriterionPart,
    RatePart,
    ResultsPart,
    UnderAttackPart,
)
from robustcert.errors import DataError, expected
from robustcert.evaluation.curve import CLEAN, curve_of
from robustcert.evaluation.statistics import Rate, paired_difference_interval, rate, round_down, round_up
from robustcert.smoothing import certified_accuracy as certified
from robustcert.specification import Certification, Criterion, Specification
from robustcert.specification_file import decimal
from robustcert.threat_model import ThreatModel

Row = Mapping[str, Any]

EMPIRICAL_METRICS = ("clean_accuracy", "accuracy_under_attack")


def results(
    specification: Specification, *, evaluation_rows: Sequence[Row], certification_rows: Sequence[Row]
) -> ResultsPart:
    """All results of the two evidence tables; DataError where a table lacks rows that the specification asks for."""
    clean_accuracy, under_attack = empirical_results(specification, evaluation_rows)
    wanted = specification.certification
    return ResultsPart(
        clean_accuracy=clean_accuracy,
        accuracy_under_attack=under_attack,
        certified_accuracy=tuple(_certified(certification_rows, radius, wanted) for radius in wanted.radii),
        smoothed_accuracy=rate_part(certified.smoothed_accuracy(certification_rows)),
        abstention_rate=rate_part(certified.abstention_rate(certification_rows)),
        average_certified_radius=certified.average_certified_radius(certification_rows),
        median_certified_radius=certified.median_certified_radius(certification_rows),
    )


def empirical_results(
    specification: Specification, evaluation_rows: Sequence[Row]
) -> tuple[RatePart, tuple[UnderAttackPart, ...]]:
    """Clean accuracy and accuracy under attack; DataError where rows are missing that the specification asks for."""
    clean = _clean_outcomes(evaluation_rows)
    under_attack = tuple(_under_attacks(specification, evaluation_rows, clean))
    return rate_part(rate(sum(clean.values()), len(clean))), under_attack


def judge(specification: Specification, found: ResultsPart, *, valid: bool) -> tuple[CriterionPart, ...]:
    """Every acceptance criterion on the weak end of its interval; an invalid evaluation meets no empirical one."""
    return tuple(
        _judge(criterion, _measured(criterion, specification, found), valid=valid)
        for criterion in specification.acceptance
    )


def judge_empirical(
    specification: Specification, clean_accuracy: RatePart, under_attack: Sequence[UnderAttackPart], *, valid: bool
) -> tuple[CriterionPart, ...]:
    """As `judge`, the empirical criteria alone: of an evaluation that nothing was certified with."""
    return tuple(
        _judge(criterion, _empirical(criterion, specification, clean_accuracy, under_attack), valid=valid)
        for criterion in specification.acceptance
        if criterion.metric in EMPIRICAL_METRICS
    )


def rate_part(found: Rate) -> RatePart:
    """A rate as it stands in a certificate."""
    return RatePart(
        count=found.count,
        of=found.of,
        estimate=found.estimate,
        lower=found.lower,
        upper=found.upper,
        confidence=found.confidence,
    )


def _clean_outcomes(rows: Iterable[Row]) -> dict[int, bool]:
    clean = {row["sample"]: row["prediction"] == row["label"] for row in rows if row["attack"] == CLEAN}
    if not clean:
        raise DataError(expected("rows of the clean pass", got="none", remedy="run the evaluation again"))
    return clean


def _under_attacks(
    specification: Specification, rows: Iterable[Row], clean: Mapping[int, bool]
) -> Iterator[UnderAttackPart]:
    """One part for each threat and epsilon of the specification, in its order."""
    broken = _broken_samples(rows)
    for threat in specification.threat_models:
        for strength in curve_of(threat, specification.evaluation.curve):
            if (threat.name, strength.text) not in broken:
                raise _no_rows(threat.name, strength.text)
            yield _under_attack(threat, strength.text, clean, broken[threat.name, strength.text])


def _broken_samples(rows: Iterable[Row]) -> dict[tuple[str, str], set[int]]:
    """(threat, epsilon) -> samples on which at least one attack reached its goal."""
    broken: dict[tuple[str, str], set[int]] = defaultdict(set)
    for row in rows:
        if row["attack"] != CLEAN:
            samples = broken[row["threat"], row["epsilon"]]
            if reached(row):
                samples.add(row["sample"])
    return broken


def reached(row: Row) -> bool:
    """Whether the outcome of a row is what the attack wanted: its target, or any wrong class."""
    if row["target"] is None:
        return bool(row["adversarial"] != row["label"])
    return bool(row["adversarial"] == row["target"])


def _under_attack(threat: ThreatModel, epsilon: str, clean: Mapping[int, bool], broken: set[int]) -> UnderAttackPart:
    """Accuracy under the union of attacks on the ids of the clean pass; what is wrong when clean stays wrong."""
    n, right = len(clean), {sample for sample, correct in clean.items() if correct}
    kept = len(right - broken)
    lost = len(right) - kept
    low, high = paired_difference_interval(lost, 0, n)
    return UnderAttackPart(
        threat_model=threat.name,
        epsilon=epsilon,
        unit=threat.unit,
        accuracy=rate_part(rate(kept, n)),
        attack_success=rate_part(rate(lost, len(right))) if right else None,
        accuracy_loss=round_up(lost / n),
        accuracy_loss_lower=round_down(low),
        accuracy_loss_upper=round_up(high),
    )


def _certified(rows: Sequence[Row], radius: float, wanted: Certification) -> CertifiedPart:
    return CertifiedPart(
        radius=decimal(radius),
        accuracy=rate_part(certified.certified_accuracy(rows, radius, alpha=wanted.alpha)),
        simultaneous_count=certified.simultaneous_count(rows, radius, alpha=wanted.alpha),
    )


def _judge(criterion: Criterion, measured: RatePart, *, valid: bool) -> CriterionPart:
    observed = measured.lower if criterion.comparator == ">=" else measured.upper
    holds = (
        float(observed) >= criterion.threshold
        if criterion.comparator == ">="
        else float(observed) <= criterion.threshold
    )
    empirical = criterion.metric in EMPIRICAL_METRICS
    return CriterionPart(
        metric=criterion.metric,
        comparator=criterion.comparator,
        threshold=decimal(criterion.threshold),
        threat_model=criterion.threat_model,
        radius=None if criterion.radius is None else decimal(criterion.radius),
        kind="empirical" if empirical else "certified",
        observed=observed,
        met=holds and (valid or not empirical),
    )


def _measured(criterion: Criterion, specification: Specification, found: ResultsPart) -> RatePart:
    if criterion.metric == "abstention_rate":
        return found.abstention_rate
    if criterion.metric == "certified_accuracy":
        return _certified_at(criterion.radius, found)
    return _empirical(criterion, specification, found.clean_accuracy, found.accuracy_under_attack)


def _empirical(
    criterion: Criterion,
    specification: Specification,
    clean_accuracy: RatePart,
    under_attack: Sequence[UnderAttackPart],
) -> RatePart:
    if criterion.metric == "clean_accuracy":
        return clean_accuracy
    threat = specification.threat(str(criterion.threat_model))
    for part in under_attack:
        if part.threat_model == threat.name and float(part.epsilon) == threat.epsilon:
            return part.accuracy
    raise _no_rows(threat.name, decimal(threat.epsilon))


def _certified_at(radius: float | None, found: ResultsPart) -> RatePart:
    for part in found.certified_accuracy:
        if float(part.radius) == radius:
            return part.accuracy
    raise DataError(expected(f"certified accuracy at radius {radius}", got="none", remedy="add it to the radii"))


def _no_rows(threat: str, epsilon: str) -> DataError:
    what = f"evaluation rows of threat {threat} at epsilon {epsilon}"
    return DataError(expected(what, got="none", remedy="run the evaluation again"))
