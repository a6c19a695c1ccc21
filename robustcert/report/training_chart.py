"""Charts of the training history: the loss, and accuracies over validation samples with their intervals.

A record is one epoch: `epoch`, `loss`, `validationSamples`, and accuracies over that many samples, as the trainer
writes them. Validation accuracies steer the choice of the checkpoint; they are no claim.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from robustcert.evaluation.statistics import binomial_interval
from robustcert.report.plot import Plot, Point, area, line
from robustcert.report.svg import Axis, axis, drawing, join, ticks

Epoch = Mapping[str, float]

WIDTH = 360.0
HEIGHT = 230.0
MOST_SERIES = 4
SAMPLES = "validationSamples"


@dataclass(frozen=True, kw_only=True)
class TrainingChart:
    """A drawing and the names of its series, in the order of their line styles."""

    drawing: Markup
    series: tuple[str, ...]


def training_charts(history: Sequence[Epoch]) -> tuple[TrainingChart, ...]:
    """Loss and accuracies over the epochs; none where nothing was trained."""
    if not history:
        return ()
    losses = [key for key in history[0] if key.lower().endswith("loss")]
    accuracies = [key for key in history[0] if "accuracy" in key.lower() and SAMPLES in history[0]]
    charts = [(_loss_chart, losses[:MOST_SERIES]), (_accuracy_chart, accuracies[:MOST_SERIES])]
    return tuple(
        TrainingChart(drawing=draw(history, keys), series=tuple(map(words, keys))) for draw, keys in charts if keys
    )


def words(key: str) -> str:
    """A camelCase key in words.

    >>> words("accuracyUnderAttack")
    'accuracy under attack'
    """
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", key).lower()


def _loss_chart(history: Sequence[Epoch], keys: Sequence[str]) -> Markup:
    largest = max(epoch[key] for epoch in history for key in keys)
    plot = _plot(history, axis(0.0, (largest * 1.05) or 1.0, at_most=6, label="mean loss on the training split"))
    lines = [_series(plot, history, key, number) for number, key in enumerate(keys, 1)]
    description = f"from {history[0][keys[0]]:.3g} in the first epoch to {history[-1][keys[0]]:.3g} in the last"
    return _drawing(plot, lines, title="Training loss over epochs", description=description)


def _accuracy_chart(history: Sequence[Epoch], keys: Sequence[str]) -> Markup:
    plot = _plot(history, axis(0.0, 1.0, at_most=6, label="share of validation samples"))
    bands = [_band(plot, history, key, number) for number, key in enumerate(keys, 1)]
    lines = [_series(plot, history, key, number) for number, key in enumerate(keys, 1)]
    last, of = history[-1], int(history[-1][SAMPLES])
    ends = [f"{words(key)} {round(last[key] * of)} of {of} in the last epoch" for key in keys]
    return _drawing(plot, bands + lines, title="Validation accuracy over epochs", description="; ".join(ends))


def _drawing(plot: Plot, parts: list[Markup], *, title: str, description: str) -> Markup:
    return drawing(plot.frame(), join(parts), width=WIDTH, height=HEIGHT, title=title, description=description)


def _plot(history: Sequence[Epoch], y: Axis) -> Plot:
    first, last = history[0]["epoch"], history[-1]["epoch"]
    end = last if last > first else first + 1
    marks = tuple(tick for tick in ticks(first, end, at_most=7) if tick == int(tick))
    return Plot(width=WIDTH, height=HEIGHT, x=Axis(low=first, high=end, ticks=marks, label="epoch"), y=y)


def _series(plot: Plot, history: Sequence[Epoch], key: str, number: int) -> Markup:
    return line([plot.at(epoch["epoch"], epoch[key]) for epoch in history], f"series-{number}")


def _band(plot: Plot, history: Sequence[Epoch], key: str, number: int) -> Markup:
    upper: list[Point] = []
    lower: list[Point] = []
    for epoch in history:
        of = int(epoch[SAMPLES])
        low, high = binomial_interval(round(epoch[key] * of), of)
        lower.append(plot.at(epoch["epoch"], low))
        upper.append(plot.at(epoch["epoch"], high))
    return area(upper, lower, f"series-band series-band-{number}")
