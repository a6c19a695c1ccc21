"""One pass over a log: counts equal those of the rows read at once, however the rows are cut."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from robustcert.data.build import build_dataset
from robustcert.data.contract import contract_of
from robustcert.drift import rows as rows_module
from robustcert.drift.feature_columns import FeatureColumns
from robustcert.drift.histogram import ColumnCounts, number_bins
from robustcert.drift.quality import QualityFacts, QualityLimits, judge_quality, reference_columns
from robustcert.drift.rows import open_rows
from robustcert.drift.window_pass import WindowPass, files_sha256, read_window
from tests.data.examples import raw_table
from tests.drift.logs import MODEL_SHA256, SITES, TABLE, table_columns, write_log

KNOWN = table_columns(300, seed=9)
VALUES = np.column_stack([
    KNOWN["age"], KNOWN["dose"], KNOWN["smoker"], [SITES.index(site) for site in KNOWN["site"]],
]).astype(float)  # fmt: skip
DATASET = build_dataset(TABLE, raw_table(300, values=VALUES), seed=0)
COLUMNS = FeatureColumns(contract=contract_of(TABLE), dataset=DATASET)
CELLS = COLUMNS.cells(COLUMNS.of_dataset(DATASET))
OTHER = "6b" * 32


def read(path: Path) -> WindowPass:
    with open_rows(str(path), data=TABLE) as source:
        known = reference_columns(DATASET, source.contract)
        return read_window(source, COLUMNS, CELLS, model=MODEL_SHA256, reference=known)


def write(path: Path, **changes: Any) -> Path:
    write_log(path, table_columns(500) | changes)
    return path


def test_counts_are_those_of_all_rows_at_once_whatever_the_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "log.parquet")
    whole = read(path)
    monkeypatch.setattr(rows_module, "MOST_ROWS_PER_BATCH", 37)
    parts = read(path)
    for name, counts in whole.counts.items():
        assert np.array_equal(counts.counts, parts.counts[name].counts)
        assert counts.n == 500
    age = np.asarray(table_columns(500)["age"], dtype=float)
    bins = number_bins(COLUMNS.of_dataset(DATASET)["age"])
    assert np.array_equal(whole.counts["age"].counts, ColumnCounts(cells=bins).add(age).counts)
    assert whole.quality.rows == parts.quality.rows == 500


def test_only_rows_that_the_certified_model_answered_count_and_the_others_are_named(tmp_path: Path) -> None:
    models = [MODEL_SHA256] * 300 + [OTHER] * 150 + ["<script>"] * 50
    found = read(write(tmp_path / "log.parquet", model_sha256=models))
    assert found.quality.rows == 300
    assert found.versions == {MODEL_SHA256[:12]: 300, OTHER[:12]: 150, "other": 50}


def test_times_are_the_first_and_the_last_and_none_where_rows_carry_none(tmp_path: Path) -> None:
    found = read(write(tmp_path / "log.parquet"))
    assert (found.first_at, found.last_at) == ("2026-11-21T13:00:00Z", "2026-11-21T13:08:19Z")
    columns = table_columns(500)
    del columns["time"]
    write_log(tmp_path / "timeless.parquet", columns)
    assert (read(tmp_path / "timeless.parquet").first_at, read(tmp_path / "timeless.parquet").last_at) == (None, None)


def test_a_time_that_no_calendar_knows_is_cut_to_one_that_a_record_can_hold(tmp_path: Path) -> None:
    times = pa.array([datetime(2026, 1, 1, tzinfo=UTC)] * 499 + [datetime(9999, 12, 31, tzinfo=UTC)])
    far = pa.array(np.append(times.to_numpy(zero_copy_only=False)[:499], np.datetime64("20000-01-01", "us")))
    found = read(write(tmp_path / "log.parquet", time=far))
    assert found.last_at == "9999-12-31T23:59:59Z"
    facts = QualityFacts(counts=found.quality, absent=(), reference=None, repeated=None, now=datetime.now(UTC))
    assert not next(part for part in judge_quality(facts, QualityLimits()) if part.check == "freshness").passed


def test_labels_in_the_window_are_counted_by_class(tmp_path: Path) -> None:
    label = contract_of(TABLE).label
    assert label is not None
    classes = contract_of(TABLE).classes
    texts = [classes[number % 3 % 2] for number in range(499)] + [None]
    found = read(write(tmp_path / "log.parquet", **{label: texts}))
    wanted = [sum(text == name for text in texts) for name in classes]
    assert found.labels.tolist() == wanted


def test_a_folder_has_one_digest_that_every_file_of_it_changes(tmp_path: Path) -> None:
    digests = []
    for number in range(2):
        write(tmp_path / "log" / f"part{number}.parquet")
        with open_rows(str(tmp_path / "log"), data=TABLE) as source:
            digests.append(files_sha256(source))
    with open_rows(str(tmp_path / "log" / "part0.parquet"), data=TABLE) as source:
        assert files_sha256(source) == source.sha256
    assert len({*digests, source.sha256}) == 3
