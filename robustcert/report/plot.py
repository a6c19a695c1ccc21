"""The frame that every chart shares: a plotting area, ticks, grid lines, and axes labelled with quantity and unit."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from robustcert.report.svg import Axis, element, join, path, tick_texts

Point = tuple[float, float]

LEFT = 46.0
RIGHT = 18.0
TOP = 40.0
BOTTOM = 48.0
ROW = 46.0
TICK_TEXT = 19.0
LABEL_TEXT = 38.0
MARKER = 4.5


@dataclass(frozen=True, kw_only=True)
class Plot:
    """A chart of `width` by `height` drawing units; `below` are further readings of the x axis, each with its label."""

    width: float
    height: float
    x: Axis
    y: Axis
    below: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @property
    def right(self) -> float:
        """Where the plotting area ends."""
        return self.width - RIGHT

    @property
    def bottom(self) -> float:
        """Where the x axis lies."""
        return self.height - BOTTOM - ROW * len(self.below)

    def at(self, x: float, y: float) -> Point:
        """Drawing coordinates of a data point."""
        return self.across(x), self.up(y)

    def across(self, x: float) -> float:
        """Drawing coordinate of an x value."""
        return LEFT + self.x.share(x) * (self.right - LEFT)

    def up(self, y: float) -> float:
        """Drawing coordinate of a y value."""
        return self.bottom - self.y.share(y) * (self.bottom - TOP)

    def frame(self) -> Markup:
        """Grid, ticks and labels of both axes."""
        return element("g", self._rows(), self._columns(), *self._readings(), class_="frame")

    def _rows(self) -> Markup:
        label = element("text", self.y.label, x=0, y=TOP - 24, class_="label")
        return label + join([self._row(value) for value in self.y.ticks])

    def _row(self, value: float) -> Markup:
        y = self.up(value)
        line = element("line", x1=LEFT, x2=self.right, y1=y, y2=y, class_="grid")
        text = tick_texts(self.y.ticks)[self.y.ticks.index(value)]
        return line + element("text", text, x=LEFT - 8, y=y + 4, text_anchor="end", class_="tick")

    def _columns(self) -> Markup:
        axis = element("line", x1=LEFT, x2=self.right, y1=self.bottom, y2=self.bottom, class_="axis")
        marks = [
            element("line", x1=self.across(x), x2=self.across(x), y1=self.bottom, y2=self.bottom + 5, class_="axis")
            for x in self.x.ticks
        ]
        return axis + join(marks)

    def _readings(self) -> list[Markup]:
        first = (self.x.label, tick_texts(self.x.ticks))
        return [self._reading(row, *reading) for row, reading in enumerate((first, *self.below))]

    def _reading(self, row: int, label: str, texts: tuple[str, ...]) -> Markup:
        y = self.bottom + ROW * row
        written = [
            element("text", text, x=self.across(x), y=y + TICK_TEXT, text_anchor="middle", class_="tick")
            for x, text in zip(self.x.ticks, texts, strict=True)
        ]
        return join(written) + element("text", label, x=LEFT, y=y + LABEL_TEXT, class_="label")


def line(points: list[Point], class_: str) -> Markup:
    """An open line; nothing where there are no points."""
    return element("path", d=path(points), class_=class_) if points else Markup("")


def area(upper: list[Point], lower: list[Point], class_: str) -> Markup:
    """The area between two lines over the same x."""
    return element("path", d=path(upper + lower[::-1], closed=True), class_=class_) if upper else Markup("")


def whisker(x: float, lower: float, upper: float, class_: str) -> Markup:
    """A vertical interval with end bars."""
    stem = element("line", x1=x, x2=x, y1=lower, y2=upper, class_=class_)
    ends = [element("line", x1=x - 4, x2=x + 4, y1=y, y2=y, class_=class_) for y in (lower, upper)]
    return stem + join(ends)


def dot(point: Point, class_: str) -> Markup:
    """A round marker: what was proved."""
    return element("circle", cx=point[0], cy=point[1], r=MARKER, class_=class_)


def triangle_down(point: Point, class_: str) -> Markup:
    """A triangle that points down: at most this."""
    x, y = point
    corners = [(x - MARKER - 1, y - MARKER), (x + MARKER + 1, y - MARKER), (x, y + MARKER + 1)]
    return element("path", d=path(corners, closed=True), class_=class_)


def diamond(point: Point, class_: str) -> Markup:
    """A diamond: the clean reference."""
    x, y = point
    corners = [(x, y - MARKER - 1), (x + MARKER + 1, y), (x, y + MARKER + 1), (x - MARKER - 1, y)]
    return element("path", d=path(corners, closed=True), class_=class_)


def required_mark(point: Point) -> Markup:
    """A short thick bar at a threshold, with a foot on each side so that it does not depend on colour."""
    x, y = point
    left, right = x - 11, x + 11
    bar = element("line", x1=left, x2=right, y1=y, y2=y, class_="required")
    feet = [element("line", x1=end, x2=end, y1=y - 4, y2=y + 4, class_="required") for end in (left, right)]
    return bar + join(feet)
