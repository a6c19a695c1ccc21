"""Oracle: the rows and logits that the test made up, counted by hand."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from robustcert.drift.reference import DriftReference
from robustcert.drift.stream.counters import PredictionCounters
from robustcert.drift.stream.observe import (
    Answer,
    Observer,
    answer_of_votes,
    answers_of_logits,
    observe,
    row_ids,
    usable_id,
)
from robustcert.drift.stream.payload_log import PayloadLog, PayloadLogSettings
from robustcert.smoothing.predict import Prediction

ROOT = Path(__file__).parents[3]
HEAVY = {"torch", "pandas", "scipy", "scipy.stats", "prometheus_client", "pyarrow", "sklearn", "evidently", "kfp"}
MODULES = (
    "bins",
    "counters",
    "exposition",
    "inputs",
    "labels",
    "middleware",
    "observe",
    "open_inference",
    "payload_log",
)


def test_importing_the_stream_loads_nothing_heavy() -> None:
    names = ", ".join(f"robustcert.drift.stream.{name}" for name in MODULES)
    program = f"import json, sys, {names}\nprint(json.dumps(sorted(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, cwd=ROOT)
    loaded = set(json.loads(run.stdout))
    assert "robustcert.drift.stream.middleware" in loaded
    assert loaded & HEAVY == set()


def test_logits_become_class_and_margin() -> None:
    found = answers_of_logits(np.array([[1.0, 4.0, 2.5], [9.0, 0.0, 0.0]], dtype=np.float32))
    assert found == [
        Answer(outcome="predicted", label=1, margin=1.5),
        Answer(outcome="predicted", label=0, margin=9.0),
    ]


def test_a_logit_that_is_not_finite_is_a_failure() -> None:
    found = answers_of_logits([[1.0, np.nan, 0.0], [0.0, 1.0, 3.0], [np.inf, 0.0, 0.0]])
    assert [answer.outcome for answer in found] == ["failed", "predicted", "failed"]


def test_few_rows_and_many_are_answered_alike() -> None:
    """Few are computed by lists, many by arrays; one row of infinity and one of NaN among them."""
    logits_BK = np.random.Generator(np.random.Philox(4)).normal(size=(300, 10))
    logits_BK[7, 2], logits_BK[9, 9] = np.nan, -np.inf
    together = answers_of_logits(logits_BK)
    assert together == [answers_of_logits(row[None])[0] for row in logits_BK]
    assert [number for number, answer in enumerate(together) if answer.outcome == "failed"] == [7, 9]


def test_rows_are_counted_logged_and_invalid_ones_never_binned(image_reference: DriftReference, tmp_path: Path) -> None:
    log = PayloadLog(tmp_path, reference=image_reference)
    observer = Observer(image_reference, log=log)
    raw_BR = np.array([[4.0, 4, 2, 0], [9, 0, 0, 0], [8, 8, 8, 8]])
    logits_BK = [[3.0, 0, 0], [3.0, 0, 0], [0, 0.25, 0]]
    observe(observer, raw_BR, answers_of_logits(logits_BK), event_id="e", segment="ward 1")
    log.close()
    counts = observer.counters.counts()
    assert counts.outcomes == {"predicted": 2, "abstained": 0, "invalid": 1, "failed": 0}
    assert (counts.margin, counts.distance) == ((1, 0, 0, 1), (1, 0, 1))
    assert counts.segments == {("ward 1", "predicted"): 2, ("ward 1", "invalid"): 1}
    rows = [row for path in tmp_path.iterdir() for row in pq.read_table(path).to_pylist()]
    assert [row["id"] for row in rows] == ["e/0", "e/1", "e/2"]
    assert [row["outcome"] for row in rows] == ["predicted", "invalid", "predicted"]
    assert [row["prediction"] for row in rows] == [0, None, 1]
    assert [row["margin"] for row in rows] == [3.0, None, 0.25]
    assert rows[0]["distance"] == 0.0
    assert rows[1]["distance"] is None
    assert rows[1]["x"] == [9, 0, 0, 0]


def test_a_request_that_is_not_sampled_is_counted_but_not_logged(
    image_reference: DriftReference, tmp_path: Path
) -> None:
    log = PayloadLog(tmp_path, reference=image_reference, settings=PayloadLogSettings(sample_ratio=0.0))
    observer = Observer(image_reference, log=log)
    observe(observer, np.zeros((1, 4)), answers_of_logits([[1.0, 0, 0]]))
    log.close()
    assert observer.counters.counts().outcomes["predicted"] == 1
    assert log.figures().received == 0


def test_the_margin_is_of_the_kind_that_the_counters_bin(image_reference: DriftReference) -> None:
    answer = answer_of_votes(Prediction(label=1, p_value=0.0, share=0.9, radius=None), margin=0.1)
    abstained = answer_of_votes(Prediction(label=None, p_value=0.5, share=0.4, radius=None), margin=0.1)
    for margin, bins in (("logits", (2, 0, 0, 0)), ("votes", (1, 1))):
        observer = Observer(image_reference, counters=PredictionCounters(image_reference, margin=margin))
        observe(observer, np.zeros((2, 4)), [answer, abstained])
        assert observer.counters.counts().margin == bins
        assert observer.counters.counts().outcomes["abstained"] == 1


def test_plain_answers_fall_into_no_bin_of_votes(image_reference: DriftReference) -> None:
    observer = Observer(image_reference, counters=PredictionCounters(image_reference, margin="votes"))
    observe(observer, np.zeros((1, 4)), answers_of_logits([[1.0, 0, 0]]))
    assert observer.counters.counts().margin == (0, 0)


def test_a_segment_of_odd_characters_is_other_in_counters_and_log(
    image_reference: DriftReference, tmp_path: Path
) -> None:
    log = PayloadLog(tmp_path, reference=image_reference)
    observer = Observer(image_reference, log=log)
    observe(observer, np.zeros((1, 4)), answers_of_logits([[1.0, 0, 0]]), segment='x"\n')
    log.close()
    assert observer.counters.counts().segments == {("other", "predicted"): 1}
    assert [pq.read_table(path)["segment"].to_pylist() for path in tmp_path.iterdir()] == [["other"]]


@pytest.mark.parametrize("given", ["", "a\nb", "\u00e9", "x" * 201, "tab\t"])
def test_an_id_that_cannot_be_a_header_is_replaced(given: str) -> None:
    assert usable_id(given) != given
    assert len(usable_id(given)) == 32


def test_an_id_that_can_is_kept() -> None:
    assert usable_id("A7-x/y z") == "A7-x/y z"
    assert row_ids("a", 1) == ["a"]
