import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robustcert.certificate.results import rate_part
from robustcert.certificate.schema import CriterionPart
from robustcert.evaluation.statistics import rate
from robustcert.report.bars import EDGE, OUTCOME_WIDTH, WIDTH, criterion_bar, outcome_bar
from tests.report.page import Element, read_page


def criterion(comparator: str, threshold: str) -> CriterionPart:
    return CriterionPart.model_validate(
        {
            "metric": "x",
            "comparator": comparator,
            "threshold": threshold,
            "kind": "certified",
            "observed": "0.5",
            "met": True,
        }
    )


def horizontal(drawn: Element, class_: str) -> list[float]:
    return [float(part.attributes[end]) for part in drawn.all("line", class_=class_) for end in ("x1", "x2")]


@given(st.integers(1, 500).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))), st.integers(0, 1000))
def test_interval_and_threshold_lie_on_the_scale(counts: tuple[int, int], thousandths: int) -> None:
    drawn = read_page(criterion_bar(criterion(">=", f"{thousandths / 1000:.3f}"), rate_part(rate(*counts))))
    drawn_at = horizontal(drawn, "certified-interval") + horizontal(drawn, "required")
    assert EDGE - 0.1 <= min(drawn_at) <= max(drawn_at) <= WIDTH - EDGE + 0.1
    assert all(0 <= float(text.text()) <= 1 for text in drawn.all("text"))
    assert len(drawn.all("text")) >= 2


@pytest.mark.parametrize(("comparator", "end"), [(">=", min), ("<=", max)])
def test_the_longer_post_stands_at_the_end_that_is_judged(comparator: str, end: type) -> None:
    drawn = read_page(criterion_bar(criterion(comparator, "0.6"), rate_part(rate(70, 100))))
    interval = horizontal(drawn, "certified-interval")
    assert horizontal(drawn, "certified-weak") == [end(interval)] * 2


@pytest.mark.parametrize(("comparator", "side"), [(">=", 1), ("<=", -1)])
def test_the_flag_points_to_the_accepted_side(comparator: str, side: int) -> None:
    drawn = read_page(criterion_bar(criterion(comparator, "0.6"), rate_part(rate(70, 100))))
    start, tip = re.findall(r"[ML]([\d.]+)", drawn.one("path", class_="required-flag").attributes["d"])[:2]
    assert (float(tip) - float(start)) * side > 0


def test_a_criterion_without_a_rate_shows_its_threshold_only() -> None:
    drawn = read_page(criterion_bar(criterion(">=", "0.6"), None))
    assert horizontal(drawn, "certified-interval") == []
    assert len(horizontal(drawn, "required")) == 2


def test_outcomes_are_lengths_in_proportion() -> None:
    drawn = read_page(outcome_bar((60, 30, 10)))
    lengths = [float(part.attributes["width"]) for part in drawn.all("rect")]
    assert lengths == pytest.approx([OUTCOME_WIDTH * share for share in (0.6, 0.3, 0.1)])
    assert drawn.one("desc").text() == "60 right, 30 wrong, 10 abstained, of 100"
