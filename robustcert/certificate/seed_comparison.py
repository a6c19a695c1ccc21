"""Two ways of training, each certified from several seeds: a claim about methods, not about two checkpoints.

Every certificate of a side is of the same specification but for its seed, and of another model. What is compared are
the rates in the certificates, one number a seed: a rate's own interval is about samples, and says nothing of training.
Below FEWEST seeds a side is described and not compared. Differences have Welch's interval (1947), which takes the rates
of seeds as normal: at 3 seeds it is a convention, not a guarantee; so is the Holm adjustment of its p-values.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from robustcert.certificate.case import Case
from robustcert.certificate.comparison import holm
from robustcert.certificate.schema import RatePart
from robustcert.errors import DataError, expected
from robustcert.evaluation.statistics import CONFIDENCE

FEWEST = 3
ONE_SEED = "one seed: a statement about these two checkpoints, not about methods"


@dataclass(frozen=True, kw_only=True)
class Seeds:
    """One metric of one side: `rates`, one a seed."""

    rates: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Mean over seeds."""
        return statistics.fmean(self.rates)

    @property
    def deviation(self) -> float | None:
        """Standard deviation over seeds; None for a single one."""
        return statistics.stdev(self.rates) if len(self.rates) > 1 else None

    @property
    def least(self) -> float:
        """The worst seed."""
        return min(self.rates)

    @property
    def interval(self) -> tuple[float, float] | None:
        """Student's t interval of the mean, cut to 0 ... 1; None below FEWEST seeds."""
        from scipy.stats import t

        if len(self.rates) < FEWEST or self.deviation is None:
            return None
        half = float(t.ppf((1 + CONFIDENCE) / 2, len(self.rates) - 1)) * self.deviation / len(self.rates) ** 0.5
        return max(0.0, self.mean - half), min(1.0, self.mean + half)


@dataclass(frozen=True, kw_only=True)
class SeedOutcome:
    """One metric of both sides. `interval` and `p` of the difference of means (Welch), None below FEWEST seeds."""

    metric: str
    first: Seeds
    second: Seeds
    interval: tuple[float, float] | None
    p: float | None


def seed_outcomes(first: Sequence[Case], second: Sequence[Case]) -> tuple[SeedOutcome, ...]:
    """Every rate that all certificates of both sides have; DataError for sides that are no seeds of one specification.

    p-values are adjusted by Holm over all metrics.
    """
    for side in (first, second):
        _require_seeds(side)
    sides = [[dict(_rates(case)) for case in side] for side in (first, second)]
    metrics = [metric for metric in sides[0][0] if all(metric in rates for side in sides for rates in side)]
    pairs = [[Seeds(rates=tuple(rates[metric] for rates in side)) for side in sides] for metric in metrics]
    compared = [_welch(*pair) for pair in pairs]
    adjusted = iter(holm([p for _, p in compared if p is not None]))
    return tuple(
        SeedOutcome(
            metric=metric,
            first=one,
            second=other,
            interval=interval,
            p=None if p is None else next(adjusted),
        )
        for metric, (one, other), (interval, p) in zip(metrics, pairs, compared, strict=True)
    )


def label(first: int, second: int) -> str:
    """What a comparison of that many seeds is a statement about.

    >>> label(1, 3)
    'one seed: a statement about these two checkpoints, not about methods'
    """
    fewest = min(first, second)
    if fewest == 1:
        return ONE_SEED
    if fewest < FEWEST:
        return f"{fewest} seeds: described, not compared; a claim about methods needs {FEWEST} on each side"
    return f"{first} and {second} seeds: a statement about training by these two specifications"


def _require_seeds(side: Sequence[Case]) -> None:
    remedy = "give certificates that differ in the specification's seed alone"
    models = {case.predicate.model.sha256 for case in side}
    if len(models) < len(side):
        raise DataError(expected(f"{len(side)} models of one side", got=f"{len(models)} different", remedy=remedy))
    written = [case.specification.model_copy(update={"seed": 0}) for case in side]
    if any(one != written[0] for one in written):
        raise DataError(expected("one specification on each side", got="several", remedy=remedy))
    if len({case.specification.seed for case in side}) < len(side):
        raise DataError(expected("another seed in each certificate of a side", got="one twice", remedy=remedy))


def _rates(case: Case) -> Iterator[tuple[str, float]]:
    found = case.predicate.results
    yield "clean_accuracy", _share(found.clean_accuracy)
    for part in found.accuracy_under_attack:
        yield f"accuracy_under_attack {part.threat_model} epsilon {part.epsilon}", _share(part.accuracy)
    for certified in found.certified_accuracy:
        yield f"certified_accuracy radius {certified.radius}", _share(certified.accuracy)


def _share(part: RatePart) -> float:
    return part.count / part.of


def _welch(one: Seeds, other: Seeds) -> tuple[tuple[float, float] | None, float | None]:
    """Interval and p-value of the difference of means; none of two sides without any spread, which has no t test."""
    from scipy.stats import ttest_ind

    if min(len(one.rates), len(other.rates)) < FEWEST or one.deviation == other.deviation == 0:
        return None, None
    found = ttest_ind(one.rates, other.rates, equal_var=False)
    interval = found.confidence_interval(CONFIDENCE)
    return (float(interval.low), float(interval.high)), float(found.pvalue)
