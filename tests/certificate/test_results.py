"""Counting and judging. Oracles: rows written by hand and counted by hand, scipy.stats, exact fractions."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from fractions import Fraction
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from robustcert.certificate.results import judge, rate_part, results
from robustcert.certificate.schema import RatePart, ResultsPart, UnderAttackPart
from robustcert.errors import DataError, InputError
from robustcert.evaluation.statistics import Rate
from robustcert.specification import Specification
from robustcert.specification_file import parse_specification
from tests.chain import small_specification

Row = dict[str, Any]

GAMMA, ALPHA = 0.001, 0.001
SAMPLES = range(1, 9)
WRONG_WHEN_CLEAN = {7, 8}
LABEL, WRONG, TARGET = 1, 0, 2

# threat, epsilon, attack -> sample -> what the perturbed input is taken for; elsewhere nothing was found.
FOUND: dict[tuple[str, str, str], dict[int, int]] = {
    ("linf-0.1", "0.1", "fgsm"): {1: WRONG, 2: WRONG},
    ("linf-0.1", "0.1", "pgd"): {2: WRONG, 3: TARGET},
    ("linf-0.1", "0.2", "fgsm"): {1: WRONG, 2: WRONG, 3: WRONG, 4: WRONG, 5: WRONG, 6: WRONG},
    ("linf-0.1", "0.2", "pgd"): {},
    ("l2-0.5", "0.5", "fgsm"): {1: TARGET, 2: WRONG},
    ("l2-0.5", "0.5", "pgd"): {1: TARGET, 5: TARGET},
    ("l2-0.5", "1", "fgsm"): {},
    ("l2-0.5", "1", "pgd"): {},
}
TARGETED = "l2-0.5"

# decision, candidate, radius of six smoothed samples.
SMOOTHED = (
    ("certified", LABEL, "0.600000"),
    ("certified", LABEL, "0.250000"),
    ("certified", WRONG, "0.900000"),
    ("abstain", LABEL, "0"),
    ("certified", LABEL, "0.249999"),
    ("certified", LABEL, "0.100000"),
)


def specification(*acceptance: dict[str, Any]) -> Specification:
    """The small specification with one targeted threat, two epsilons each, and these criteria."""
    document = yaml.safe_load(small_specification())
    document["evaluation"]["curve"] = [1.0, 2.0]
    next(threat for threat in document["threatModels"] if threat["name"] == TARGETED)["goal"] = "targeted"
    if acceptance:
        document["acceptance"] = list(acceptance)
    return parse_specification(yaml.safe_dump(document)).specification


def attack_row(threat: str, epsilon: str, attack: str, sample: int) -> Row:
    prediction = WRONG if sample in WRONG_WHEN_CLEAN else LABEL
    target = TARGET if threat == TARGETED and attack != "clean" else None
    adversarial = FOUND.get((threat, epsilon, attack), {}).get(sample, prediction)
    row = {"threat": threat, "epsilon": epsilon, "attack": attack, "sample": sample, "label": LABEL, "target": target}
    return row | {"prediction": prediction, "adversarial": adversarial}


EVALUATION = [
    attack_row(*run, sample)
    for run in (("linf-0.1", "0", "clean"), ("l2-0.5", "0", "clean"), *FOUND)
    for sample in SAMPLES
]
CERTIFICATION = [
    {"sample": sample, "label": LABEL, "decision": decision, "candidate": candidate, "radius": radius}
    for sample, (decision, candidate, radius) in enumerate(SMOOTHED)
]


def found(evaluation: list[Row] = EVALUATION, certification: list[Row] = CERTIFICATION) -> ResultsPart:
    return results(specification(), evaluation_rows=evaluation, certification_rows=certification)


def under_attack(part: ResultsPart, threat: str, epsilon: str) -> UnderAttackPart:
    return next(item for item in part.accuracy_under_attack if (item.threat_model, item.epsilon) == (threat, epsilon))


def rounded(value: float, way: str) -> str:
    return str(Decimal(value).quantize(Decimal("0.000001"), rounding=way))


def exact(count: int, of: int) -> RatePart:
    """A rate with scipy's Clopper-Pearson interval, ends rounded outward."""
    low, high = stats.binomtest(count, of).proportion_ci(0.95, method="exact")
    ends = {"lower": rounded(low, ROUND_FLOOR), "upper": rounded(high, ROUND_CEILING)}
    return RatePart(count=count, of=of, estimate=f"{count / of:.6f}", confidence="0.95", **ends)


