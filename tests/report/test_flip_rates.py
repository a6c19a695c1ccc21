"""Flip rates. Oracle: counting by hand in rows that were written by hand, and scipy's exact interval."""

from __future__ import annotations

from typing import Any

import pytest
from scipy import stats

from robustcert.report.flip_rates import flip_lines
from tests.report.sample_certificate import sample


def rows() -> list[dict[str, Any]]:
    """Four samples under both threats of the digits certificate; 3 is wrong before any attack, and not attacked."""
    found = []
    for threat, epsilons in (
        ("linf-0.1", ("0.025", "0.05", "0.1", "0.15")),
        ("l2-0.5", ("0.125", "0.25", "0.5", "0.75")),
    ):
        for number in range(4):
            right = {"threat": threat, "sample": number, "label": 1, "prediction": 0 if number == 3 else 1}
            found.append(right | {"attack": "clean", "epsilon": "0", "adversarial": right["prediction"]})
            for strength, epsilon in enumerate(epsilons):
                for attack in ("fgsm@1", "pgd@1"):
                    changed = number < 3 and threat == "linf-0.1" and attack == "pgd@1" and strength > number
                    adversarial = 5 if changed else right["prediction"]
                    found.append(right | {"attack": attack, "epsilon": epsilon, "adversarial": adversarial})
    return found


def test_a_sample_flips_at_a_strength_where_some_attack_changed_its_prediction() -> None:
    found = flip_lines(sample("digits").predicate, rows())
    counted = [(line.threat, line.epsilon, line.rate.count, line.rate.of) for line in found]
    assert counted == [
        ("linf-0.1", "0.025", 0, 4),
        ("linf-0.1", "0.05", 1, 4),
        ("linf-0.1", "0.1", 2, 4),
        ("linf-0.1", "0.15", 3, 4),
        ("l2-0.5", "0.125", 0, 4),
        ("l2-0.5", "0.25", 0, 4),
        ("l2-0.5", "0.5", 0, 4),
        ("l2-0.5", "0.75", 0, 4),
    ]


def test_the_interval_is_the_exact_one() -> None:
    line = flip_lines(sample("digits").predicate, rows())[2]
    exact = stats.binomtest(2, 4).proportion_ci(0.95, method="exact")
    assert (float(line.rate.lower), float(line.rate.upper)) == pytest.approx((exact.low, exact.high), abs=1e-6)


def test_of_an_untargeted_evaluation_what_flips_is_what_was_lost() -> None:
    found = sample("digits")
    clean = found.predicate.results.clean_accuracy.count
    lost = {
        (p.threat_model, p.epsilon): clean - p.accuracy.count for p in found.predicate.results.accuracy_under_attack
    }
    lines = flip_lines(found.predicate, found.evaluation_rows)
    assert {(line.threat, line.epsilon): line.rate.count for line in lines} == lost
    assert max(lost.values()) > 0
