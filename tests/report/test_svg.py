import re

from hypothesis import given
from hypothesis import strategies as st

from robustcert.report.svg import axis, drawing, element, path, tick_texts, ticks


def test_children_and_attributes_are_escaped() -> None:
    found = element("text", "<b>", element("tspan", "&"), class_='"x"')
    assert found == '<text class="&#34;x&#34;">&lt;b&gt;<tspan>&amp;</tspan></text>'


def test_a_path_moves_then_draws_and_closes_where_asked() -> None:
    points = [(0.0, 1.0), (2.04, 3.06)]
    assert path(points) == "M0 1 L2 3.1"
    assert path(points, closed=True) == "M0 1 L2 3.1 Z"


def test_a_drawing_reads_its_title_then_its_description() -> None:
    found = drawing(element("line"), width=10, height=5, title="A < B", description="from 1 to 2", class_="bar")
    assert found == (
        '<svg viewBox="0 0 10 5" role="img" class="drawing bar"><title>A &lt; B</title><desc>from 1 to 2</desc>'
        "<line></line></svg>"
    )


@given(low=st.floats(-1000, 1000), width=st.floats(1e-4, 1e5), most=st.integers(2, 12))
def test_ticks_are_round_ascend_lie_within_and_are_not_too_many(low: float, width: float, most: int) -> None:
    found = ticks(low, low + width, at_most=most)
    assert list(found) == sorted(set(found))
    assert len(found) <= most
    assert all(low - 1e-6 * width <= tick <= low + width * (1 + 1e-6) for tick in found)


def test_tick_texts_have_equally_many_decimals() -> None:
    assert tick_texts((0.0, 0.025, 0.05)) == ("0.000", "0.025", "0.050")


def test_an_axis_places_its_ends_at_0_and_1() -> None:
    found = axis(2.0, 6.0, at_most=3, label="epsilon, input units")
    assert [found.share(value) for value in (2.0, 5.0, 6.0)] == [0.0, 0.75, 1.0]


def test_large_coordinates_have_no_exponent() -> None:
    assert not re.search(r"\de", element("line", x1=1234567.0))