def test_clean_accuracy_counts_each_sample_once_although_every_threat_has_a_clean_pass() -> None:
    assert found().clean_accuracy == exact(6, 8)


@pytest.mark.parametrize(
    ("threat", "epsilon", "kept", "broken"),
    [("linf-0.1", "0.1", 3, 3), ("linf-0.1", "0.2", 0, 6), ("l2-0.5", "0.5", 4, 2), ("l2-0.5", "1", 6, 0)],
    ids=["union over attacks", "all broken", "only the target counts where there is one", "none broken"],
)
def test_accuracy_under_attack_is_what_no_attack_broke_among_all_samples(
    threat: str, epsilon: str, kept: int, broken: int
) -> None:
    part = under_attack(found(), threat, epsilon)
    assert part.accuracy == exact(kept, 8)
    assert part.attack_success == exact(broken, 6)
    assert part.accuracy_loss == rounded(broken / 8, ROUND_CEILING)
    assert part.unit == "input"


def test_what_is_wrong_when_clean_is_neither_kept_nor_a_success_of_the_attack() -> None:
    rows = [row | {"adversarial": LABEL} if row["sample"] in WRONG_WHEN_CLEAN else row for row in EVALUATION]
    assert found(rows) == found()


def test_where_nothing_is_right_when_clean_there_is_no_rate_of_success() -> None:
    rows = [row | {"prediction": WRONG, "adversarial": WRONG} for row in EVALUATION]
    parts = found(rows).accuracy_under_attack
    assert {(part.accuracy.count, part.accuracy.of, part.attack_success) for part in parts} == {(0, 8, None)}


def score_interval(lost: int, n: int) -> tuple[float, float]:
    """Tango's interval by its definition: score statistics at the restricted maximum likelihood, found numerically."""

    def score(difference: float) -> float:
        def minus_log_likelihood(only_second: float) -> float:
            chances = ((lost, only_second + difference), (n - lost, 1 - 2 * only_second - difference))
            return -sum(count * math.log(chance) for count, chance in chances)

        bounds = (max(0.0, -difference), (1 - difference) / 2)
        best = optimize.minimize_scalar(minus_log_likelihood, bounds=bounds, method="bounded", options={"xatol": 1e-12})
        variance = n * (2 * best.x + difference * (1 - difference))
        return float((lost - n * difference) / variance**0.5)

    limit = float(stats.norm.ppf(0.975))
    low = optimize.brentq(lambda d: score(d) - limit, -0.9, lost / n - 1e-9)
    high = optimize.brentq(lambda d: score(d) + limit, lost / n + 1e-9, 0.999)
    return low, high


def test_the_loss_of_accuracy_has_the_paired_score_interval_rounded_outward() -> None:
    part = under_attack(found(), "linf-0.1", "0.1")
    low, high = score_interval(3, 8)
    assert 0 <= low - float(part.accuracy_loss_lower) < 3e-6
    assert 0 <= float(part.accuracy_loss_upper) - high < 3e-6


@pytest.mark.parametrize(("place", "radius", "count"), [(0, "0", 4), (1, "0.1", 4), (2, "0.25", 2)])
def test_certified_accuracy_counts_what_is_right_and_certified_at_least_that_far(
    place: int, radius: str, count: int
) -> None:
    part, n = found().certified_accuracy[place], len(SMOOTHED)
    false = int(stats.binom.ppf(1 - GAMMA, n, ALPHA))
    sure = count - false
    assert (part.radius, part.accuracy.count, part.accuracy.of, false) == (radius, count, n, 1)
    assert part.simultaneous_count == sure
    assert part.accuracy.lower == rounded(stats.beta.ppf(0.025 - GAMMA, sure, n - sure + 1), ROUND_FLOOR)
    assert part.accuracy.upper == exact(count, n).upper


def test_abstentions_and_wrong_candidates_stay_in_the_denominator() -> None:
    part = found()
    assert part.smoothed_accuracy == exact(4, 6)
    assert part.abstention_rate == exact(1, 6)
    mean = Fraction(600000 + 250000 + 249999 + 100000, 6 * 10**6)
    assert part.average_certified_radius == rounded(float(mean), ROUND_FLOOR) == "0.199999"
    assert part.median_certified_radius == "0.100000"


