"""Drawings of the drift report: distributions side by side, signals against their thresholds, shares with intervals.

Inline SVG without references to anything outside; colours are classes of report.html.jinja.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from robustcert.drift.histogram import UNSEEN, Categories, ColumnCounts, NumberBins
from robustcert.drift.record import SignalPart
from robustcert.report.svg import drawing, element, join

BARS = 14
MOST_CATEGORIES = 11
SMALLEST_RANGE = 1e-9  # below which the reference holds one value
TAIL = 0.005  # of the reference on each side goes into the outermost bars

WIDTH, HEIGHT = 320.0, 150.0
LEFT, RIGHT, TOP, BOTTOM = 34.0, 6.0, 10.0, 26.0

SIGNAL_WIDTH, SIGNAL_HEIGHT, MOST_TIMES = 220.0, 26.0, 4.0
SHARE_WIDTH, SHARE_HEIGHT = 320.0, 40.0


@dataclass(frozen=True, kw_only=True)
class Distribution:
    """Shares of reference and window in the same bars; `labels` name each bar, `ticks` those that are written."""

    labels: tuple[str, ...]
    reference: tuple[float, ...]
    window: tuple[float, ...]

    @property
    def written(self) -> tuple[tuple[int, str], ...]:
        """Bars whose label fits under the drawing."""
        step = max(1, -(-len(self.labels) // 5))
        return tuple((place, text) for place, text in enumerate(self.labels) if place % step == 0)


def distribution(
    reference: ColumnCounts, window: ColumnCounts, *, label: Callable[[int], str] = str
) -> Distribution | None:
    """A column of both sides in few bars; None where one of them has no value. `label` names a category's index."""
    if not reference.n or not window.n:
        return None
    groups, labels = _groups(reference, label)
    shares = [np.bincount(groups, weights=side.counts, minlength=len(labels)) / side.n for side in (reference, window)]
    kept = [
        place for place in range(len(labels)) if shares[0][place] or shares[1][place] or 0 < place < len(labels) - 1
    ]
    return Distribution(
        labels=tuple(labels[place] for place in kept),
        reference=tuple(float(shares[0][place]) for place in kept),
        window=tuple(float(shares[1][place]) for place in kept),
    )


def distribution_chart(found: Distribution, *, title: str) -> Markup:
    """Filled bars of the reference, outlined bars of the window."""
    highest = max(*found.reference, *found.window)
    bar = (WIDTH - LEFT - RIGHT) / len(found.labels)
    bars = [
        join([_bar(place, bar, share / highest, "reference-bar"), _bar(place, bar, moved / highest, "window-bar")])
        for place, (share, moved) in enumerate(zip(found.reference, found.window, strict=True))
    ]
    ticks = [
        element("text", _short(text), x=LEFT + bar * (place + 0.5), y=HEIGHT - 8, text_anchor="middle", class_="tick")
        for place, text in found.written
    ]
    return drawing(
        element("line", x1=LEFT, x2=WIDTH - RIGHT, y1=HEIGHT - BOTTOM, y2=HEIGHT - BOTTOM, class_="axis"),
        element("text", f"{highest:.2f}", x=LEFT - 5, y=TOP + 5, text_anchor="end", class_="tick"),
        element("text", "0", x=LEFT - 5, y=HEIGHT - BOTTOM + 4, text_anchor="end", class_="tick"),
        *bars,
        *ticks,
        width=WIDTH,
        height=HEIGHT,
        title=title,
        description=_spoken(found),
    )


def signal_bar(signal: SignalPart) -> Markup:
    """How many times its threshold a score is, up to MOST_TIMES; the post stands at the threshold."""
    score, threshold = float(signal.score), float(signal.threshold)
    times = max(0.0, min(MOST_TIMES, score / threshold if threshold > 0 else (MOST_TIMES if signal.drifted else 0.0)))
    unit = (SIGNAL_WIDTH - 4) / MOST_TIMES
    class_ = "over" if signal.drifted else "under"
    return drawing(
        element("line", x1=2, x2=SIGNAL_WIDTH - 2, y1=13, y2=13, class_="grid"),
        element("rect", x=2, y=7, width=max(1.0, times * unit), height=12, class_=class_),
        element("line", x1=2 + unit, x2=2 + unit, y1=1, y2=25, class_="required"),
        width=SIGNAL_WIDTH,
        height=SIGNAL_HEIGHT,
        title=f"{signal.signal}, {signal.method}",
        description=f"score {signal.score}, threshold {signal.threshold}",
        class_="bar",
    )


