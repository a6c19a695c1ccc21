"""Accuracy under attack over epsilon, one chart per threat model: empirical, an upper bound at every point."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from robustcert.certificate.schema import Predicate, RatePart, ThreatModelPart, UnderAttackPart
from robustcert.report.plot import TOP, Plot, diamond, line, required_mark, triangle_down, whisker
from robustcert.report.svg import axis, drawing, element, join
from robustcert.report.wording import UNIT_SHORT, plain

WIDTH = 360.0
HEIGHT = 310.0


def parts_of(predicate: Predicate, threat: ThreatModelPart) -> list[UnderAttackPart]:
    """The results under one threat model, by ascending epsilon."""
    found = [part for part in predicate.results.accuracy_under_attack if part.threat_model == threat.name]
    return sorted(found, key=lambda part: float(part.epsilon))


def attack_curve(predicate: Predicate, threat: ThreatModelPart) -> Markup:
    """The chart of one threat model, clean accuracy at epsilon 0 and as a reference line."""
    parts, clean = parts_of(predicate, threat), predicate.results.clean_accuracy
    plot = _plot(threat, parts)
    points = [plot.at(0.0, float(clean.estimate))]
    points += [plot.at(float(part.epsilon), float(part.accuracy.estimate)) for part in parts]
    return drawing(
        plot.frame(),
        _reference(plot, clean),
        _claimed_size(plot, threat),
        line(points, "empirical-line"),
        join([_measured(plot, part) for part in parts]),
        _required(plot, predicate, threat),
        diamond(points[0], "clean-mark"),
        width=WIDTH,
        height=HEIGHT,
        title=f"Accuracy under attack, {threat.name}",
        description=_description(clean, parts),
    )


def _plot(threat: ThreatModelPart, parts: Sequence[UnderAttackPart]) -> Plot:
    end = max([float(threat.epsilon), *(float(part.epsilon) for part in parts)])
    x = axis(0.0, end * 1.08, at_most=6, label=f"epsilon ({threat.norm}), {UNIT_SHORT.get(threat.unit, threat.unit)}")
    y = axis(0.0, 1.0, at_most=6, label="accuracy, share of test samples")
    return Plot(width=WIDTH, height=HEIGHT, x=x, y=y)


def _reference(plot: Plot, clean: RatePart) -> Markup:
    y = plot.up(float(clean.estimate))
    interval = whisker(plot.across(0.0), plot.up(float(clean.lower)), plot.up(float(clean.upper)), "clean-line")
    return element("line", x1=plot.across(plot.x.low), x2=plot.right, y1=y, y2=y, class_="clean-line dotted") + interval


def _claimed_size(plot: Plot, threat: ThreatModelPart) -> Markup:
    x = plot.across(float(threat.epsilon))
    words = f"epsilon {plain(threat.epsilon)}"
    text = element("text", words, x=x, y=TOP - 5, text_anchor="middle", class_="tick strong")
    return element("line", x1=x, x2=x, y1=TOP, y2=plot.bottom, class_="size") + text


def _measured(plot: Plot, part: UnderAttackPart) -> Markup:
    x, rate = float(part.epsilon), part.accuracy
    interval = whisker(plot.across(x), plot.up(float(rate.lower)), plot.up(float(rate.upper)), "empirical-whisker")
    return interval + triangle_down(plot.at(x, float(rate.estimate)), "empirical-mark")


def _required(plot: Plot, predicate: Predicate, threat: ThreatModelPart) -> Markup:
    under = [c for c in predicate.criteria if c.metric == "accuracy_under_attack" and c.threat_model == threat.name]
    return join([required_mark(plot.at(float(threat.epsilon), float(criterion.threshold))) for criterion in under])


def _description(clean: RatePart, parts: Sequence[UnderAttackPart]) -> str:
    start = f"{clean.count} of {clean.of} correct without perturbation"
    return "; ".join([start, *(_point(part) for part in parts)])


def _point(part: UnderAttackPart) -> str:
    return f"at most {part.accuracy.count} of {part.accuracy.of} at epsilon {plain(part.epsilon)}"
