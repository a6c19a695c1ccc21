"""What a perturbation size means in the units of the domain: grey levels of an image, units of a table's features.

With s the perturbation scale (robustcert.threat_model), a perturbation of size r in norm p has ||(x' - x) / s||_p = r.
Sizes convert rounded down, so that nothing larger is claimed than was shown.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from robustcert.data.dataset import Dataset
from robustcert.threat_model import Norm, Unit

GREY_LEVELS = 255
GREY_UNIT = "grey levels of 255"
EXAMPLES = 3
DIGITS = 3


@dataclass(frozen=True, kw_only=True)
class DomainSize:
    """One reading of a size: what it is of, its value rounded down, and the unit of that (empty for none)."""

    label: str
    value: str
    unit: str

    @property
    def title(self) -> str:
        """Label and unit, as the head of a column."""
        return f"{self.label}, {self.unit}" if self.unit else self.label

    @property
    def text(self) -> str:
        """All of it in one line."""
        return f"{self.label} {self.value} {self.unit}".strip()


def domain_sizes(dataset: Dataset, size: str, *, unit: Unit, norm: Norm | Literal["l1"]) -> tuple[DomainSize, ...]:
    """Readings of `size` (in `unit`, norm `norm`): two for images, one per example feature for tables."""
    if dataset.card.kind == "image":
        return _image_sizes(dataset, float(size), unit=unit, norm=norm)
    scale = dataset.perturbation_scale(unit)
    return tuple(
        DomainSize(
            label=dataset.card.coordinates[feature],
            value=rounded_down(float(size) * scale[feature]),
            unit=unit_of(dataset, feature),
        )
        for feature in example_features(dataset)
    )


def grey_levels_per_unit(dataset: Dataset, unit: Unit) -> float:
    """Grey levels of 255 in one `unit` of perturbation, the image's range being 255 of them."""
    scale, width = dataset.perturbation_scale(unit).max(), (dataset.upper - dataset.lower).max()
    return float(scale / width * GREY_LEVELS)


def root_mean_square(dataset: Dataset, size: float) -> float:
    """The l2 size spread evenly over all coordinates: size / sqrt(D)."""
    return size / math.sqrt(math.prod(dataset.card.shape))


def example_features(dataset: Dataset) -> tuple[int, ...]:
    """Indices of the perturbable features whose standard deviation is largest in its own unit."""
    scale = np.where(dataset.perturbable, dataset.scale, -1.0)
    order = np.argsort(-scale, kind="stable")[:EXAMPLES]
    return tuple(int(feature) for feature in order if dataset.perturbable[feature])


def unit_of(dataset: Dataset, feature: int) -> str:
    """The unit of a table's coordinate as a contract writes it; empty for pure numbers."""
    unit = dataset.card.units[feature] if dataset.card.units else ""
    return "" if unit == "1" else unit


def rounded_down(value: float, digits: int = DIGITS) -> str:
    """`value` >= 0 to `digits` significant digits, downward, without an exponent.

    >>> rounded_down(25.59), rounded_down(176.98), rounded_down(0.0), rounded_down(12345.6)
    ('25.5', '176', '0', '12345')
    """
    if value <= 0:
        return "0"
    places = max(0, digits - 1 - math.floor(math.log10(value)))
    text = f"{math.floor(value * 10**places * (1 + 1e-12)) / 10**places:.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _image_sizes(dataset: Dataset, size: float, *, unit: Unit, norm: Norm | Literal["l1"]) -> tuple[DomainSize, ...]:
    grey = size * grey_levels_per_unit(dataset, unit)
    if norm == "linf":
        return (DomainSize(label="each value", value=rounded_down(grey), unit=GREY_UNIT),)
    if norm == "l1":
        mean = grey / math.prod(dataset.card.shape)
        return (
            DomainSize(label="l1 length", value=rounded_down(grey), unit=GREY_UNIT),
            DomainSize(label="mean change per value", value=rounded_down(mean), unit=GREY_UNIT),
        )
    spread = root_mean_square(dataset, grey)
    return (
        DomainSize(label="l2 length", value=rounded_down(grey), unit=GREY_UNIT),
        DomainSize(label="root mean square per value", value=rounded_down(spread), unit=GREY_UNIT),
    )
