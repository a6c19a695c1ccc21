"""Accuracy on labels, from each place where they may stand; what is wrong with them is not guessed away."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from scipy.stats import binomtest

from robustcert.certificate.results import rate_part
from robustcert.drift.accuracy import Accuracy, window_accuracy
from robustcert.drift.policy import DriftPolicy, parse_policy
from robustcert.drift.rows import open_rows
from robustcert.evaluation.statistics import rate
from robustcert.specification import Data
from tests.drift.windows import write_labels, write_window

DIGITS = Data(source="builtin:digits")
N = 400
LABELS = np.arange(N) % 10
NONE = np.zeros(10, dtype=np.int64)
POLICY = DriftPolicy()


def judged(
    window: Path, labels: str = "", *, in_window: NDArray[np.int64] = NONE, policy: DriftPolicy = POLICY
) -> Accuracy | None:
    with open_rows(str(window), data=DIGITS) as source:
        return window_accuracy(
            source,
            labels,
            data=DIGITS,
            in_window=in_window,
            sampled=None,
            clean=rate_part(rate(440, 449)),
            policy=policy,
        )


def window(path: Path, *, wrong: int, **columns: Any) -> Path:
    answers = LABELS.copy()
    answers[:wrong] = (answers[:wrong] + 1) % 10
    return write_window(path, np.zeros((N, 64)), prediction=pa.array(answers, pa.int32()), **columns)


def test_labels_of_their_own_file_are_joined_by_id(tmp_path: Path) -> None:
    found = judged(window(tmp_path / "w.parquet", wrong=100), str(write_labels(tmp_path / "l.parquet", LABELS)))
    assert found is not None
    assert (found.realised.correct, found.realised.of) == (300, 400)
    interval = binomtest(300, 400).proportion_ci(0.95, method="exact")
    assert found.realised.rate is not None
    assert float(found.realised.rate.lower) == pytest.approx(interval.low, abs=1e-6)
    assert found.concept.drifted
    assert found.labels is not None
    assert found.labels.tolist() == [40] * 10


def test_labels_in_the_window_are_held_against_its_answers(tmp_path: Path) -> None:
    path = window(tmp_path / "w.parquet", wrong=4, label=[str(label) for label in LABELS])
    found = judged(path, in_window=np.full(10, 40))
    assert found is not None
    assert (found.realised.correct, found.concept.drifted) == (396, False)


def test_segments_are_judged_where_there_are_several(tmp_path: Path) -> None:
    one = judged(window(tmp_path / "w.parquet", wrong=0), str(write_labels(tmp_path / "l.parquet", LABELS)))
    segments = ["east"] * 100 + ["west"] * 300
    path = window(tmp_path / "s.parquet", wrong=60, segment=segments)
    several = judged(path, str(write_labels(tmp_path / "l.parquet", LABELS)))
    assert one is not None
    assert several is not None
    assert one.segments == ()
    assert {(part.segment, part.correct, part.of, part.drifted) for part in several.segments} == {
        ("east", 40, 100, True),
        ("west", 300, 300, False),
    }


def test_the_policy_says_how_much_may_be_lost_and_how_many_labels_are_enough(tmp_path: Path) -> None:
    path, labels = window(tmp_path / "w.parquet", wrong=100), str(write_labels(tmp_path / "l.parquet", LABELS))
    for text in ("accuracy: {toleratedLoss: 0.5}", "accuracy: {minimumLabels: 401}"):
        found = judged(path, labels, policy=parse_policy(text))
        assert found is not None
        assert not found.concept.drifted
    few = judged(path, str(write_labels(tmp_path / "f.parquet", LABELS, every=3)))
    strict = parse_policy("accuracy: {minimumCoverage: 0.5}")
    covered = judged(path, str(write_labels(tmp_path / "f.parquet", LABELS, every=3)), policy=strict)
    assert few is not None
    assert covered is not None
    assert (few.concept.drifted, covered.concept.drifted) == (True, False)


def test_frequencies_of_labels_that_are_mostly_of_other_rows_are_not_compared(tmp_path: Path) -> None:
    many = write_labels(tmp_path / "l.parquet", np.arange(1000) % 10)
    found = judged(window(tmp_path / "w.parquet", wrong=0), str(many))
    assert found is not None
    assert (found.labels, found.realised.of) == (None, 400)


def test_without_labels_nothing_is_said(tmp_path: Path) -> None:
    assert judged(window(tmp_path / "w.parquet", wrong=0)) is None
