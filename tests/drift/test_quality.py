"""Each check of a window's quality passes on clean rows, and fails on a window with just that defect."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from robustcert.data.build import build_dataset
from robustcert.drift.quality import (
    QualityFacts,
    QualityFinding,
    QualityLimits,
    ReferenceColumns,
    Repeated,
    judge_quality,
    quality_ratio,
    reference_columns,
)
from robustcert.drift.quality_counts import QualityCounter
from robustcert.drift.rows import open_rows
from robustcert.specification import Contract, Data
from tests.data.examples import raw_images, raw_table
from tests.drift.logs import FIRST, IMAGES, SITES, TABLE, image_columns, table_columns, write_log

N = 400
NOW = FIRST + timedelta(hours=1)
EVERY_CHECK = ["schema", "rows", "type", "null", "range", "category", "freshness", "repeated-id", "label", "constant",
               "stuck", "scale", "skew"]  # fmt: skip


def contract(data: Data) -> Contract:
    return data.contract or pytest.fail("no contract")


def reference(data: Data) -> ReferenceColumns:
    raw = raw_table(100) if data is TABLE else raw_images(100)
    return reference_columns(build_dataset(data, raw, seed=0), contract(data))


def judged(path: str, data: Data = TABLE, *, now: datetime = NOW, **facts: Any) -> dict[str, QualityFinding]:
    counter = QualityCounter(contract(data))
    with open_rows(path, data=data) as source:
        for batch in source.batches():
            counter.add(batch)
        given = {"reference": reference(data), "repeated": Repeated(same=99, of=100), **facts}
        found = judge_quality(
            QualityFacts(counts=counter.counted(), absent=source.absent, now=now, **given), QualityLimits()
        )
    return {finding.check: finding for finding in found}


def labelled() -> dict[str, Any]:
    return {**table_columns(N), "state": ["ill", "well"] * (N // 2)}


def failed(findings: dict[str, QualityFinding]) -> list[str]:
    return [name for name, finding in findings.items() if not finding.passed]


def test_a_clean_window_passes_every_check(tmp_path: Path) -> None:
    found = judged(write_log(tmp_path / "w.parquet", labelled()))
    assert list(found) == EVERY_CHECK
    assert failed(found) == []


def with_dose(values: Any) -> dict[str, Any]:
    return labelled() | {"dose": values}


def dose() -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array(table_columns(N)["dose"])


def planted(count: int, value: Any) -> Any:
    return pa.array([value if number < count else float(item) for number, item in enumerate(dose())])


FAULTS: dict[str, tuple[dict[str, Any], float]] = {
    "type": (with_dose(["?", *map(str, dose()[1:])]), 1 / N),
    "null": (with_dose(planted(5, None)), 5 / N),
    "range": (with_dose(planted(1, 10.5)), 1 / N),
    "category": (labelled() | {"site": ["west", *table_columns(N)["site"][1:]]}, 1 / N),
    "repeated-id": (labelled() | {"id": [f"{number // 2}" for number in range(N)]}, 0.5),
    "label": (labelled() | {"state": ["dead", *["ill"] * (N - 1)]}, 1 / N),
    "stuck": (with_dose(np.where(np.arange(N) < 380, dose(), 4.2)), 1),
    "constant": (labelled() | {"site": [SITES[0]] * N}, 1),
    "scale": (with_dose(dose() / 10), 10),
}


@pytest.mark.parametrize("check", FAULTS)
def test_a_window_with_one_defect_fails_that_check_alone(tmp_path: Path, check: str) -> None:
    columns, observed = FAULTS[check]
    found = judged(write_log(tmp_path / "w.parquet", columns))
    assert failed(found) == [check]
    assert found[check].observed == pytest.approx(observed, rel=0.1 if check == "scale" else 1e-12)
    assert found[check].detail


def test_a_missing_column_fails_the_schema(tmp_path: Path) -> None:
    columns = labelled()
    del columns["dose"]
    found = judged(write_log(tmp_path / "w.parquet", columns))
    assert failed(found) == ["schema", "null"]
    assert found["schema"].detail == "missing dose"


@pytest.mark.parametrize(
    ("now", "words"), [(FIRST + timedelta(hours=49), "old"), (FIRST - timedelta(hours=49), "ahead of the clock")]
)
def test_rows_that_are_too_old_or_from_the_future_fail_freshness(tmp_path: Path, now: datetime, words: str) -> None:
    found = judged(write_log(tmp_path / "w.parquet", labelled()), now=now)
    assert failed(found) == ["freshness"]
    assert words in found["freshness"].detail
    newest = FIRST + timedelta(seconds=N - 1)
    assert found["freshness"].observed == abs((now - newest).total_seconds())


def test_answers_that_the_certified_model_does_not_repeat_are_skew(tmp_path: Path) -> None:
    found = judged(write_log(tmp_path / "w.parquet", labelled()), repeated=Repeated(same=97, of=100))
    assert failed(found) == ["skew"]
    assert found["skew"].observed == pytest.approx(0.03)


def test_an_empty_window_fails_for_its_rows(tmp_path: Path) -> None:
    columns = {name: pa.array(values)[:0] for name, values in labelled().items()}
    found = judged(write_log(tmp_path / "w.parquet", columns), repeated=None)
    assert failed(found) == ["rows"]
    counts = QualityCounter(contract(TABLE)).counted()
    assert quality_ratio(counts) == 0


def test_what_a_window_does_not_hold_is_not_passed_but_left_out(tmp_path: Path) -> None:
    columns = {name: labelled()[name] for name in ("age", "dose", "smoker", "site")}
    found = judged(write_log(tmp_path / "w.parquet", columns), repeated=None, reference=None)
    assert set(EVERY_CHECK) - set(found) == {"freshness", "repeated-id", "label", "constant", "stuck", "scale", "skew"}


def test_the_quality_ratio_is_the_share_of_rows_without_a_defect(tmp_path: Path) -> None:
    columns = with_dose(planted(10, None)) | {"site": ["west"] * 4 + table_columns(N)["site"][4:]}
    counter = QualityCounter(contract(TABLE))
    with open_rows(write_log(tmp_path / "w.parquet", columns), data=TABLE) as source:
        sound = np.concatenate([counter.add(batch) for batch in source.batches()])
    assert sound.tolist() == [False] * 10 + [True] * (N - 10)
    assert quality_ratio(counter.counted()) == (N - 10) / N


def test_images_divided_before_they_are_sent_fail_the_scale(tmp_path: Path) -> None:
    pixels = raw_images(300, seed=9).values
    clean = judged(write_log(tmp_path / "a.parquet", image_columns(pixels)), IMAGES)
    assert failed(clean) == []
    found = judged(write_log(tmp_path / "b.parquet", image_columns(pixels / 255)), IMAGES)
    assert failed(found) == ["scale"]
    assert found["scale"].observed == pytest.approx(255, rel=0.05)
    dead = pixels.copy()
    dead[:, 0, 1, 2] = 7
    assert failed(judged(write_log(tmp_path / "c.parquet", image_columns(dead)), IMAGES)) == ["constant"]


def test_the_reference_columns_are_those_of_the_data_set() -> None:
    raw = raw_table(100)
    found = reference(TABLE)
    assert found.names == ("age", "dose", "smoker", "site")
    assert np.allclose(found.spread[:3], raw.values[:, :3].std(axis=0), rtol=1e-3)
    assert np.isnan(found.spread[3])
    shares = [np.unique(raw.values[:, column], return_counts=True)[1].max() / 100 for column in (2, 3)]
    assert found.commonest[2:].tolist() == shares
    assert reference(IMAGES).spread[5] == pytest.approx(raw_images(100).values.reshape(100, -1)[:, 5].std())
