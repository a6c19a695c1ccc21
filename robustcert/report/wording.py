"""Words and numbers of the report: every rate, radius, threat and date that a reader sees is written here.

A rate is written from its counts and interval only; there is no way to print one without its denominator. Lower ends
and radii round down, upper ends round up, as in robustcert.evaluation.statistics. Shares are between 0 and 1, as in the
specification's thresholds.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Protocol

from markupsafe import Markup

from robustcert.certificate.claims import UNIT_WORDS
from robustcert.certificate.schema import CriterionPart, Predicate, RatePart, UnderAttackPart
from robustcert.evaluation.statistics import PRINTED_DIGITS, round_down, round_up

MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
SHORT_DIGEST = 12
RATE = Markup('<span class="rate"><b>{}</b> <span class="interval">{}</span></span>')
METRIC_WORDS = {
    "clean_accuracy": "Clean accuracy",
    "accuracy_under_attack": "Accuracy under attack",
    "certified_accuracy": "Certified accuracy",
    "abstention_rate": "Abstention rate",
}
COMPARATOR_WORDS = {">=": "at least", "<=": "at most"}
UNIT_SHORT = {"input": "input units", "1/255": "grey levels of 255", "feature_std": "feature standard deviations"}


class Counted(Protocol):
    """A rate with everything that it must be printed with: `RatePart` of a certificate, or `Rate`."""

    @property
    def count(self) -> int: ...
    @property
    def of(self) -> int: ...
    @property
    def lower(self) -> str: ...
    @property
    def upper(self) -> str: ...


def rate_markup(rate: Counted) -> Markup:
    """`430 of 449` with share and interval; the only way by which a rate enters the page.

    >>> from robustcert.evaluation.statistics import rate
    >>> rate_markup(rate(430, 449)).striptags()
    '430 of 449 0.958 [0.934, 0.975]'
    """
    counts = f"{rate.count} of {rate.of}"
    return RATE.format(counts, f"{share(rate)} {interval_text(rate)}")


def share(rate: Counted) -> str:
    """`count / of` to three digits, never rounded onto 0 or 1.

    >>> from robustcert.evaluation.statistics import rate
    >>> share(rate(9999, 10_000)), share(rate(1, 1))
    ('0.999', '1.000')
    """
    whole = 10**PRINTED_DIGITS
    nearest = round(Fraction(rate.count, rate.of) * whole)
    lowest, highest = (1 if rate.count else 0), (whole if rate.count == rate.of else whole - 1)
    return f"{min(max(nearest, lowest), highest) / whole:.{PRINTED_DIGITS}f}"


def interval_text(rate: Counted) -> str:
    """`[lower, upper]`, rounded outward."""
    return f"[{round_down(rate.lower, PRINTED_DIGITS)}, {round_up(rate.upper, PRINTED_DIGITS)}]"


def loss_markup(part: UnderAttackPart, clean: RatePart) -> Markup:
    """How many of the samples the attacks took from the `clean` count, with the paired interval of that share."""
    lower = round_down(part.accuracy_loss_lower, PRINTED_DIGITS)
    upper = round_up(part.accuracy_loss_upper, PRINTED_DIGITS)
    counts = f"{clean.count - part.accuracy.count} of {part.accuracy.of}"
    return RATE.format(counts, f"{Decimal(part.accuracy_loss):.{PRINTED_DIGITS}f} [{lower}, {upper}]")


def metric_title(criterion: CriterionPart, *, norm: str = "l2") -> str:
    """The metric of a criterion with where it is measured; `norm` is that of certified radii."""
    words = METRIC_WORDS.get(criterion.metric, criterion.metric)
    if criterion.threat_model is not None:
        return f"{words}, {criterion.threat_model}"
    return words if criterion.radius is None else f"{words} at {norm} radius {plain(criterion.radius)}"


def required_text(criterion: CriterionPart) -> str:
    """`at least 0.75`."""
    return f"{COMPARATOR_WORDS[criterion.comparator]} {plain(criterion.threshold)}"


def observed_text(criterion: CriterionPart) -> str:
    """The weak end that was held against the threshold, rounded toward the weaker side."""
    rounded = round_down if criterion.comparator == ">=" else round_up
    return rounded(criterion.observed, PRINTED_DIGITS)


def measured(criterion: CriterionPart, predicate: Predicate) -> RatePart | None:
    """The rate behind a criterion; None where the certificate holds none for it."""
    found = predicate.results
    if criterion.metric == "clean_accuracy":
        return found.clean_accuracy
    if criterion.metric == "abstention_rate":
        return found.abstention_rate
    if criterion.metric == "certified_accuracy":
        parts = (part.accuracy for part in found.certified_accuracy if same(part.radius, criterion.radius))
        return next(parts, None)
    epsilons = {threat.name: threat.epsilon for threat in predicate.threat_models}
    wanted = epsilons.get(criterion.threat_model or "")
    attacked = (part for part in found.accuracy_under_attack if part.threat_model == criterion.threat_model)
    return next((part.accuracy for part in attacked if same(part.epsilon, wanted)), None)


def same(first: str, second: str | None) -> bool:
    """Whether two decimals are the same number, however they are written.

    >>> same("0.50", "0.5"), same("0.5", None)
    (True, False)
    """
    return second is not None and Decimal(first) == Decimal(second)


def plain(number: str) -> str:
    """A decimal without needless zeros.

    >>> plain("0.250000"), plain("10")
    ('0.25', '10')
    """
    return f"{Decimal(number).normalize():f}"


def size_text(size: str, unit: str) -> str:
    """`0.1 input units`."""
    return f"{plain(size)} {UNIT_SHORT.get(unit, unit)}"


def unit_words(unit: str) -> str:
    """The unit in full."""
    return UNIT_WORDS.get(unit, unit)


def moment(timestamp: str) -> datetime:
    """An RFC 3339 time of a certificate, UTC."""
    return datetime.strptime(timestamp, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def date_markup(timestamp: str) -> Markup:
    """`6 November 2026, 09:12 UTC`, with the exact time for machines."""
    found = moment(timestamp)
    words = f"{found.day} {MONTHS[found.month - 1]} {found.year}, {found:%H:%M} UTC"
    return Markup('<time datetime="{}">{}</time>').format(timestamp, words)


def days_valid(predicate: Predicate) -> int:
    """Whole days from issue to the end of validity."""
    return (moment(predicate.not_after) - moment(predicate.certified_at)).days


def grouped(number: int) -> str:
    """A large integer with its thousands apart.

    >>> grouped(83800).split()
    ['83', '800']
    """
    return f"{number:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def short_digest(digest: str) -> str:
    """The first digits of a digest, as `robustcert inventory` finds it."""
    return digest[:SHORT_DIGEST]


def flat(value: object, *, name: str = "") -> list[tuple[str, str]]:
    """A JSON object as (path, text) lines in the order of its keys; long texts are shortened and say so.

    >>> flat({"c": None, "a": {"b": [1, 2]}})
    [('a.b', '1, 2'), ('c', 'none')]
    """
    if isinstance(value, dict):
        return [
            line
            for key, part in sorted(value.items())
            for line in flat(part, name=f"{name}.{key}" if name else str(key))
        ]
    if isinstance(value, list | tuple) and any(isinstance(part, dict) for part in value):
        return [line for number, part in enumerate(value, 1) for line in flat(part, name=f"{name} {number}")]
    text = listed(value) if isinstance(value, list | tuple) else str("none" if value is None else value)
    return [(name, shortened(text or "none"))]


def listed(parts: Iterable[object]) -> str:
    """Parts in a row, apart by semicolons where one holds a comma."""
    texts = [str(part) for part in parts]
    return ("; " if any("," in text for text in texts) else ", ").join(texts)


def shortened(text: str, *, limit: int = 400) -> str:
    """`text`, or its beginning and how much was left out."""
    return text if len(text) <= limit else f"{text[:limit]} … ({len(text) - limit} more characters)"
