"""Checks that the acceptance criteria can be met at all, and can be missed."""

from __future__ import annotations

import math
from collections.abc import Iterator

from robustcert.errors import expected
from robustcert.evaluation.statistics import rate
from robustcert.smoothing.noise_kinds import KINDS
from robustcert.specification import Certification, Criterion, Specification
from robustcert.specification_certification import WHEN_ABSENT
from robustcert.specification_checks.finding import Finding


def radii_can_be_certified(specification: Specification) -> Iterator[Finding]:
    """No radius is above what n unanimous votes certify: sigma * Phi^-1(alpha^(1/n)) with Gaussian noise."""
    wanted = specification.certification
    largest = _largest_radius(wanted)
    for number, radius in enumerate(wanted.radii):
        if radius > largest:
            limit = f"a radius of at most {largest:.4g}, the largest that n {wanted.n} votes can certify"
            message = expected(limit, got=f"{radius:g}", remedy="lower it, or raise sigma or n")
            yield Finding(path=("certification", "radii", number), message=message)


def thresholds_can_be_met(specification: Specification) -> Iterator[Finding]:
    """The weak end of an exact interval over N samples never reaches 1 (or 0); with N known, it has a known limit."""
    for number, criterion in enumerate(specification.acceptance):
        path = ("acceptance", number, "threshold")
        samples = _samples(criterion, specification)
        if criterion.comparator == ">=":
            best = 1.0 if samples is None else float(rate(samples, samples).lower)
            if criterion.threshold > best or criterion.threshold == 1:
                yield Finding(path=path, message=_beyond(criterion, limit=f"below {best:g}", samples=samples))
        else:
            best = 0.0 if samples is None else float(rate(0, samples).upper)
            if criterion.threshold < best or criterion.threshold == 0:
                yield Finding(path=path, message=_beyond(criterion, limit=f"above {best:g}", samples=samples))


def thresholds_can_be_missed(specification: Specification) -> Iterator[Finding]:
    """A threshold that every model meets says nothing."""
    for number, criterion in enumerate(specification.acceptance):
        if criterion.threshold == (0 if criterion.comparator == ">=" else 1):
            message = expected("a threshold that can be missed", got=f"{criterion.threshold:g}", remedy="tighten it")
            yield Finding(path=("acceptance", number, "threshold"), message=message, severity="warning")


def abstentions_are_asked_about(specification: Specification) -> Iterator[Finding]:
    """Group-sequential certification shows a majority only where radius 0 is registered."""
    wanted = specification.certification
    if wanted.method != "group-sequential" or wanted.radii[0] == 0:
        return
    for number, criterion in enumerate(specification.acceptance):
        if criterion.metric == "abstention_rate":
            got = f"{wanted.radii[0]:g}, so that what is not certified there counts as an abstention"
            message = expected("0 as the smallest radius", got=got, remedy="add 0 to certification.radii")
            yield Finding(path=("acceptance", number, "metric"), message=message, severity="warning")


def _largest_radius(wanted: Certification) -> float:
    """Half of alpha is left for the candidate where it is chosen by the same votes, or shared with a second bound."""
    halved = wanted.candidate == "most-voted" or wanted.bounds == 2
    failure = -math.expm1(math.log(wanted.alpha / 2 if halved else wanted.alpha) / wanted.n)
    return KINDS[wanted.noise or WHEN_ABSENT["noise"]].radius(failure, sigma=wanted.sigma)


def _samples(criterion: Criterion, specification: Specification) -> int | None:
    """On how many samples a criterion is judged, where the specification fixes it."""
    if criterion.metric == "accuracy_under_attack":
        return specification.evaluation.samples
    if criterion.metric in ("certified_accuracy", "abstention_rate"):
        return specification.certification.samples
    return None


def _beyond(criterion: Criterion, *, limit: str, samples: int | None) -> str:
    what = f"a threshold {limit}, the most that {samples or 'any number of'} samples can show"
    remedy = "correct it: criteria are held against the interval's weak end"
    return expected(what, got=f"{criterion.threshold:g}", remedy=remedy)
