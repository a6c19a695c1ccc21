"""Small horizontal drawings: a criterion's interval against its threshold, and how smoothed predictions divide."""

from __future__ import annotations

from markupsafe import Markup

from robustcert.certificate.schema import CriterionPart, RatePart
from robustcert.report.svg import drawing, element, join
from robustcert.report.wording import interval_text, metric_title, observed_text, plain, required_text

WIDTH = 220.0
EDGE = 10.0
MIDDLE = 16.0
BAR_HEIGHT = 34.0
SCALE_HEIGHT = 16.0


def criterion_bar(criterion: CriterionPart, rate: RatePart | None) -> Markup:
    """The interval on a scale from 0 to 1, a filled end where the criterion is judged, and the threshold as a post."""
    interval = Markup("") if rate is None else _interval(criterion, rate)
    threshold = _across(float(criterion.threshold))
    return drawing(
        element("line", x1=EDGE, x2=WIDTH - EDGE, y1=MIDDLE, y2=MIDDLE, class_="grid"),
        join([_tick(value) for value in (0.0, 0.5, 1.0)]),
        interval,
        element("line", x1=threshold, x2=threshold, y1=3, y2=MIDDLE + 13, class_="required"),
        element("path", d=_flag(threshold, criterion), class_="required-flag"),
        width=WIDTH,
        height=BAR_HEIGHT,
        title=metric_title(criterion),
        description=_description(criterion, rate),
        class_="bar",
    )


def _interval(criterion: CriterionPart, rate: RatePart) -> Markup:
    kind = criterion.kind
    lower, upper = _across(float(rate.lower)), _across(float(rate.upper))
    weak, strong = (lower, upper) if criterion.comparator == ">=" else (upper, lower)
    return join(
        [
            element("line", x1=lower, x2=upper, y1=MIDDLE, y2=MIDDLE, class_=f"{kind}-interval"),
            element("line", x1=strong, x2=strong, y1=MIDDLE - 5, y2=MIDDLE + 5, class_=f"{kind}-whisker"),
            element("line", x1=weak, x2=weak, y1=MIDDLE - 8, y2=MIDDLE + 8, class_=f"{kind}-weak"),
        ]
    )


def _tick(value: float) -> Markup:
    x = _across(value)
    return element("line", x1=x, x2=x, y1=MIDDLE - 3, y2=MIDDLE + 3, class_="axis") + element(
        "text", f"{value:g}", x=x, y=BAR_HEIGHT - 2, text_anchor="middle", class_="tick small"
    )


def _flag(x: float, criterion: CriterionPart) -> str:
    """A triangle at the top of the post, pointing to the side that is accepted."""
    side = 9.0 if criterion.comparator == ">=" else -9.0
    return f"M{x:.1f} 1 L{x + side:.1f} 4.5 L{x:.1f} 8 Z"


def _across(share: float) -> float:
    return EDGE + share * (WIDTH - 2 * EDGE)


def _description(criterion: CriterionPart, rate: RatePart | None) -> str:
    interval = "" if rate is None else f"interval {interval_text(rate)}, {rate.count} of {rate.of}; "
    verdict = "met" if criterion.met else "not met"
    return f"{interval}weak end {observed_text(criterion)}, required {required_text(criterion)}; {verdict}"


OUTCOME_WIDTH = 760.0
OUTCOME_HEIGHT = 30.0
OUTCOME_CLASSES = ("outcome-right", "outcome-wrong", "outcome-abstained")


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
    )


__all__ = ["criterion_bar", "outcome_bar", "plain"]
