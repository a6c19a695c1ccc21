"""Certified accuracy over the radius, as steps with the interval of every radius.

The number of samples that are right and certified at radius r only falls where some row's radius ends, so the curve is
exact between the drawn knots, or, where knots were thinned out, drawn at the value of the next one: the weaker side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from markupsafe import Markup

from robustcert.certificate.schema import Predicate
from robustcert.data.dataset import Dataset
from robustcert.errors import DataError, expected
from robustcert.evaluation.statistics import Rate
from robustcert.report.domain_units import grey_levels_per_unit, root_mean_square, rounded_down
from robustcert.report.plot import Plot, Point, area, dot, line, required_mark
from robustcert.report.svg import axis, drawing, join
from robustcert.report.wording import UNIT_SHORT
from robustcert.smoothing.certified_accuracy import certified_accuracy

Row = Mapping[str, Any]

KNOTS = 200
HEIGHT = 380.0
NARROW = 480.0


@dataclass(frozen=True, kw_only=True)
class Knot:
    """Certified accuracy just at `radius`; it holds from the knot before up to this one."""

    radius: float
    rate: Rate


def knots(rows: Sequence[Row], *, alpha: float) -> list[Knot]:
    """The steps of the curve, at most KNOTS of them, from radius 0 to the largest one certified."""
    right = {row["radius"] for row in rows if row["decision"] == "certified" and row["candidate"] == row["label"]}
    radii = _thinned(sorted(right, key=Decimal))
    return [Knot(radius=float(radius), rate=certified_accuracy(rows, radius, alpha=alpha)) for radius in ("0", *radii)]


def refuse_other_rows(predicate: Predicate, rows: Sequence[Row]) -> None:
    """DataError unless the rows give the certificate's counts at each of its radii."""
    alpha = float(predicate.certification.alpha)
    for part in predicate.results.certified_accuracy:
        found = certified_accuracy(rows, part.radius, alpha=alpha)
        if (found.count, found.of) != (part.accuracy.count, part.accuracy.of):
            what = f"rows with {part.accuracy.count} of {part.accuracy.of} certified at radius {part.radius}"
            remedy = "use the evidence of the same bundle"
            raise DataError(expected(what, got=f"{found.count} of {found.of}", remedy=remedy))


def certified_curve(predicate: Predicate, dataset: Dataset, found: list[Knot], *, width: float) -> Markup:
    """The chart, `width` drawing units wide."""
    end = max([found[-1].radius, *(float(part.radius) for part in predicate.results.certified_accuracy)]) or 1.0
    plot = _plot(predicate, dataset, end=end * 1.04, width=width)
    lower, upper = _steps(plot, found, "lower"), _steps(plot, found, "upper")
    return drawing(
        plot.frame(),
        area(upper, lower, "band"),
        line(_steps(plot, found, "estimate"), "certified-line"),
        join(_marks(plot, predicate)),
        width=width,
        height=plot.height,
        title=f"Certified accuracy over the {predicate.certification.threat} radius",
        description=_description(predicate),
        class_="narrow" if width < NARROW else "wide",
    )


def _plot(predicate: Predicate, dataset: Dataset, *, end: float, width: float) -> Plot:
    unit, norm = predicate.certification.unit, predicate.certification.threat
    x = axis(0.0, end, at_most=6 if width < NARROW else 11, label=f"{norm} radius, {UNIT_SHORT.get(unit, unit)}")
    below: tuple[tuple[str, tuple[str, ...]], ...] = ()
    if dataset.card.kind == "image" and norm == "l2":
        factor = grey_levels_per_unit(dataset, predicate.certification.unit)  # type: ignore[arg-type]
        texts = tuple(rounded_down(root_mean_square(dataset, value * factor)) for value in x.ticks)
        below = (("root mean square per value, grey levels of 255", texts),)
    label = "certified accuracy, share of test samples"
    return Plot(width=width, height=HEIGHT, x=x, y=axis(0.0, 1.0, at_most=6, label=label), below=below)


def _steps(plot: Plot, found: list[Knot], end: str) -> list[Point]:
    """Corners of the staircase of one end of the rate, down to 0 certified after the last knot."""
    points: list[Point] = []
    start = 0.0
    for knot in found:
        height = float(getattr(knot.rate, end))
        points += [plot.at(start, height), plot.at(knot.radius, height)]
        start = knot.radius
    return [*points, plot.at(start, 0.0)]


def _marks(plot: Plot, predicate: Predicate) -> list[Markup]:
    certified = predicate.results.certified_accuracy
    dots = [dot(plot.at(float(part.radius), float(part.accuracy.estimate)), "certified-mark") for part in certified]
    wanted = [criterion for criterion in predicate.criteria if criterion.metric == "certified_accuracy"]
    required = [required_mark(plot.at(float(c.radius or 0), float(c.threshold))) for c in wanted]
    return [*required, *dots]


def _description(predicate: Predicate) -> str:
    parts = predicate.results.certified_accuracy
    return "; ".join(f"{part.accuracy.count} of {part.accuracy.of} at radius {part.radius}" for part in parts)


def _thinned(radii: list[str]) -> list[str]:
    if len(radii) <= KNOTS:
        return radii
    return [radii[number * (len(radii) - 1) // (KNOTS - 1)] for number in range(KNOTS)]
