"""Findings as they stand in a record: numbers as decimal strings, rounded so that no verdict turns over.

A drifted score is rounded up and its threshold down, any other the other way round: score > threshold stays as it was.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from robustcert.drift.quality import QualityFinding
from robustcert.drift.record import DistancePart, DriftTestPart, FilePart, QualityPart, SignalPart, WindowPart
from robustcert.drift.row_files import RowFile
from robustcert.drift.rows import RowSource
from robustcert.drift.signals import Findings
from robustcert.drift.thresholds import DriftTest
from robustcert.drift.window_pass import WindowPass, files_sha256
from robustcert.evaluation.statistics import round_down, round_up

DIGITS = 12
MOST_FILES = 1000
MOST_TEXT = 400


def signal_parts(found: Findings, *, most_drifted: float) -> tuple[SignalPart, ...]:
    """The handful of signals that decide; of features, `most_drifted` is the share of columns that may drift."""
    columns = _columns_part(found.columns, most_drifted=most_drifted)
    return (columns, *(_signal_part(test) for test in _others(found)))


def all_tests(found: Findings) -> tuple[DriftTestPart, ...]:
    """Every test, those of columns first."""
    return tuple(_test_part(test) for test in (*found.columns, *_others(found)))


def columns_drifted(found: Findings) -> tuple[str, ...]:
    """Columns of which at least one test found drift, in their order."""
    return tuple(dict.fromkeys(test.column for test in found.columns if test.drifted))


def columns_tested(found: Findings) -> tuple[str, ...]:
    """Columns of which at least one test was made."""
    return tuple(dict.fromkeys(test.column for test in found.columns if test.p_value is not None))


def distance_part(found: Findings) -> DistancePart:
    """Out-of-distribution figures of the distance."""
    test = found.distance
    return DistancePart(auroc=round_down(test.score), fpr95=round_up(found.fpr95), n=test.n, m=test.m)


def quality_part(found: QualityFinding) -> QualityPart:
    """One check of the data's quality."""
    return QualityPart(
        check=found.check,
        passed=found.passed,
        observed=f"{found.observed:.6g}",
        limit=f"{found.limit:.6g}",
        detail=found.detail[:MOST_TEXT],
    )


def window_part(source: RowSource, found: WindowPass, *, labelled: int) -> WindowPart:
    """What the window was, so that anybody can tell whether it is the same one."""
    return WindowPart(
        source=source.source[:MOST_TEXT],
        place=source.place[:MOST_TEXT] if source.holds_labels else "",
        sha256=source.sha256,
        files=() if source.sha256 else tuple(map(_file_part, source.files[:MOST_FILES])),
        files_sha256=None if source.sha256 else files_sha256(source),
        rows=found.quality.rows,
        first_at=found.first_at,
        last_at=found.last_at,
        labelled=labelled,
        served_versions=tuple(found.versions),
    )


def _file_part(file: RowFile) -> FilePart:
    return FilePart(name=file.name, sha256=file.sha256)


def _others(found: Findings) -> tuple[DriftTest, ...]:
    return (found.classifier, found.embedding, *found.outputs, *found.labels, found.distance)


def _columns_part(columns: Sequence[DriftTest], *, most_drifted: float) -> SignalPart:
    """Share of drifted columns; `n` and `m` are the rows behind most of them.

    The threshold lies half a column above what may drift, so that it is never 0 and a ratio to it means something.
    """
    tested = max(1, len({test.column for test in columns if test.p_value is not None}))
    drifted = len({test.column for test in columns if test.drifted})
    may_drift = math.floor(most_drifted * tested + 1e-9)
    score, threshold = _rounded(drifted / tested, (may_drift + 0.5) / tested, drifted=drifted > may_drift)
    return SignalPart(
        signal="features",
        method="columns",
        score=score,
        threshold=threshold,
        n=max(test.n for test in columns),
        m=max(test.m for test in columns),
        drifted=drifted > may_drift,
    )


def _signal_part(test: DriftTest) -> SignalPart:
    score, threshold = _rounded(test.score, test.threshold, drifted=test.drifted)
    return SignalPart(
        signal=test.signal,
        method=test.method,
        score=score,
        threshold=threshold,
        n=test.n,
        m=test.m,
        drifted=test.drifted,
    )


def _test_part(test: DriftTest) -> DriftTestPart:
    score, threshold = _rounded(test.score, test.threshold, drifted=test.drifted)
    return DriftTestPart(
        signal=test.signal,
        column=test.column[:MOST_TEXT],
        method=test.method,
        score=score,
        threshold=threshold,
        p_value=_optional(test.p_value),
        adjusted_p=_optional(test.adjusted_p),
        effect=round_down(test.effect),
        effect_name=test.effect_name,
        n=test.n,
        m=test.m,
        drifted=test.drifted,
        note=test.note[:MOST_TEXT],
    )


def _rounded(score: float, threshold: float, *, drifted: bool) -> tuple[str, str]:
    if drifted:
        return round_up(score, DIGITS), round_down(threshold, DIGITS)
    return round_down(score, DIGITS), round_up(threshold, DIGITS)


def _optional(p_value: float | None) -> str | None:
    """A p-value, never below what it is."""
    return None if p_value is None else round_up(p_value, DIGITS)
