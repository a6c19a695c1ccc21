"""Inline SVG from plain calls: escaped text, rounded coordinates, and a name and description for every drawing.

Nothing refers to anything outside the drawing (no url(), no href), so that it works under a strict content policy.
Colours are classes of report.html.jinja. SVG 1.1; accessible names as in WAI-ARIA Graphics Module 1.0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from markupsafe import Markup, escape

TICK_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


def element(tag: str, *children: object, **attributes: object) -> Markup:
    """One element; underscores in attribute names become hyphens, a trailing one is dropped.

    >>> str(element("text", "a < b", text_anchor="end", class_="tick", x=1.25))
    '<text text-anchor="end" class="tick" x="1.2">a &lt; b</text>'
    """
    written = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(_short(value))}"' for name, value in attributes.items()
    )
    inside = "".join(escape(child) for child in children)
    return Markup(f"<{tag}{written}>{inside}</{tag}>")  # noqa: S704  (every part was escaped above)


def join(parts: list[Markup]) -> Markup:
    """Elements one after another."""
    return Markup("").join(parts)


def drawing(
    *children: object,
    width: float,
    height: float,
    title: str,
    description: str,
    class_: str = "",
    **attributes: object,
) -> Markup:
    """An SVG that scales with its column and reads aloud as `title`, then `description`."""
    return element(
        "svg",
        element("title", title),
        element("desc", description),
        *children,
        viewBox=f"0 0 {width:g} {height:g}",
        role="img",
        class_=f"drawing {class_}".strip(),
        **attributes,
    )


def path(points: list[tuple[float, float]], *, closed: bool = False) -> str:
    """Path data through `points`."""
    moves = " ".join(f"{'L' if number else 'M'}{_short(x)} {_short(y)}" for number, (x, y) in enumerate(points))
    return f"{moves} Z" if closed else moves


def ticks(low: float, high: float, *, at_most: int) -> tuple[float, ...]:
    """Round numbers from `low` to `high` (both multiples of the step, the last at most `high`).

    >>> ticks(0, 1, at_most=6), ticks(0, 0.15, at_most=4)
    ((0.0, 0.2, 0.4, 0.6, 0.8, 1.0), (0.0, 0.05, 0.1, 0.15))
    """
    rough = (high - low) / max(1, at_most - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * step for step in TICK_STEPS if power * step >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return tuple(round(number * step, 12) for number in range(first, last + 1))


def tick_texts(values: tuple[float, ...]) -> tuple[str, ...]:
    """Ticks with equally many decimals.

    >>> tick_texts((0.0, 0.05, 0.1)), tick_texts((0.0, 10.0))
    (('0.00', '0.05', '0.10'), ('0', '10'))
    """
    places = max(len(f"{value:.9g}".partition(".")[2]) for value in values)
    return tuple(f"{value:.{places}f}" for value in values)


@dataclass(frozen=True, kw_only=True)
class Axis:
    """A range with its ticks, tick texts and label (quantity and unit)."""

    low: float
    high: float
    ticks: tuple[float, ...]
    label: str

    def share(self, value: float) -> float:
        """Where `value` lies between low (0) and high (1)."""
        return (value - self.low) / (self.high - self.low)


def axis(low: float, high: float, *, at_most: int, label: str) -> Axis:
    """An axis with at most `at_most` round ticks."""
    return Axis(low=low, high=high, ticks=ticks(low, high, at_most=at_most), label=label)


def _short(value: object) -> str:
    if isinstance(value, float):
        return f"{round(value, 1):g}" if abs(value) < 100_000 else f"{value:.0f}"
    return str(value)
