import re

import pytest

from robustcert.report.attack_curve import attack_curve, parts_of
from robustcert.report.plot import LEFT
from tests.report.page import Element, read_page
from tests.report.sample_certificate import Sample


@pytest.fixture(scope="module")
def chart(digits: Sample) -> Element:
    return read_page(attack_curve(digits.predicate, digits.predicate.threat_models[0]))


def lowest(mark: Element) -> tuple[float, float]:
    """The corner that the mark points to."""
    corners = [(float(x), float(y)) for x, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", mark.attributes["d"])]
    return max(corners, key=lambda corner: corner[1])


def test_results_come_by_ascending_epsilon(digits: Sample) -> None:
    first = digits.predicate.threat_models[0].name
    shuffled = tuple(reversed(digits.predicate.results.accuracy_under_attack))
    results = digits.predicate.results.model_copy(update={"accuracy_under_attack": shuffled})
    predicate = digits.predicate.model_copy(update={"results": results})
    epsilons = [float(part.epsilon) for part in parts_of(predicate, predicate.threat_models[0])]
    assert epsilons == sorted({float(part.epsilon) for part in shuffled if part.threat_model == first})


def test_every_epsilon_has_a_mark_that_points_down_and_an_interval(digits: Sample, chart: Element) -> None:
    count = len(parts_of(digits.predicate, digits.predicate.threat_models[0]))
    assert len(chart.all("path", class_="empirical-mark")) == count
    assert len(chart.all("line", class_="empirical-whisker")) == count * 3


def test_marks_lie_where_their_accuracy_and_epsilon_say(digits: Sample, chart: Element) -> None:
    """Epsilons and accuracies are read back from the marks by the two ends of the axes."""
    parts = parts_of(digits.predicate, digits.predicate.threat_models[0])
    marks = [lowest(mark) for mark in chart.all("path", class_="empirical-mark")]
    grid = [float(row.attributes["y1"]) for row in chart.all("line", class_="grid")]
    per_epsilon = (marks[-1][0] - LEFT) / float(parts[-1].epsilon)
    for part, (x, y) in zip(parts, marks, strict=True):
        assert x - LEFT == pytest.approx(float(part.epsilon) * per_epsilon, abs=0.2)
        share = (grid[0] - (y - 5.5)) / (grid[0] - grid[-1])
        assert share == pytest.approx(part.accuracy.count / part.accuracy.of, abs=0.005)


def test_the_clean_reference_and_the_claimed_size_are_drawn_and_named(digits: Sample, chart: Element) -> None:
    assert len(chart.all("path", class_="clean-mark")) == 1
    assert len(chart.all("line", class_="size")) == 1
    assert f"epsilon {digits.predicate.threat_models[0].epsilon}" in [text.text() for text in chart.all("text")]


def test_a_threshold_is_drawn_only_where_a_criterion_asks(digits: Sample, chart: Element) -> None:
    without = digits.predicate.model_copy(update={"criteria": ()})
    other = read_page(attack_curve(without, digits.predicate.threat_models[0]))
    assert (len(chart.all("line", class_="required")), len(other.all("line", class_="required"))) == (3, 0)


def test_the_description_gives_counts(digits: Sample, chart: Element) -> None:
    clean = digits.predicate.results.clean_accuracy
    assert chart.one("desc").text().startswith(f"{clean.count} of {clean.of} correct without perturbation; at most ")