def share_bar(share: float, lower: float, upper: float, *, title: str, class_: str) -> Markup:
    """A share from 0 to 1 with its interval."""
    at = [4 + value * (SHARE_WIDTH - 8) for value in (lower, share, upper)]
    ticks = [
        element("text", text, x=4 + value * (SHARE_WIDTH - 8), y=38, text_anchor=anchor, class_="tick")
        for value, text, anchor in ((0.0, "0", "start"), (0.5, "0.5", "middle"), (1.0, "1", "end"))
    ]
    return drawing(
        element("line", x1=4, x2=SHARE_WIDTH - 4, y1=13, y2=13, class_="grid"),
        element("line", x1=at[0], x2=max(at[2], at[0] + 1), y1=13, y2=13, class_=f"interval {class_}"),
        element("line", x1=at[1], x2=at[1], y1=4, y2=22, class_=f"estimate {class_}"),
        *ticks,
        width=SHARE_WIDTH,
        height=SHARE_HEIGHT,
        title=title,
        description=f"{share:.3f}, interval {lower:.3f} to {upper:.3f}",
        class_="bar",
    )


def _groups(reference: ColumnCounts, label: Callable[[int], str]) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """The bar of each cell, and each bar's label."""
    if isinstance(reference.cells, Categories):
        return _category_groups(reference, reference.cells, label)
    return _number_groups(reference, reference.cells)


def _category_groups(
    reference: ColumnCounts, cells: Categories, label: Callable[[int], str]
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    frequent = np.sort(np.argsort(-reference.counts[:-1], kind="stable")[:MOST_CATEGORIES])
    groups = np.full(len(cells), len(frequent), dtype=np.int64)
    groups[frequent] = np.arange(len(frequent))
    named = tuple(label(int(text)) if text.isdecimal() else text for text in (cells.labels[i] for i in frequent))
    return groups, (*named, "others" if len(frequent) < len(cells.labels) else UNSEEN)


def _number_groups(reference: ColumnCounts, cells: NumberBins) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    edges = cells.edges_E
    passed = np.cumsum(reference.counts) / reference.n
    first, last = (int(np.searchsorted(passed, tail)) for tail in (TAIL, 1 - TAIL))
    low, high = edges[max(first - 1, 0)], edges[min(last, len(edges) - 1)]
    spread = high - low > SMALLEST_RANGE * max(1.0, abs(low))
    cuts = np.linspace(low, high, BARS + 1) if spread else np.array([low, np.nextafter(high, np.inf)])
    middles = np.concatenate([[-np.inf], (edges[:-1] + edges[1:]) / 2, [np.inf]])
    groups = np.searchsorted(cuts, middles, side="right").astype(np.int64)
    inner = tuple(f"{(left + right) / 2 if spread else low:.3g}" for left, right in pairwise(cuts))
    return groups, ("less", *inner, "more")


def _bar(place: int, width: float, share: float, class_: str) -> Markup:
    height = share * (HEIGHT - TOP - BOTTOM)
    inset = 1.0 if class_ == "reference-bar" else 2.5
    x, y = LEFT + place * width + inset, HEIGHT - BOTTOM - height
    return element("rect", x=x, y=y, width=max(1.0, width - 2 * inset), height=height, class_=class_)


def _spoken(found: Distribution) -> str:
    triples = zip(found.labels, found.reference, found.window, strict=True)
    return "; ".join(f"{label}: reference {share:.3f}, window {moved:.3f}" for label, share, moved in triples)


def _short(text: str) -> str:
    return text if len(text) <= 9 else text[:8] + "\N{HORIZONTAL ELLIPSIS}"
