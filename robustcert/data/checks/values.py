"""Value checks: nulls, unreadable cells, NaN, inf, ranges, kinds, constant features. Shapes: N samples, F features."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from robustcert.data.checks.facts import Breach, Facts, any_coordinate, first_of
from robustcert.data.coordinates import finite, image_bounds
from robustcert.data.raw import Cell
from robustcert.errors import expected
from robustcert.specification import Feature


def nulls(facts: Facts) -> Breach | None:
    """No cell is empty."""
    mask = facts.table_cells == Cell.ABSENT
    return _breach(facts, mask, what="a value in every cell", remedy="fill in or drop the samples")


def numeric_cells(facts: Facts) -> Breach | None:
    """Every cell of a number's column holds a number."""
    return _unreadable(facts, categorical=False, what="numbers", remedy="correct the cells")


def categories(facts: Facts) -> Breach | None:
    """Every cell of a categorical column, as text or as index, is one of the contract's categories."""
    remedy = "correct the cells or add the category"
    breach = _unreadable(facts, categorical=True, what="known categories", remedy=remedy)
    if breach is not None or facts.contract.kind == "image":
        return breach
    mask = np.zeros(facts.raw.values.shape, dtype=np.bool_)
    for column, feature in _features(facts, "categorical"):
        mask[:, column] = _not_among(facts, column, range(len(feature.categories)))
    return _breach(facts, mask, what="known categories", remedy=remedy)


def nan(facts: Facts) -> Breach | None:
    """No value that a cell or pixel holds is NaN."""
    mask = np.isnan(facts.raw.values)
    if facts.raw.cells is not None:
        mask &= facts.raw.cells == Cell.READ
    return _breach(facts, mask, what="no NaN", remedy="fill in or drop the samples")


def infinity(facts: Facts) -> Breach | None:
    """No value is infinite."""
    return _breach(facts, np.isinf(facts.raw.values), what="finite values", remedy="correct or drop the samples")


def ranges(facts: Facts) -> Breach | None:
    """Finite values are within the contract's range."""
    low, high = _limits(facts)
    values = facts.raw.values
    mask = np.isfinite(values) & ((values < low) | (values > high))
    if not mask.any():
        return None
    where = first_of(mask)[1:]
    what = f"values within [{low[where]:g}, {high[where]:g}]"
    return _breach(facts, mask, what=what, remedy="correct the samples or widen the contract's range")


def feature_kinds(facts: Facts) -> Breach | None:
    """Integer features hold integers, binary ones 0 or 1."""
    mask = np.zeros(facts.raw.values.shape, dtype=np.bool_)
    for column, _ in _features(facts, "integer"):
        values_N = facts.raw.values[:, column]
        mask[:, column] = np.isfinite(values_N) & (np.rint(values_N) != values_N)
    for column, _ in _features(facts, "binary"):
        mask[:, column] = _not_among(facts, column, (0, 1))
    what = "integers in integer features, 0 or 1 in binary ones"
    return _breach(facts, mask, what=what, remedy="correct the cells or the feature's kind")


def constant_features(facts: Facts) -> Breach | None:
    """Every feature of a table takes more than one value; a warning, since a constant one only carries nothing."""
    if facts.contract.kind == "image" or len(facts.raw) < 2:
        return None
    constant = np.flatnonzero((facts.raw.values == facts.raw.values[0]).all(axis=0))
    if not len(constant):
        return None
    got = f"one value throughout in {', '.join(repr(facts.contract.features[column].name) for column in constant[:5])}"
    return Breach(message=expected("features that vary", got=got, remedy="drop them"), severity="warning")


def _limits(facts: Facts) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lowest and highest value per pixel or feature; infinite where a feature has categories instead."""
    contract, shape = facts.contract, facts.raw.values.shape[1:]
    if contract.kind == "image":
        low, high = image_bounds(contract)
        return np.full(shape, low), np.full(shape, high)
    limits = [_feature_limits(feature) for feature in contract.features]
    return np.array([low for low, _ in limits]), np.array([high for _, high in limits])


def _feature_limits(feature: Feature) -> tuple[float, float]:
    if feature.kind in ("binary", "categorical"):
        return -np.inf, np.inf
    return finite(feature.minimum), finite(feature.maximum)


def _features(facts: Facts, *kinds: str) -> list[tuple[int, Feature]]:
    return [(column, feature) for column, feature in enumerate(facts.contract.features) if feature.kind in kinds]


def _not_among(facts: Facts, column: int, allowed: Sequence[int]) -> NDArray[np.bool_]:
    """Which samples, bool (N,), have a finite value in that column that is not allowed there."""
    values_N = facts.raw.values[:, column]
    return np.asarray(np.isfinite(values_N) & ~np.isin(values_N, allowed))


def _unreadable(facts: Facts, *, categorical: bool, what: str, remedy: str) -> Breach | None:
    features = enumerate(facts.contract.features)
    columns = [column for column, feature in features if (feature.kind == "categorical") == categorical]
    affected = any_coordinate(facts.table_cells[:, columns] == Cell.UNREADABLE) if columns else np.zeros(0, np.bool_)
    if not affected.any():
        return None
    names = {facts.contract.features[column].name for column in columns}
    fault = min((fault for fault in facts.raw.faults if fault.column in names), key=lambda fault: fault.sample)
    got = f"{fault.text[:40]!r} in sample {fault.sample}, column {fault.column!r}{_others(affected)}"
    return Breach(message=expected(what, got=got, remedy=remedy), affected=affected)


def _breach(facts: Facts, mask: NDArray[np.bool_], *, what: str, remedy: str) -> Breach | None:
    """The breach of a mask (N, ...), named by its first sample; None where the mask is empty."""
    if not mask.any():
        return None
    row, *where = first_of(mask)
    affected = any_coordinate(mask)
    place = f"column {facts.contract.features[where[0]].name!r}" if facts.contract.features else f"pixel {where}"
    got = f"{_value(facts, (row, *where))} in {facts.name(row)}, {place}{_others(affected)}"
    return Breach(message=expected(what, got=got, remedy=remedy), affected=affected)


def _value(facts: Facts, place: tuple[int, ...]) -> str:
    if facts.raw.cells is not None and facts.raw.cells[place] == Cell.ABSENT:
        return "none"
    return f"{float(facts.raw.values[place]):.9g}"


def _others(affected: NDArray[np.bool_]) -> str:
    others = int(affected.sum()) - 1
    return f" and {others} more" if others else ""
