"""What the smoothing method of a certificate did, in words: votes, noise, norm, and what an abstention is.

Certificates from before the options of `CertificationPart` name none of them; they had Gaussian noise, a selected
candidate, one bound and a fixed number of votes.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from robustcert.certificate.claims import NOISE_NAMES
from robustcert.certificate.schema import CertificationPart
from robustcert.report.wording import grouped, plain, unit_words

Row = Mapping[str, Any]

FIXED = "randomized-smoothing-fixed-n"
SEQUENTIAL = "randomized-smoothing-group-sequential"
LENGTHS = {"l2": "l2 length", "l1": "l1 length (the sum over all values)"}
VOTES = {
    FIXED: "{n} inputs with {noise}",
    SEQUENTIAL: "inputs with {noise}, as many as an exact sequential test at the registered radii takes, at most {n}",
    "randomized-smoothing-adaptive-pilot": "inputs with {noise}, as many as a pilot of other votes plans, at most {n}",
}


def noise_name(part: CertificationPart) -> str:
    """`Gaussian`."""
    return NOISE_NAMES[part.noise_kind or "gaussian"]


def votes_words(part: CertificationPart) -> str:
    """`10 000 inputs with Gaussian noise of sigma 0.25 (units of the model's input)`."""
    noise = f"{noise_name(part)} noise of sigma {plain(part.sigma)} ({unit_words(part.unit)})"
    return VOTES[part.method].format(n=grouped(part.n), noise=noise)


def drawn_words(rows: Sequence[Row]) -> str:
    """How many votes were counted for radii, in all and for a sample."""
    votes = [int(row["n"]) for row in rows]
    middle = int(statistics.median_low(votes))
    return (
        f"{grouped(sum(votes))} votes were counted for {grouped(len(votes))} samples: {grouped(min(votes))} to "
        f"{grouped(max(votes))} for one, half of them with at most {grouped(middle)}."
    )


def abstention_words(part: CertificationPart) -> str:
    """When a row is an abstention: its definition."""
    who = "the true class" if part.candidate == "label" else "the class that they single out"
    what = "is more probable than every other" if part.bounds == 2 else "has a majority"
    tested = ""
    if part.method == SEQUENTIAL and float(part.radii[0]) > 0:
        smallest = plain(part.radii[0])
        tested = f" within radius {smallest}, the smallest registered one (0 would ask for a majority alone)"
    asked = " A sample that is voted wrong is an abstention here too." if part.candidate == "label" else ""
    return (
        f"An abstention is a sample whose votes do not show, at failure probability {plain(part.alpha)}, that {who} "
        f"{what}{tested}. No radius is certified for it, not even 0, and it never counts as right.{asked}"
    )


def radius_words(part: CertificationPart) -> str:
    """What the radii of rows are, and so their mean and median."""
    if part.method == SEQUENTIAL:
        return "a sample's radius is the largest registered one that was shown, so that both are lower bounds"
    return "a sample's radius is a lower bound, rounded down"
