"""The columns of a contract as planted faults see them: Q features of a table, or Q pixels of an image."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robustcert.data.coordinates import finite, image_bounds, image_shape
from robustcert.drift.quality_counts import column_names
from robustcert.specification import Contract, Feature


@dataclass(frozen=True, kw_only=True, eq=False)
class FaultColumns:
    """Ends of the range (Q,) as stored; `coded`: categories and yes/no; `whole`: whole numbers; `pixels`: an image."""

    names: tuple[str, ...]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    coded: NDArray[np.bool_]
    whole: NDArray[np.bool_]
    pixels: bool

    def able(self, kind: str) -> list[int]:
        """Which columns can have a fault of that kind."""
        numbers = np.flatnonzero(~self.coded).tolist()
        if self.pixels:
            return [] if kind == "swapped" else numbers
        fitting = {"brightness": [], "unit": numbers, "swapped": numbers}
        return fitting.get(kind, list(range(len(self.names))))


def fault_columns(contract: Contract) -> FaultColumns:
    """The columns of a contract."""
    if contract.kind == "image":
        low, high = image_bounds(contract)
        size = math.prod(image_shape(contract))
        none = np.zeros(size, dtype=np.bool_)
        return FaultColumns(
            names=column_names(contract), low=np.full(size, low), high=np.full(size, high), coded=none, whole=none,
            pixels=True,
        )  # fmt: skip
    limits = [_limits(feature) for feature in contract.features]
    kinds = [feature.kind for feature in contract.features]
    return FaultColumns(
        names=column_names(contract),
        low=np.array([low for low, _ in limits]),
        high=np.array([high for _, high in limits]),
        coded=np.array([kind in ("binary", "categorical") for kind in kinds], dtype=np.bool_),
        whole=np.array([kind != "continuous" for kind in kinds], dtype=np.bool_),
        pixels=False,
    )


def _limits(feature: Feature) -> tuple[float, float]:
    if feature.kind == "categorical":
        return 0.0, len(feature.categories) - 1.0
    return (0.0, 1.0) if feature.kind == "binary" else (finite(feature.minimum), finite(feature.maximum))
