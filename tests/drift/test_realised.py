"""Realised accuracy is counted exactly; its test keeps its false alarm rate. Dictionaries and scipy are the oracles."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import binom, binomtest, chi2_contingency

from robustcert.drift.label_rows import open_labels
from robustcert.drift.realised import (
    Realised,
    concept_drift,
    realised_by_id,
    realised_in_window,
    realised_of,
    selection_p_value,
)
from robustcert.drift.rows import open_rows
from robustcert.errors import DataError
from tests.drift.logs import FIRST, TABLE, table_columns, write_log

N = 1000
CLASSES = ("ill", "well")


def late_labels(columns: dict[str, Any], *, every: int, wrong: int, delay: int = 3600) -> dict[str, Any]:
    """Labels of each `every`th row, of which each `wrong`th differs from the prediction, `delay` seconds later."""
    rows = range(0, N, every)
    answers = columns["prediction"].to_pylist()
    labels = [answers[row] ^ (number % wrong == 0) for number, row in enumerate(rows)]
    times = [FIRST + timedelta(seconds=row + delay) for row in rows]
    return {
        "id": [columns["id"][row] for row in rows],
        "label": [CLASSES[label] for label in labels],
        "time": pa.array(times, pa.timestamp("us", "UTC")),
    }


def joined(tmp_path: Path, columns: dict[str, Any], labels: dict[str, Any]) -> Realised:
    window, late = write_log(tmp_path / "w.parquet", columns), write_log(tmp_path / "labels.parquet", labels)
    with open_rows(window, data=TABLE) as source, open_labels(late, data=TABLE) as label_source:
        return realised_by_id(source, label_source)


def test_labels_that_come_later_are_joined_by_id(tmp_path: Path) -> None:
    columns = table_columns(N)
    found = joined(tmp_path, columns, late_labels(columns, every=4, wrong=10))
    assert (found.correct, found.of, found.answered) == (225, 250, N)
    assert found.coverage == 0.25
    exact = binomtest(225, 250).proportion_ci(method="exact")
    assert found.rate is not None
    assert float(found.rate.lower) == pytest.approx(exact.low, abs=2e-6)
    assert float(found.rate.upper) == pytest.approx(exact.high, abs=2e-6)
    assert found.median_delay_seconds == pytest.approx(3600, rel=0.01)
    assert found.segments.names[1:] == ("web", "app")
    assert found.segments.rows.tolist() == [0, 500, 500]
    assert found.segments.of.tolist() == [0, 250, 0], "each fourth row is of the same segment"
    assert (found.repeated, found.contradicted, found.unmatched) == (0, 0, 0)


def test_order_repetitions_and_labels_of_others_change_nothing(tmp_path: Path) -> None:
    columns = table_columns(N)
    labels = late_labels(columns, every=4, wrong=10)
    order = np.random.default_rng(2).permutation(250).tolist()
    shuffled: dict[str, Any] = {name: [list(values)[place] for place in order] for name, values in labels.items()}
    extra = {"id": ["nobody", *shuffled["id"][:20]], "label": ["ill", *shuffled["label"][:20]],
             "time": [None, *shuffled["time"][:20]]}  # fmt: skip
    both: dict[str, Any] = {name: [*shuffled[name], *extra[name]] for name in shuffled}
    both["time"] = pa.array(plain(both["time"]), pa.timestamp("us", "UTC"))
    found = joined(tmp_path, columns, both)
    assert (found.correct, found.of, found.unmatched) == (225, 250, 1)


def plain(times: list[Any]) -> list[Any]:
    return [None if time is None else time.as_py() for time in times]


def test_abstentions_and_labels_outside_the_classes_are_not_counted(tmp_path: Path) -> None:
    columns = table_columns(N)
    columns["outcome"] = ["abstained" if number % 8 == 0 else "predicted" for number in range(N)]
    labels = late_labels(columns, every=4, wrong=10)
    labels["label"][1] = "dead"
    found = joined(tmp_path, columns, labels)
    assert found.answered == 875
    assert found.of == 250 - 125 - 1


def test_a_window_that_holds_its_labels_needs_no_join(tmp_path: Path) -> None:
    columns = table_columns(N)
    answers = columns["prediction"].to_pylist()
    labels = [None if row % 2 else CLASSES[answer ^ (row % 10 == 0)] for row, answer in enumerate(answers)]
    with open_rows(write_log(tmp_path / "w.parquet", columns | {"state": labels}), data=TABLE) as source:
        found = realised_in_window(source)
    assert (found.correct, found.of, found.answered, found.median_delay_seconds) == (400, 500, N, None)
    arrays = realised_of(
        np.array(answers),
        np.array([CLASSES.index(label) if label else 0 for label in labels]),
        labelled=np.array([label is not None for label in labels]),
        n_classes=2,
    )
    assert (arrays.correct, arrays.of, arrays.by_class.tolist()) == (400, 500, found.by_class.tolist())


def test_a_labelled_row_that_was_not_answered_counts_neither_as_right_nor_as_wrong(tmp_path: Path) -> None:
    columns = table_columns(N)
    columns["outcome"] = ["abstained" if row < 300 else "predicted" for row in range(N)]
    labels = [CLASSES[answer] for answer in columns["prediction"].to_pylist()]
    with open_rows(write_log(tmp_path / "w.parquet", columns | {"state": labels}), data=TABLE) as source:
        found = realised_in_window(source)
    assert (found.correct, found.of, found.answered, found.coverage) == (700, 700, 700, 1.0)


def test_a_log_without_ids_or_answers_is_refused(tmp_path: Path) -> None:
    columns = table_columns(10)
    late = write_log(tmp_path / "labels.parquet", {"id": ["a"], "label": ["ill"]})
    window = write_log(tmp_path / "w.parquet", {name: columns[name] for name in ("age", "dose", "smoker", "site")})
    with open_rows(window, data=TABLE) as source, open_labels(late, data=TABLE) as labels:
        with pytest.raises(DataError, match=r"ids and predictions in 'w.parquet'"):
            realised_by_id(source, labels)
        with pytest.raises(DataError, match="predictions and labels"):
            realised_in_window(source)


def test_no_label_at_all_is_no_accuracy(tmp_path: Path) -> None:
    found = joined(tmp_path, table_columns(N), {"id": ["nobody"], "label": ["ill"]})
    assert (found.of, found.rate, found.coverage, found.median_delay_seconds) == (0, None, 0.0, None)
    judged = concept_drift(found, certified_lower=0.9, alpha=0.01, minimum_coverage=0.05, minimum_labels=1)
    assert (judged.drifted, judged.p_value) == (False, None)


def counts(correct: int, of: int, answered: int) -> Realised:
    labelled = np.arange(answered) < of
    return realised_of(np.zeros(answered, dtype=np.int64), (np.arange(answered) >= correct).astype(np.int64),
                       labelled=labelled, n_classes=2)  # fmt: skip


def judged(found: Realised, *, coverage: float = 0.05, labels: int = 100) -> Any:
    return concept_drift(found, certified_lower=0.95, alpha=0.01, minimum_coverage=coverage, minimum_labels=labels)


def test_the_test_for_concept_drift_is_the_exact_binomial_one() -> None:
    for correct in (170, 180, 190, 200):
        found = judged(counts(correct, 200, 400))
        assert found.p_value == pytest.approx(binomtest(correct, 200, 0.95, alternative="less").pvalue, rel=1e-9)
        assert found.drifted == (found.p_value <= 0.01)
    assert judged(counts(170, 200, 400)).drifted


def test_nothing_is_judged_below_coverage_or_a_number_of_labels() -> None:
    assert judged(counts(0, 200, 400), coverage=0.6).p_value is None
    assert judged(counts(0, 99, 100)).p_value is None
    assert judged(counts(0, 100, 100)).drifted


def test_false_alarms_are_at_most_alpha_and_a_lost_tenth_is_found_in_one_window_of_300() -> None:
    """2,000 windows at the certified accuracy's lower end: at most 37 alarms at alpha 0.01 (binomial, 1e-4)."""
    rng = np.random.default_rng(11)
    clean = rng.binomial(300, 0.95, 2000)
    assert sum(judged(counts(int(right), 300, 300)).drifted for right in clean) <= binom.ppf(1 - 1e-4, 2000, 0.01)
    lost = rng.binomial(300, 0.85, 200)
    assert sum(judged(counts(int(right), 300, 300)).drifted for right in lost) >= 0.95 * 200


