"""Level 3: rows against votes under the verifier's own secret noise, and an attack inside their certified radii.

A row claims that its candidate fails with probability at most q, from votes whose noise the issuer could foresee. Fresh
votes contradict it where so many failures, or more, have probability below FALSE_ALARM under q: an honest row, whose
bound holds, is refused with at most that probability. Fresh fragile votes count for the candidate here, against it in
the row: whatever another platform makes of them, the issuer gets the benefit. The attack refutes a row where another
class wins PREDICT's test (`robustcert.smoothing.predict`) at that level, at a point inside the radius.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import bdtrc

from robustcert.certificate.case import Case, Finding, established, not_established, present, require
from robustcert.certificate.replay import chosen_rows
from robustcert.smoothing.certified_accuracy import CERTIFIED
from robustcert.smoothing.decisions import noise_of
from robustcert.specification import Certification

if TYPE_CHECKING:
    from robustcert.smoothing.certify import Subject

FALSE_ALARM = 1e-6
CHECK = "fresh noise"

Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class FreshNoise:
    """`samples` rows, chosen by `nonce`; `draws` fresh votes for each, and `judged` at the point an attack found."""

    samples: int
    nonce: str
    draws: int = 1000
    judged: int = 10_000
    factory: str | None = None


def fresh_noise_check(plan: FreshNoise) -> Callable[[Case], Finding]:
    """A check of rows by new votes and by an attack; the key of its noise is made here and told to nobody."""

    def fresh_noise(case: Case) -> Finding:
        files = case.files
        if files.model is None or files.dataset is None or files.certification is None:
            return not_established(CHECK, "needs the model, the data set and the certification evidence")
        return _judge(case, plan)

    return fresh_noise


def claimed_failure(row: Row, certification: Certification) -> float:
    """The probability of failure that a certified row claims not to exceed.

    That which certifies its radius; with two bounds, where the radius does not tell it, the candidate's own bound.
    """
    if certification.bounds == 2:
        from robustcert.smoothing.confidence import failure_upper_bound

        votes = dict(map(tuple, row["counts"])).get(row["candidate"], 0)
        return failure_upper_bound(row["n"] - votes, row["n"], alpha=_alpha(certification) / 2)
    return noise_of(certification).failure_at(float(row["radius"]), sigma=certification.sigma)


def chance(failures: int, draws: int, failure: float) -> float:
    """P(Bin(draws, failure) >= failures).

    >>> chance(1, 10, 0.5)
    0.9990234375
    """
    return 1.0 if failures <= 0 else float(bdtrc(failures - 1, draws, failure))


def _alpha(certification: Certification) -> float:
    return certification.alpha / 2 if certification.candidate == "most-voted" else certification.alpha


def _judge(case: Case, plan: FreshNoise) -> Finding:
    from robustcert.models.execution_device import on_this_machine
    from robustcert.models.files import load_model

    model = on_this_machine(load_model(present(case.files.model), factory=plan.factory))
    rows = [row for row in chosen_rows(case, plan.samples, nonce=plan.nonce) if row["decision"] == CERTIFIED]
    for row in rows:
        _require_votes(case, row, model, draws=plan.draws)
    attacked = sum(_require_no_adversarial(case, row, model, judged=plan.judged) for row in rows)
    return established(
        CHECK,
        f"{plan.draws} votes under a secret key contradict none of {len(rows)} certified rows, and no attack inside "
        f"{attacked} radii changes the class; chosen by nonce {plan.nonce}",
    )


def _require_votes(case: Case, row: Row, model: Subject, *, draws: int) -> None:
    from robustcert.smoothing.fresh_noise import fresh_votes
    from robustcert.smoothing.predict import secret_key0

    certification = case.specification.certification
    votes = fresh_votes(
        model, case.dataset, row["sample"], certification=certification, key0=secret_key0(), draws=draws
    )
    failures = draws - votes.counts[row["candidate"]] - votes.fragile
    claimed = claimed_failure(row, certification)
    require(
        chance(failures, draws, claimed) >= FALSE_ALARM,
        f"{CHECK}: sample {row['sample']}: {failures} of {draws} fresh votes are not for class {row['candidate']}, "
        f"whose claimed failure probability is at most {claimed:.6f}: that many happen once in a million at most",
    )


def _require_no_adversarial(case: Case, row: Row, model: Subject, *, judged: int) -> bool:
    """Whether there was a ball to search; VerificationError where a point of it has another class."""
    from robustcert.smoothing.certify import grid_noise
    from robustcert.smoothing.fresh_noise import fresh_votes
    from robustcert.smoothing.predict import decide, secret_key0
    from robustcert.smoothing.smoothed_attack import BallSearch, attacked

    certification, dataset = case.specification.certification, case.dataset
    if not Decimal(row["radius"]):
        return False
    x_int = dataset.rows([row["sample"]]).x_int[0]
    search = BallSearch(norm=noise_of(certification).norm, radius=float(row["radius"]), sigma=certification.sigma)
    noise = grid_noise(dataset, certification, key0=secret_key0())
    found = attacked(
        model.module, x_int, candidate=row["candidate"], noise=noise, sample_id=row["sample"], search=search
    )
    if np.array_equal(found, x_int):
        return True
    votes = fresh_votes(
        model, dataset, row["sample"], certification=certification, key0=secret_key0(), draws=judged, x_int=found
    )
    label, _ = decide(votes.counts, votes.fragile, alpha=FALSE_ALARM)
    require(
        label in (None, row["candidate"]),
        f"{CHECK}: sample {row['sample']}: an attack inside its radius {row['radius']} finds a point of class {label}, "
        f"certified is {row['candidate']}",
    )
    return True
