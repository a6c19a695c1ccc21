import pytest

from robustcert.report.threat_views import threat_views, threat_words
from tests.report.sample_certificate import Sample


def test_there_is_a_view_for_every_threat_model_in_order(any_sample: Sample) -> None:
    views = threat_views(any_sample.predicate, any_sample.dataset, any_sample.budgets)
    assert tuple(view.part for view in views) == any_sample.predicate.threat_models


def test_costs_are_those_at_the_threats_own_epsilon(digits: Sample) -> None:
    for view in threat_views(digits.predicate, digits.dataset, digits.budgets):
        own = [
            budget
            for budget in digits.budgets
            if budget["threat"] == view.part.name and float(budget["epsilon"]) == float(view.part.epsilon)
        ]
        assert [(run.attack, run.gradients, run.forwards) for run in view.runs] == [
            (budget["attack"], budget["gradients"], budget["forwards"]) for budget in own
        ]
        assert [(run.rate.count, run.rate.of) for run in view.runs if run.rate] == [
            (budget["broken"], budget["samples"]) for budget in own
        ]


def test_an_attack_that_had_no_sample_left_has_no_rate(digits: Sample) -> None:
    budgets = [budget | {"samples": 0, "broken": 0} for budget in digits.budgets]
    runs = threat_views(digits.predicate, digits.dataset, budgets)[0].runs
    assert [run.rate for run in runs] == [None, None]
    assert "no sample was left to attack" in digits.page(budgets=budgets)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"norm": "linf"}, "Every single value may change by at most 0.1 input units, all of them at once."),
        ({"norm": "l2"}, "the root of the sum of squares over all values, may be at most 0.1 input units."),
        ({"bounds": "0 to 0.5"}, "Values stay within 0 to 0.5."),
        ({"bounds": "contract"}, "Values stay within what the data contract allows."),
        ({"access": "gradients"}, "The attacker knows the model and its gradients and wins with any wrong class."),
        ({"access": "labels"}, "The attacker sees the predicted class only"),
        ({"goal": "targeted"}, "wins with one chosen wrong class only."),
    ],
)
def test_a_threat_is_told_in_plain_words(digits: Sample, values: dict[str, str], words: str) -> None:
    assert words in threat_words(digits.predicate.threat_models[0].model_copy(update=values))