@settings(max_examples=20)
@given(st.permutations(EVALUATION), st.permutations(CERTIFICATION))
def test_the_order_of_rows_changes_nothing(evaluation: list[Row], certification: list[Row]) -> None:
    assert found(evaluation, certification) == found()


def test_results_stand_in_the_order_of_the_specification() -> None:
    order = [(part.threat_model, part.epsilon) for part in found(EVALUATION[::-1]).accuracy_under_attack]
    assert order == [("linf-0.1", "0.1"), ("linf-0.1", "0.2"), ("l2-0.5", "0.5"), ("l2-0.5", "1")]


@pytest.mark.parametrize(
    ("dropped", "message"),
    [
        (lambda row: row["attack"] == "clean", "expected rows of the clean pass, got none; run the evaluation again"),
        (
            lambda row: row["threat"] == "l2-0.5" and row["epsilon"] == "1",
            "expected evaluation rows of threat l2-0.5 at epsilon 1, got none",
        ),
    ],
)
def test_a_table_without_rows_that_the_specification_asks_for_is_refused(
    dropped: Callable[[Row], bool], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        found([row for row in EVALUATION if not dropped(row)])


@pytest.mark.parametrize(("rows", "message"), [([], "got none"), (CERTIFICATION * 2, "got a sample twice")])
def test_certification_rows_that_can_not_be_counted_are_refused(rows: list[Row], message: str) -> None:
    with pytest.raises(InputError, match=message):
        found(certification=rows)


def criterion(metric: str, comparator: str, threshold: float, **about: Any) -> dict[str, Any]:
    return {"metric": metric, "comparator": comparator, "threshold": threshold, **about}


@pytest.mark.parametrize(
    ("metric", "comparator", "about", "kind", "observed"),
    [
        ("clean_accuracy", ">=", {}, "empirical", exact(6, 8).lower),
        ("accuracy_under_attack", ">=", {"threatModel": "linf-0.1"}, "empirical", exact(3, 8).lower),
        ("accuracy_under_attack", ">=", {"threatModel": "l2-0.5"}, "empirical", exact(4, 8).lower),
        ("certified_accuracy", ">=", {"radius": 0.25}, "certified", rounded(stats.beta.ppf(0.024, 1, 6), ROUND_FLOOR)),
        ("abstention_rate", "<=", {}, "certified", exact(1, 6).upper),
    ],
)
def test_a_criterion_is_judged_on_the_weak_end_and_met_exactly_there(
    metric: str, comparator: str, about: dict[str, Any], kind: str, observed: str
) -> None:
    step, worse = 1e-6, 1 if comparator == ">=" else -1
    thresholds = [float(observed), round(float(observed) + worse * step, 6), round(float(observed) - worse * step, 6)]
    written = specification(*(criterion(metric, comparator, threshold, **about) for threshold in thresholds))
    part = results(written, evaluation_rows=EVALUATION, certification_rows=CERTIFICATION)
    judged = judge(written, part, valid=True)
    assert [item.met for item in judged] == [True, False, True]
    assert {(item.metric, item.kind, item.observed) for item in judged} == {(metric, kind, observed)}
    assert [Decimal(item.threshold) for item in judged] == [Decimal(str(threshold)) for threshold in thresholds]
    invalid = judge(written, part, valid=False)
    assert [item.met for item in invalid] == ([False] * 3 if kind == "empirical" else [True, False, True])


def test_a_criterion_about_what_was_not_measured_is_refused() -> None:
    written = specification(
        criterion("certified_accuracy", ">=", 0.1, radius=0.25),
        criterion("accuracy_under_attack", ">=", 0.1, threatModel="linf-0.1"),
    )
    part = found()
    with pytest.raises(DataError, match=r"expected certified accuracy at radius 0.25, got none"):
        judge(written, part.model_copy(update={"certified_accuracy": part.certified_accuracy[:2]}), valid=True)
    with pytest.raises(DataError, match=r"expected evaluation rows of threat linf-0.1 at epsilon 0.1, got none"):
        judge(written, part.model_copy(update={"accuracy_under_attack": part.accuracy_under_attack[1:]}), valid=True)


def test_a_rate_keeps_every_field() -> None:
    fields = {"count": 1, "of": 2, "lower": "0.1", "estimate": "0.5", "upper": "0.9", "confidence": "0.95"}
    assert rate_part(Rate(**fields)).model_dump() == fields
