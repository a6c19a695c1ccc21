"""What the numbers of a report rest on, as sentences made from the certificate and its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from robustcert.certificate.schema import Predicate
from robustcert.evaluation.statistics import binomial_quantile
from robustcert.report.wording import plain

Row = Mapping[str, Any]


def limits(predicate: Predicate, rows: Sequence[Row]) -> tuple[str, ...]:
    """Sampling, failure probability, arithmetic, attacks, validity and signature; one sentence or two each."""
    return (_sampling(predicate), _failures(predicate, len(rows)), _fragile(predicate, rows), _attacks(predicate), PAGE, END)


PAGE = (
    "This page is not signed and proves nothing by itself: a changed copy looks the same. Verify the certificate, and "
    "read numbers that matter from it."
)
END = (
    "A page does not know the date: whether the certificate has ended, was suspended or was superseded since is not on it."
)


def _sampling(predicate: Predicate) -> str:
    found = predicate.results
    return (
        f"Rates are over {found.clean_accuracy.of} test samples for the plain model and {found.smoothed_accuracy.of} for the "
        f"smoothed one. Intervals take them as drawn independently from the population that the certificate is used for; "
        f"where that does not hold, only the counts stand."
    )


def _failures(predicate: Predicate, of: int) -> str:
    alpha, gamma = predicate.certification.alpha, predicate.certification.simultaneous_gamma
    most = binomial_quantile(1 - float(gamma), of, float(alpha))
    return (
        f"Each certified radius is wrong with probability at most {plain(alpha)}; of {of}, at most {most} are, except with "
        f"probability {plain(gamma)}. Lower ends of certified accuracy allow for that."
    )


def _fragile(predicate: Predicate, rows: Sequence[Row]) -> str:
    fragile, votes = sum(row["fragile"] for row in rows), sum(row["n"] for row in rows)
    return (
        f"Votes were computed in {predicate.certification.precision}. {fragile} of {votes} were closer to a tie than "
        f"{plain(predicate.certification.fragile_gap)} and were counted for no class, the weaker side; on another processor "
        f"as many may differ."
    )


def _attacks(predicate: Predicate) -> str:
    return (
        f"Suite {predicate.evaluation.suite} ran {len(predicate.evaluation.attacks)} attacks. Accuracy under attack says what "
        f"they did not break, not what cannot be broken."
    )