def test_labels_that_come_for_some_answers_only_are_told(tmp_path: Path) -> None:
    columns = table_columns(N)
    answers = np.array(columns["prediction"].to_pylist())
    labels = late_labels(columns, every=1, wrong=10)
    kept = np.flatnonzero((answers == 0) | (np.arange(N) % 5 == 0))
    chosen: dict[str, Any] = {name: pa.array(values).take(pa.array(kept)) for name, values in labels.items()}
    found = joined(tmp_path, columns, chosen)
    assert "came selectively" in found.caveat
    labelled, of = found.by_class[:, 0], found.by_class[:, 1]
    assert of.tolist() == [int(np.sum(answers == 0)), int(np.sum(answers == 1))]
    table = np.column_stack([labelled, of - labelled])
    assert selection_p_value(np.column_stack([labelled, of])) == pytest.approx(1.0 if (labelled == of).all() else
        chi2_contingency(table, correction=False).pvalue, rel=1e-9)  # fmt: skip
    fair = joined_again(tmp_path, columns)
    assert fair.caveat == "it speaks of the rows whose labels came"
    assert selection_p_value(np.array([[40, 100], [50, 110], [3, 9]])) == pytest.approx(
        chi2_contingency(np.array([[40, 60], [50, 60]]), correction=False).pvalue
    ), "a class with less than 5 expected labels is left out"


def joined_again(tmp_path: Path, columns: dict[str, Any]) -> Realised:
    (tmp_path / "again").mkdir()
    return joined(tmp_path / "again", columns, late_labels(columns, every=4, wrong=10))
