from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robustcert.certificate.schema import CriterionPart
from robustcert.evaluation.statistics import rate
from robustcert.report import wording
from tests.report.sample_certificate import Sample

THOUSANDTH = Decimal("0.001")


def criterion(**values: object) -> CriterionPart:
    written = {
        "metric": "clean_accuracy",
        "comparator": ">=",
        "threshold": "0.750",
        "kind": "empirical",
        "observed": "0.7509",
        "met": True,
    }
    return CriterionPart.model_validate(written | values)


@given(st.integers(1, 50_000).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))))
def test_a_share_is_the_nearest_thousandth_but_0_and_1_only_where_exact(counts: tuple[int, int]) -> None:
    count, of = counts
    printed = Fraction(wording.share(rate(count, of)))
    assert (printed == 0) == (count == 0)
    assert (printed == 1) == (count == of)
    assert abs(printed - Fraction(count, of)) < Fraction(1, 1000)


@pytest.mark.parametrize(("count", "of"), [(430, 449), (0, 10), (10, 10), (1, 3)])
def test_a_rate_is_printed_with_counts_and_an_interval_that_is_no_narrower(count: int, of: int) -> None:
    found = rate(count, of)
    lower = Decimal(found.lower).quantize(THOUSANDTH, ROUND_FLOOR)
    upper = Decimal(found.upper).quantize(THOUSANDTH, ROUND_CEILING)
    printed = wording.rate_markup(found).striptags()
    assert printed.startswith(f"{count} of {of} ")
    assert printed.endswith(f"[{lower}, {upper}]")


def test_samples_lost_to_attacks_are_counted_from_the_clean_ones(digits: Sample) -> None:
    clean, part = digits.predicate.results.clean_accuracy, digits.predicate.results.accuracy_under_attack[0]
    lost = wording.loss_markup(part, clean).striptags().split()
    assert lost[:3] == [str(clean.count - part.accuracy.count), "of", str(part.accuracy.of)]
    assert abs(Fraction(lost[3]) - Fraction(clean.count - part.accuracy.count, part.accuracy.of)) < Fraction(1, 1000)


@pytest.mark.parametrize(
    ("comparator", "observed", "printed"),
    [(">=", "0.7509", "0.750"), ("<=", "0.1201", "0.121"), (">=", "0.75", "0.750")],
)
def test_a_weak_end_is_rounded_toward_the_weaker_side(comparator: str, observed: str, printed: str) -> None:
    assert wording.observed_text(criterion(comparator=comparator, observed=observed)) == printed


def test_a_threshold_is_printed_as_it_was_written() -> None:
    assert wording.required_text(criterion()) == "at least 0.75"
    assert wording.required_text(criterion(comparator="<=", threshold="0.1")) == "at most 0.1"


@pytest.mark.parametrize(
    ("values", "title"),
    [
        ({}, "Clean accuracy"),
        ({"metric": "accuracy_under_attack", "threat_model": "linf-0.1"}, "Accuracy under attack, linf-0.1"),
        ({"metric": "certified_accuracy", "radius": "0.50"}, "Certified accuracy at l2 radius 0.5"),
        ({"metric": "new_metric"}, "new_metric"),
    ],
)
def test_a_metric_is_named_with_where_it_is_measured(values: dict[str, object], title: str) -> None:
    assert wording.metric_title(criterion(**values)) == title


def test_the_rate_behind_each_criterion_gives_its_weak_end(any_sample: Sample) -> None:
    for part in any_sample.predicate.criteria:
        found = wording.measured(part, any_sample.predicate)
        assert found is not None
        assert part.observed == (found.lower if part.comparator == ">=" else found.upper)


@pytest.mark.parametrize(
    "values",
    [
        {"metric": "certified_accuracy", "radius": "77"},
        {"metric": "accuracy_under_attack", "threat_model": "another"},
    ],
)
def test_a_criterion_without_a_rate_in_the_certificate_has_none(digits: Sample, values: dict[str, object]) -> None:
    assert wording.measured(criterion(**values), digits.predicate) is None


def test_dates_are_written_out_with_the_exact_time_for_machines() -> None:
    assert wording.date_markup("2026-11-06T09:02:33Z") == (
        '<time datetime="2026-11-06T09:02:33Z">6 November 2026, 09:02 UTC</time>'
    )


def test_a_json_object_becomes_lines_with_paths() -> None:
    value = {"a": {"b": ["x", "y, z"]}, "c": None, "d": [{"e": 1}, {"e": 2}], "f": []}
    assert wording.flat(value) == [("a.b", "x; y, z"), ("c", "none"), ("d 1.e", "1"), ("d 2.e", "2"), ("f", "none")]


def test_a_long_text_is_shortened_and_says_by_how_much() -> None:
    assert wording.shortened("abcdef", limit=4) == "abcd … (2 more characters)"
    assert wording.shortened("abcd", limit=4) == "abcd"


def test_sizes_name_their_unit() -> None:
    assert wording.size_text("0.50", "feature_std") == "0.5 feature standard deviations"
    assert wording.unit_words("1/255") == "grey levels of 1/255"
