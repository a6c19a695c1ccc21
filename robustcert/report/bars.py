"""Small horizontal drawings: a criterion's interval against its threshold, and how smoothed predictions divide."""

from __future__ import annotations

from markupsafe import Markup

from robustcert.certificate.schema import CriterionPart, RatePart
from robustcert.report.svg import Axis, axis, drawing, element, join, tick_texts
from robustcert.report.wording import interval_text, metric_title, observed_text, required_text

WIDTH = 220.0
EDGE = 14.0
MIDDLE = 19.0
BAR_HEIGHT = 40.0
SMALLEST_RANGE = 0.2
MARGIN = 0.04

OUTCOME_WIDTH = 760.0
OUTCOME_HEIGHT = 30.0
OUTCOME_CLASSES = ("outcome-right", "outcome-wrong", "outcome-abstained")


def criterion_bar(criterion: CriterionPart, rate: RatePart | None, *, norm: str = "l2") -> Markup:
    """The interval, a longer post at the end where the criterion is judged, and a flag at the threshold."""
    scale = _scale(criterion, rate)
    interval = Markup("") if rate is None else _interval(scale, criterion, rate)
    return drawing(
        element("line", x1=EDGE, x2=WIDTH - EDGE, y1=MIDDLE, y2=MIDDLE, class_="grid"),
        _ticks(scale),
        interval,
        _flag(_across(scale, float(criterion.threshold)), criterion),
        width=WIDTH,
        height=BAR_HEIGHT,
        title=metric_title(criterion, norm=norm),
        description=_description(criterion, rate),
        class_="bar",
    )


def outcome_bar(counts: tuple[int, int, int]) -> Markup:
    """Certified right, certified wrong, abstained: three lengths that add up to all samples."""
    of, start, pieces = sum(counts), 0.0, []
    for count, class_ in zip(counts, OUTCOME_CLASSES, strict=True):
        length = OUTCOME_WIDTH * count / of
        pieces.append(element("rect", x=start, y=1, width=length, height=OUTCOME_HEIGHT - 2, class_=class_))
        start += length
    return drawing(
        join(pieces),
        width=OUTCOME_WIDTH,
        height=OUTCOME_HEIGHT,
        title="What the smoothed classifier did",
        description=f"{counts[0]} right, {counts[1]} wrong, {counts[2]} abstained, of {of}",
        class_="outcome",
        preserveAspectRatio="none",
    )


def _scale(criterion: CriterionPart, rate: RatePart | None) -> Axis:
    """A part of 0 to 1 that holds interval and threshold, at least SMALLEST_RANGE wide."""
    shown = [float(criterion.threshold), *(() if rate is None else (float(rate.lower), float(rate.upper)))]
    middle, half = (min(shown) + max(shown)) / 2, max(SMALLEST_RANGE / 2, (max(shown) - min(shown)) / 2 + MARGIN)
    low = min(max(0.0, middle - half), 1 - 2 * half) if half < 0.5 else 0.0
    return axis(low, min(1.0, low + 2 * half), at_most=5, label="share")


def _ticks(scale: Axis) -> Markup:
    marks = []
    for value, text in zip(scale.ticks, tick_texts(scale.ticks), strict=True):
        x = _across(scale, value)
        marks.append(element("line", x1=x, x2=x, y1=MIDDLE - 3, y2=MIDDLE + 3, class_="axis"))
        marks.append(element("text", text, x=x, y=BAR_HEIGHT - 2, text_anchor="middle", class_="tick small"))
    return join(marks)


def _interval(scale: Axis, criterion: CriterionPart, rate: RatePart) -> Markup:
    kind = criterion.kind
    lower, upper = _across(scale, float(rate.lower)), _across(scale, float(rate.upper))
    weak, strong = (lower, upper) if criterion.comparator == ">=" else (upper, lower)
    return join(
        [
            element("line", x1=lower, x2=upper, y1=MIDDLE, y2=MIDDLE, class_=f"{kind}-interval"),
            element("line", x1=strong, x2=strong, y1=MIDDLE - 5, y2=MIDDLE + 5, class_=f"{kind}-whisker"),
            element("line", x1=weak, x2=weak, y1=MIDDLE - 8, y2=MIDDLE + 8, class_=f"{kind}-weak"),
        ]
    )


def _flag(x: float, criterion: CriterionPart) -> Markup:
    """A post with a triangle at its top, pointing to the side that is accepted."""
    side = 9.0 if criterion.comparator == ">=" else -9.0
    post = element("line", x1=x, x2=x, y1=1, y2=MIDDLE + 8, class_="required")
    return post + element("path", d=f"M{x:.1f} 0 L{x + side:.1f} 3.5 L{x:.1f} 7 Z", class_="required-flag")


def _across(scale: Axis, share: float) -> float:
    return EDGE + scale.share(share) * (WIDTH - 2 * EDGE)


def _description(criterion: CriterionPart, rate: RatePart | None) -> str:
    interval = "" if rate is None else f"interval {interval_text(rate)}, {rate.count} of {rate.of}; "
    verdict = "met" if criterion.met else "not met"
    return f"{interval}weak end {observed_text(criterion)}, required {required_text(criterion)}; {verdict}"
