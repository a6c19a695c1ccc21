"""Planted faults are what they say, repeatable, larger with severity, and found by the quality checks."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from scipy.stats import binom

from robustcert.data.build import build_dataset
from robustcert.drift import rows
from robustcert.drift.faults import SEVERITIES, STUCK_ROWS, Fault, FaultKind, FaultyWindow, fits, inject
from robustcert.drift.hints import HintFacts, ranked_hints
from robustcert.drift.quality import QualityFacts, QualityLimits, judge_quality, reference_columns
from robustcert.drift.quality_counts import QualityCounter
from robustcert.drift.row_batch import RowBatch, joined
from robustcert.drift.rows import open_rows
from robustcert.errors import InputError
from robustcert.provenance.digests import sha256_file
from robustcert.specification import Contract, Data
from tests.data.examples import raw_table
from tests.drift.logs import FIRST, IMAGES, TABLE, image_columns, table_columns, write_log

N = 2000
KINDS = get_args(FaultKind)


def contract(data: Data) -> Contract:
    return data.contract or pytest.fail("no contract")


def pixels() -> np.ndarray[Any, Any]:
    return np.random.default_rng(3).integers(20, 200, (200, 1, 4, 4))


def log(folder: Path, data: Data) -> str:
    columns = table_columns(N) | {"state": ["ill", "well", None, "ill"] * (N // 4)}
    return write_log(folder / "log.parquet", columns if data is TABLE else image_columns(pixels()))


def read(uri: str, data: Data) -> RowBatch:
    with open_rows(uri, data=data) as source:
        return joined(list(source.batches()))


def planted(folder: Path, fault: Fault, *, data: Data = TABLE, seed: int = 1, name: str = "faulty") -> FaultyWindow:
    with open_rows(log(folder, data), data=data) as source:
        return inject(source, fault, folder / f"{name}.parquet", seed=seed)


def pair(folder: Path, fault: Fault, *, data: Data = TABLE) -> tuple[RowBatch, RowBatch]:
    found = planted(folder, fault, data=data)
    return read(log(folder, data), data), read(str(found.path), data)


def test_a_faulty_window_keeps_ids_times_segments_and_labels_and_drops_answers(tmp_path: Path) -> None:
    found = planted(tmp_path, Fault(kind="missing", columns=("dose",)))
    assert found.rows == N
    assert found.sha256 == sha256_file(found.path)
    before, after = read(log(tmp_path, TABLE), TABLE).answers, read(str(found.path), TABLE).answers
    assert after.ids.equals(before.ids)
    assert after.segments.equals(before.segments)
    assert (after.times == before.times).all()  # type: ignore[union-attr]
    assert before.labels is not None
    assert after.labels is not None
    assert np.array_equal(after.labels.index, before.labels.index)
    assert np.array_equal(after.labels.known, before.labels.known)
    assert (after.predictions, after.outcomes, after.margins, after.distances, after.models) == (None,) * 5


def test_missing_cells_are_as_many_as_asked_for_and_nowhere_else(tmp_path: Path) -> None:
    before, after = pair(tmp_path, Fault(kind="missing", severity=3, columns=("dose", "site")))
    lost = np.isnan(after.values)
    assert np.array_equal(lost.any(axis=0), [False, True, False, True])
    for column in (1, 3):
        assert binom.ppf(1e-4, N, 0.1) <= lost[:, column].sum() <= binom.ppf(1 - 1e-4, N, 0.1)
    assert np.array_equal(after.values[~lost], before.values[~lost])


def test_noise_keeps_to_range_and_kind_and_has_the_spread_asked_for(tmp_path: Path) -> None:
    before, after = pair(tmp_path, Fault(kind="noise", severity=1))
    assert (after.values >= [0, 0, 0, 0]).all()
    assert (after.values <= [120, 10, 1, 2]).all()
    for column in (0, 2, 3):
        assert (after.values[:, column] == np.rint(after.values[:, column])).all()
    inside = (before.values[:, 1] > 1) & (before.values[:, 1] < 9)
    noise = (after.values - before.values)[inside, 1]
    # 0.02 of a range of 10; the sample deviation of about 1,600 is within 4.5 standard errors.
    assert abs(noise.std() - 0.2) < 4.5 * 0.2 / np.sqrt(2 * len(noise))


def test_a_stuck_column_repeats_the_first_value_in_whole_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "MOST_ROWS_PER_BATCH", 77)
    before, after = pair(tmp_path, Fault(kind="stuck", severity=3, columns=("dose",)))
    blocks = after.values[:, 1].reshape(-1, STUCK_ROWS)
    stuck = (blocks == before.values[0, 1]).all(axis=1)
    assert binom.ppf(1e-4, 20, 0.5) <= stuck.sum() <= binom.ppf(1 - 1e-4, 20, 0.5)
    assert np.array_equal(blocks[~stuck], before.values[:, 1].reshape(-1, STUCK_ROWS)[~stuck])


def test_another_unit_divides_and_a_swap_swaps(tmp_path: Path) -> None:
    before, after = pair(tmp_path, Fault(kind="unit", severity=2, columns=("dose",)))
    assert np.allclose(after.values[:, 1], before.values[:, 1] / 10, rtol=1e-15)
    before, after = pair(tmp_path, Fault(kind="swapped", severity=5))
    assert np.array_equal(after.values[:, [1, 0]], before.values[:, [0, 1]])
    before, after = pair(tmp_path, Fault(kind="swapped", severity=1))
    swapped = (after.values[:, 0] == before.values[:, 1]).mean()
    assert 0.15 < swapped < 0.25


def test_images_get_brighter_darker_pixels_and_other_units(tmp_path: Path) -> None:
    before, after = pair(tmp_path, Fault(kind="brightness", severity=2), data=IMAGES)
    assert np.allclose(after.values, np.minimum(before.values + 25.5, 255))
    before, after = pair(tmp_path, Fault(kind="missing", severity=4), data=IMAGES)
    dead = after.values == 0
    assert 0.2 < dead.mean() < 0.3
    assert np.array_equal(after.values[~dead], before.values[~dead])
    before, after = pair(tmp_path, Fault(kind="unit", severity=4), data=IMAGES)
    assert np.allclose(after.values, before.values / 100, rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_depends_on_seed_and_row_numbers_only_and_grows_with_severity(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: FaultKind
) -> None:
    data = IMAGES if kind == "brightness" else TABLE
    one = planted(tmp_path, Fault(kind=kind), data=data, name="one")
    assert 0 < one.changed <= one.rows
    first = read(str(one.path), data).values
    monkeypatch.setattr(rows, "MOST_ROWS_PER_BATCH", 61)
    again = planted(tmp_path, Fault(kind=kind), data=data, name="again")
    assert np.array_equal(read(str(again.path), data).values, first, equal_nan=True)
    other = planted(tmp_path, Fault(kind=kind), data=data, seed=2, name="other")
    keyed = kind in ("missing", "noise", "stuck", "swapped")
    assert np.array_equal(read(str(other.path), data).values, first, equal_nan=True) != keyed
    monkeypatch.undo()
    clean, distortions = read(log(tmp_path, data), data).values, []
    for severity in range(1, 6):
        found = read(str(planted(tmp_path, Fault(kind=kind, severity=severity), data=data).path), data).values
        distortions.append(float(np.mean(np.abs(np.where(np.isnan(found), 100, found) - clean))))
    assert distortions == sorted(distortions)
    assert distortions[0] < distortions[-1]
    assert list(SEVERITIES[kind]) == sorted(SEVERITIES[kind])


REPLAYED: dict[FaultKind, tuple[int, str, str]] = {
    "missing": (3, "null", "quality"),
    "stuck": (1, "stuck", "quality"),
    "unit": (2, "scale", "another unit"),
    "swapped": (5, "range", "look swapped"),
}


@pytest.mark.parametrize("kind", REPLAYED)
def test_a_replayed_window_fails_the_check_of_its_fault_and_hints_at_it(tmp_path: Path, kind: FaultKind) -> None:
    severity, check, word = REPLAYED[kind]
    values = read(log(tmp_path, TABLE), TABLE).values
    reference = reference_columns(build_dataset(TABLE, raw_table(N, values=values), seed=0), contract(TABLE))
    columns = ("age", "dose") if kind == "swapped" else ("dose",)
    verdicts = []
    for uri in (
        log(tmp_path, TABLE), str(planted(tmp_path, Fault(kind=kind, severity=severity, columns=columns)).path),
    ):  # fmt: skip
        counter = QualityCounter(contract(TABLE))
        with open_rows(uri, data=TABLE) as source:
            for batch in source.batches():
                counter.add(batch)
            facts = QualityFacts(counts=counter.counted(), absent=source.absent, reference=reference, repeated=None,
                                 now=FIRST + timedelta(hours=1))  # fmt: skip
        found = judge_quality(facts, QualityLimits())
        hints = ranked_hints(HintFacts(columns=facts.counts.columns, reference=reference, quality=found))
        verdicts.append(([finding.check for finding in found if not finding.passed], [h.kind + h.text for h in hints]))
    clean, faulty = verdicts
    assert clean == ([], [])
    assert check in faulty[0]
    assert any(word in text for text in faulty[1])


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"kind": "noise", "severity": 6}, "severity 1 to 5"),
        ({"kind": "noise", "severity": 0}, "severity 1 to 5"),
        ({"kind": "fire"}, "severity 1 to 5"),
        ({"kind": "brightness"}, "columns for the fault 'brightness'"),
        ({"kind": "unit", "columns": ("site",)}, "got 'site'"),
        ({"kind": "noise", "columns": ("nothing",)}, "got 'nothing'"),
        ({"kind": "swapped", "columns": ("dose",)}, "two columns of numbers to swap"),
    ],
)
def test_a_fault_that_fits_nothing_is_refused_and_writes_nothing(
    tmp_path: Path, fault: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        planted(tmp_path, Fault(**fault))
    assert sorted(path.name for path in tmp_path.iterdir() if "faulty" in path.name) == []
    assert fits("brightness", contract(IMAGES))
    assert not fits("brightness", contract(TABLE))
    assert not fits("swapped", contract(IMAGES))
