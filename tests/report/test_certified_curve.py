import re
from decimal import Decimal
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from robustcert.errors import DataError
from robustcert.report.certified_curve import KNOTS, certified_curve, knots, refuse_other_rows
from tests.report.page import read_page
from tests.report.sample_certificate import Sample

Row = dict[str, Any]


def row(sample: int, radius: str, *, right: bool = True) -> Row:
    decision = "abstain" if radius == "0" else "certified"
    return {"sample": sample, "label": 1, "candidate": 1 if right else 0, "decision": decision, "radius": radius}


def chart_of(sample: Sample) -> str:
    found = knots(sample.certification_rows, alpha=0.001)
    return certified_curve(sample.predicate, sample.dataset, found, width=760)


def certified_at(rows: list[Row], radius: Decimal) -> int:
    right = [row for row in rows if row["decision"] == "certified" and row["candidate"] == row["label"]]
    return sum(Decimal(row["radius"]) >= radius for row in right)


def test_knots_hold_the_exact_count_just_at_and_just_below_each_radius(any_sample: Sample) -> None:
    rows = any_sample.certification_rows
    found = knots(rows, alpha=0.001)
    assert [knot.radius for knot in found] == sorted(knot.radius for knot in found)
    for before, knot in pairwise(found):
        middle = Decimal(str((before.radius + knot.radius) / 2))
        assert knot.rate.count == certified_at(rows, Decimal(str(knot.radius))) <= certified_at(rows, middle)


def test_a_thinned_curve_is_never_above_the_true_one() -> None:
    radii = np.sort(np.random.default_rng(5).uniform(0.001, 1.0, 3 * KNOTS))
    rows = [row(number, f"{radius:.6f}") for number, radius in enumerate(radii)]
    found = knots(rows, alpha=0.001)
    assert len(found) == KNOTS + 1
    assert Decimal(str(found[-1].radius)) == max(Decimal(row["radius"]) for row in rows)
    drawn = np.array([knot.radius for knot in found])
    for radius in np.linspace(0.0, 1.0, 500):
        next_knot = int(np.searchsorted(drawn, radius))
        height = found[next_knot].rate.count if next_knot < len(found) else 0
        assert height <= certified_at(rows, Decimal(repr(float(radius))))


def test_abstained_and_wrong_rows_have_no_knot() -> None:
    rows = [row(1, "0.5"), row(2, "0.7", right=False), row(3, "0")]
    assert [(knot.radius, knot.rate.count, knot.rate.of) for knot in knots(rows, alpha=0.001)] == [
        (0, 1, 3),
        (0.5, 1, 3),
    ]


def test_a_model_that_certifies_nothing_still_has_a_curve(digits: Sample) -> None:
    rows = [row(number, "0") for number in range(10)]
    assert "<svg" in certified_curve(digits.predicate, digits.dataset, knots(rows, alpha=0.001), width=760)


def test_the_staircase_never_rises(digits: Sample) -> None:
    drawn = read_page(chart_of(digits)).one("path", class_="certified-line")
    corners = re.findall(r"[ML]([\d.]+) ([\d.]+)", drawn.attributes["d"])
    xs, ys = [float(x) for x, _ in corners], [float(y) for _, y in corners]
    assert xs == sorted(xs)
    assert ys == sorted(ys), "downward on the page"


def test_every_radius_of_the_specification_has_a_mark_and_every_threshold_a_bar(digits: Sample) -> None:
    found = knots(digits.certification_rows, alpha=0.001)
    page = read_page(certified_curve(digits.predicate, digits.dataset, found, width=380))
    assert len(page.all("circle", class_="certified-mark")) == len(digits.predicate.certification.radii)
    wanted = sum(criterion.metric == "certified_accuracy" for criterion in digits.predicate.criteria)
    assert len(page.all("line", class_="required")) == 3 * wanted > 0


def test_images_get_a_second_axis_in_grey_levels_and_tables_do_not(digits: Sample, table: Sample) -> None:
    drawn = [chart_of(sample) for sample in (digits, table)]
    assert ["root mean square per value, grey levels of 255" in chart for chart in drawn] == [True, False]
    assert "l2 radius, feature standard deviations" in drawn[1]


def test_rows_with_other_counts_are_refused(digits: Sample) -> None:
    refuse_other_rows(digits.predicate, digits.certification_rows)
    first = digits.predicate.results.certified_accuracy[0]
    count, of = first.accuracy.count, first.accuracy.of
    expected = f"rows with {count} of {of} certified at radius {first.radius}, got {count - 1} of {of - 1}; use"
    with pytest.raises(DataError, match=expected):
        refuse_other_rows(digits.predicate, [r for r in digits.certification_rows if r != best(digits)])


def best(sample: Sample) -> Row:
    return max(sample.certification_rows, key=lambda row: (row["candidate"] == row["label"], Decimal(row["radius"])))
