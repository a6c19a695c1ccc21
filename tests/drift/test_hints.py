"""A planted cause comes out as the first hint, with its effect; a clean window gives none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robustcert.data.build import build_dataset
from robustcert.drift.hints import Hint, HintFacts, ranked_hints
from robustcert.drift.quality import QualityFinding, ReferenceColumns, reference_columns
from robustcert.drift.quality_counts import QualityCounter
from robustcert.drift.rows import open_rows
from robustcert.drift.segments import Segment
from robustcert.drift.slices import SliceCounter
from robustcert.drift.thresholds import DriftTest
from robustcert.specification import Contract, Data
from tests.data.examples import raw_images, raw_table
from tests.drift.logs import IMAGES, MODEL_SHA256, TABLE, image_columns, table_columns, write_log

N = 400
KNOWN = table_columns(2000, seed=9)
Array = np.ndarray[Any, np.dtype[np.float64]]


def contract(data: Data) -> Contract:
    return data.contract or pytest.fail("no contract")


def reference(data: Data) -> ReferenceColumns:
    """Of rows drawn as the windows are."""
    if data is IMAGES:
        return reference_columns(build_dataset(data, raw_images(300), seed=0), contract(data))
    values = np.column_stack([KNOWN["age"], KNOWN["dose"], KNOWN["smoker"], np.arange(2000) % 3]).astype(float)
    return reference_columns(build_dataset(data, raw_table(2000, values=values), seed=0), contract(data))


def facts(path: Path, columns: dict[str, Any], data: Data = TABLE, **known: Any) -> HintFacts:
    counter, slices = QualityCounter(contract(data)), SliceCounter(reference(data))
    with open_rows(write_log(path, columns), data=data) as source:
        for batch in source.batches():
            counter.add(batch)
            slices.add(batch)
    found = HintFacts(
        columns=counter.counted().columns,
        reference=reference(data),
        slices=tuple(slices.shifts()),
        models=slices.counts("model"),
        certified_model=MODEL_SHA256,
        data_versions=slices.counts("data version"),
    )
    return replace(found, **known)


def first(path: Path, columns: dict[str, Any], **known: Any) -> Hint:
    return ranked_hints(facts(path, columns, **known))[0]


def dose() -> Array:
    return np.array(table_columns(N)["dose"])


def test_a_clean_window_gives_no_hint(tmp_path: Path) -> None:
    assert ranked_hints(facts(tmp_path / "w.parquet", table_columns(N))) == ()
    images = facts(tmp_path / "i.parquet", image_columns(raw_images(200, seed=8).values), IMAGES)
    assert ranked_hints(images) == ()
    assert ranked_hints(HintFacts()) == ()


def test_rows_of_another_model_are_the_first_hint(tmp_path: Path) -> None:
    other = "c0ffee" + "0" * 58
    columns = table_columns(N) | {"model_sha256": [other if row < 300 else MODEL_SHA256 for row in range(N)]}
    hint = first(tmp_path / "w.parquet", columns)
    assert (hint.kind, hint.subject, hint.effect) == ("model", "c0ffee000000", 0.75)
    assert hint.text == "300 of 400 rows were answered by model c0ffee000000, not by the certified one"


@pytest.mark.parametrize(("factor", "unit"), [(0.1, "10"), (1000.0, "1000"), (1 / 2.54, "2.54")])
def test_another_unit_is_recognised_by_its_factor(tmp_path: Path, factor: float, unit: str) -> None:
    hint = first(tmp_path / "w.parquet", table_columns(N) | {"dose": dose() * factor})
    assert (hint.kind, hint.subject) == ("feature", "dose")
    assert f"a factor of {unit}, as between" in hint.text


def test_a_shift_is_no_unit(tmp_path: Path) -> None:
    found = ranked_hints(facts(tmp_path / "w.parquet", table_columns(N) | {"dose": dose() / 10 + 4.5}))
    assert "unit" not in " ".join(hint.text for hint in found)


def test_images_divided_before_they_are_sent_are_recognised(tmp_path: Path) -> None:
    found = facts(tmp_path / "w.parquet", image_columns(raw_images(200, seed=8).values / 255), IMAGES)
    hint = ranked_hints(found)[0]
    assert (hint.subject, "a factor of 255" in hint.text) == ("the pixels", True)


def test_swapped_columns_are_named_together(tmp_path: Path) -> None:
    columns = table_columns(N)
    hints = ranked_hints(facts(tmp_path / "w.parquet", columns | {"dose": columns["age"], "age": columns["dose"]}))
    assert [hint.subject for hint in hints[:2]] == ["age", "dose"]
    assert "'age' and 'dose' look swapped" in hints[0].text


def test_columns_that_merely_moved_are_not_called_swapped(tmp_path: Path) -> None:
    columns = table_columns(N)
    found = ranked_hints(facts(tmp_path / "w.parquet", columns | {"dose": dose() + 40, "age": columns["age"] / 3}))
    assert "swapped" not in " ".join(hint.text for hint in found)


def test_the_slice_in_which_a_column_moved_is_named(tmp_path: Path) -> None:
    moved = np.where(np.arange(N) % 2 == 0, dose() + 6, dose())
    hints = ranked_hints(facts(tmp_path / "w.parquet", table_columns(N) | {"dose": moved}))
    hint = next(hint for hint in hints if hint.kind == "slice")
    assert hint.subject == "segment web"
    assert hint.text.startswith("segment 'web' (200 of 400 rows): 'dose' lies +2.")
    assert not any(hint.subject == "segment app" for hint in hints)
    assert 0.6 < hint.effect < 0.75, "2.1 spreads more than elsewhere"


def test_a_data_version_that_came_with_the_shift_is_named(tmp_path: Path) -> None:
    columns = table_columns(N) | {"data_version": ["v1"] * 300 + ["v2"] * 100}
    columns["dose"] = np.where(np.arange(N) < 300, dose(), dose() + 6)
    hints = {hint.subject: hint for hint in ranked_hints(facts(tmp_path / "w.parquet", columns))}
    assert "'dose' lies +2." in hints["data version v2"].text
    assert hints["versions"].text == "2 data versions: v1 (300 rows), v2 (100 rows)"
    assert hints["versions"].effect == 0.25
    assert hints["data version v2"].effect > hints["versions"].effect


def drifted(column: str, effect: float, *, found: bool = True) -> DriftTest:
    return DriftTest(signal="features", column=column, method="ks", score=effect, threshold=0.1, p_value=1e-9,
                     adjusted_p=1e-8, effect=effect, effect_name="KS distance", n=N, m=N, drifted=found,
                     note="")  # fmt: skip


def test_drifted_columns_are_ranked_by_their_largest_effect(tmp_path: Path) -> None:
    tests = (drifted("age", 0.2), drifted("dose", 0.4), drifted("dose", 0.3), drifted("site", 0.9, found=False))
    hints = ranked_hints(facts(tmp_path / "w.parquet", table_columns(N), tests=tests))
    assert [(hint.subject, round(hint.effect, 3)) for hint in hints] == [("dose", 0.286), ("age", 0.167)]
    mean = np.mean(dose())
    assert hints[0].text.startswith("'dose' drifted: KS distance 0.4, mean ")
    assert hints[0].text.endswith(f"in the reference, {mean:.4g} here")


def test_failed_checks_and_inaccurate_segments_are_hints() -> None:
    finding = QualityFinding(check="null", passed=False, observed=0.04, limit=0.01, detail="16 of 400 empty cells")
    segment = Segment(segment="web", rows=200, correct=100, of=200, drifted=True)
    fine = (replace(finding, passed=True), replace(segment, drifted=False))
    hints = ranked_hints(HintFacts(quality=(finding, fine[0]), segments=(segment, fine[1])))
    assert [(hint.kind, hint.effect) for hint in hints] == [("quality", 0.75), ("accuracy", 0.5)]
    assert hints[0].text == "null: 16 of 400 empty cells"
    assert hints[1].text == "segment 'web' is less accurate than certified: 100 of 200 right"


def test_at_most_so_many_hints_as_asked_for_and_a_specific_one_before_a_general_one(tmp_path: Path) -> None:
    known = facts(tmp_path / "w.parquet", table_columns(N) | {"dose": dose() * 10}, tests=(drifted("dose", 0.9),))
    hints = ranked_hints(known)
    assert [hint.subject for hint in hints if hint.kind == "feature"] == ["dose"], "once, by its unit"
    assert "unit" in hints[0].text
    assert len(ranked_hints(known, most=1)) == 1
