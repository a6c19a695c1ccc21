import re

import pytest

from robustcert.report.plot import (
    LEFT,
    RIGHT,
    TOP,
    Plot,
    area,
    diamond,
    dot,
    line,
    required_mark,
    triangle_down,
    whisker,
)
from robustcert.report.svg import axis
from tests.report.page import read_page


@pytest.fixture
def plot() -> Plot:
    return Plot(
        width=400,
        height=300,
        x=axis(0.0, 0.2, at_most=5, label="radius, input units"),
        y=axis(0.0, 1.0, at_most=6, label="share"),
        below=(("grey levels", ("0", "1", "2", "3", "4")),),
    )


def test_corners_of_the_data_lie_at_corners_of_the_plotting_area(plot: Plot) -> None:
    assert plot.at(0.0, 1.0) == (LEFT, TOP)
    assert plot.at(0.2, 0.0) == (400 - RIGHT, plot.bottom)


def test_the_frame_names_both_axes_and_every_tick(plot: Plot) -> None:
    texts = [text.text() for text in read_page(plot.frame()).all("text")]
    for expected in ("radius, input units", "share", "0.00", "0.05", "0.20", "0.0", "1.0", "grey levels", "4"):
        assert expected in texts


def test_a_second_reading_stands_below_the_first(plot: Plot) -> None:
    heights = {text.text(): float(text.attributes["y"]) for text in read_page(plot.frame()).all("text")}
    assert plot.bottom < heights["0.05"] < heights["radius, input units"] < heights["4"] < heights["grey levels"] <= 300


def test_nothing_is_drawn_from_nothing() -> None:
    assert line([], "x") == area([], [], "x") == ""


def test_an_area_goes_out_along_the_upper_line_and_back_along_the_lower() -> None:
    drawn = area([(0, 1), (2, 1)], [(0, 5), (2, 5)], "band")
    assert 'd="M0 1 L2 1 L2 5 L0 5 Z"' in drawn


def test_a_whisker_spans_its_interval_and_has_two_ends() -> None:
    lines = read_page(whisker(5, 20, 10, "x")).all("line")
    assert [(part.attributes["y1"], part.attributes["y2"]) for part in lines] == [
        ("20", "10"),
        ("20", "20"),
        ("10", "10"),
    ]


def test_marks_differ_in_shape_and_not_only_in_colour() -> None:
    shapes = [re.sub(r"class=\"\w*\"", "", mark((10.0, 10.0), "x")) for mark in (dot, triangle_down, diamond)]
    assert len({*shapes, required_mark((10.0, 10.0))}) == 4
