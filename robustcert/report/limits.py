"""What the numbers of a report rest on, as sentences made from the certificate and its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from robustcert.certificate.schema import Predicate
from robustcert.evaluation.statistics import binomial_quantile
from robustcert.report.wording import grouped, plain

Row = Mapping[str, Any]


def limits(predicate: Predicate, rows: Sequence[Row]) -> tuple[str, ...]:
    """Sampling, failure probability, arithmetic, attacks, validity and signature; one sentence or two each."""
    return (
        _sampling(predicate),
        _failures(predicate, len(rows)),
        _fragile(predicate, rows),
        *(predicate.conditions or ()),
        _attacks(predicate),
        PAGE,
        END,
    )


PAGE = (
    "This page is not signed and proves nothing by itself: a changed copy looks the same. Verify the certificate, and "
    "read numbers that matter from it."
)
END = "A page does not know the date: whether the certificate has ended or was suspended or superseded is not on it."


def _sampling(predicate: Predicate) -> str:
    plain_model, smoothed = predicate.results.clean_accuracy, predicate.results.smoothed_accuracy
    return (
        f"Rates are over {plain_model.of} test samples for the plain model and {smoothed.of} for the smoothed one. "
        f"Intervals take them as drawn independently from the population that the certificate is used for; where that "
        f"does not hold, only the counts stand."
    )


def _failures(predicate: Predicate, of: int) -> str:
    alpha, gamma = predicate.certification.alpha, predicate.certification.simultaneous_gamma
    most = binomial_quantile(1 - float(gamma), of, float(alpha))
    return (
        f"Each certified radius is wrong with probability at most {plain(alpha)}; of {of}, at most {most} are, except "
        f"with probability {plain(gamma)}. Lower ends of certified accuracy allow for that."
    )


def _fragile(predicate: Predicate, rows: Sequence[Row]) -> str:
    found = predicate.certification
    fragile, votes = sum(row["fragile"] for row in rows), sum(row["n"] for row in rows)
    differ = "as many may differ" if found.precision == "float32" else "others may differ too"
    return (
        f"Votes were computed in {found.precision}. {grouped(fragile)} of {grouped(votes)} were closer to a tie than "
        f"{plain(found.fragile_gap)} and were counted for no class, the weaker side; on another processor {differ}."
    )


def _attacks(predicate: Predicate) -> str:
    found = predicate.evaluation
    return (
        f"Suite {found.suite} has {len(found.attacks)} attacks. Accuracy under attack says what they did not break, "
        f"not what cannot be broken."
    )
