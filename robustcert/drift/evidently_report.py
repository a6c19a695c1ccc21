"""Evidently's HTML about a sample, as evidence beside our own report: it shows distributions and decides nothing.

Made with Evidently 0.7. Left to itself it changes its method with the number of rows (at 1,000 a p-value becomes a
distance, and drift is then on the other side of the threshold), fails as a whole on one unlikely column, and counts its
users. So columns are cleaned first, each is given its method and threshold, and nothing is sent anywhere.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robustcert.errors import InputError, expected
from robustcert.extras import require_modules

MOST_ROWS = 10_000
MOST_COLUMNS = 200  # a page with more is read by nobody
MOST_CATEGORIES = 50
FEWEST_VALUES = 2
NUMBER_METHOD = "ks"  # both give p-values: a column drifted where its value is below the threshold
CATEGORY_METHOD = "chisquare"
SILENT = {"DO_NOT_TRACK": "1", "MPLBACKEND": "agg"}

Column = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class EvidentlyPage:
    """The page, the p-value of each column in it, and the columns that it is not about, each with the reason."""

    html: bytes
    p_values: Mapping[str, float]
    left_out: Mapping[str, str]


def evidently_page(reference: Mapping[str, Column], window: Mapping[str, Column], *, alpha: float) -> EvidentlyPage:
    """The page about two samples by column: float64 with NaN for nothing, or texts with None for nothing.

    A column's threshold is `alpha` divided by the number of columns. Raises InputError for samples beyond MOST_ROWS, or
    where the package is not installed.
    """
    require_modules("evidently", "pandas")
    _refuse_many_rows(reference, window)
    left_out = {name: why for name in reference if (why := _unfit(reference[name], window.get(name))) is not None}
    fit = [name for name in reference if name not in left_out]
    left_out |= dict.fromkeys(fit[MOST_COLUMNS:], f"beyond the first {MOST_COLUMNS} columns")
    names = fit[:MOST_COLUMNS]
    threshold = alpha / max(1, len(names))
    html, p_values = _run(_frames(reference, window, names), names, reference, threshold=threshold)
    return EvidentlyPage(html=html, p_values=p_values, left_out=left_out)


def _refuse_many_rows(*samples: Mapping[str, Column]) -> None:
    rows = max((len(column) for sample in samples for column in sample.values()), default=0)
    if rows > MOST_ROWS:
        remedy = "give a sample: the page grows with its rows, and decides nothing"
        raise InputError(expected(f"at most {MOST_ROWS} rows for Evidently", got=rows, remedy=remedy))


def _unfit(reference: Column, window: Column | None) -> str | None:
    """Why Evidently could not compare a column; None where it can."""
    if window is None:
        return "not in the window"
    if _is_number(reference) != _is_number(window):
        return "numbers on one side only"
    if min(len(_values(reference)), len(_values(window))) < FEWEST_VALUES:
        return "no values"
    if not _is_number(reference) and len(set(_values(reference)) | set(_values(window))) > MOST_CATEGORIES:
        return f"more than {MOST_CATEGORIES} different texts"
    return None


def _is_number(column: Column) -> bool:
    return bool(np.issubdtype(column.dtype, np.number))


def _values(column: Column) -> Column:
    """What is there of a column, numbers as finite float64."""
    if _is_number(column):
        numbers = column.astype(np.float64)
        return np.asarray(numbers[np.isfinite(numbers)])
    return np.array([str(value) for value in column if value is not None], dtype=object)


def _frames(reference: Mapping[str, Column], window: Mapping[str, Column], names: Sequence[str]) -> tuple[Any, Any]:
    import pandas

    def frame(sample: Mapping[str, Column]) -> Any:
        return pandas.DataFrame({name: pandas.Series(_values(sample[name])) for name in names})

    return frame(reference), frame(window)


def _run(
    frames: tuple[Any, Any], names: Sequence[str], reference: Mapping[str, Column], *, threshold: float
) -> tuple[bytes, dict[str, float]]:
    """Page and p-values; the environment and the filters of warnings are put back after."""
    kept = {name: os.environ.get(name) for name in SILENT}
    os.environ.update(SILENT)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _page(frames, names, reference, threshold=threshold)
    finally:
        for name, value in kept.items():
            _restore(name, value)


def _page(
    frames: tuple[Any, Any], names: Sequence[str], reference: Mapping[str, Column], *, threshold: float
) -> tuple[bytes, dict[str, float]]:
    from evidently import DataDefinition, Dataset, Report
    from evidently.metrics import ValueDrift

    numbers = [name for name in names if _is_number(reference[name])]
    categories = [name for name in names if name not in set(numbers)]
    definition = DataDefinition(numerical_columns=numbers, categorical_columns=categories)
    methods = dict.fromkeys(numbers, NUMBER_METHOD) | dict.fromkeys(categories, CATEGORY_METHOD)
    metrics = [ValueDrift(column=name, method=methods[name], threshold=threshold) for name in names]
    before, now = (Dataset.from_pandas(frame, data_definition=definition) for frame in frames)
    found = Report(metrics, include_tests=True).run(now, before)
    values = [float(metric["value"]) for metric in found.dict()["metrics"]]
    return found.get_html_str(as_iframe=False).encode(), dict(zip(names, values, strict=True))


def _restore(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value
