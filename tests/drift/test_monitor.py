"""A certificate and a window: what is found on rows like the certified ones, on others, and where nothing can be."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from robustcert.certificate.certified import Certified, find_certificate, open_certified
from robustcert.drift.assembly import DriftReport, assemble
from robustcert.drift.monitor import Monitored, WindowRequest, monitor
from robustcert.drift.policy import DriftPolicy, parse_policy
from robustcert.drift.reference import read_reference
from robustcert.drift.rows import RowFilter
from robustcert.errors import DataError
from robustcert.provenance.digests import sha256_file
from robustcert.storage.store import Store
from tests.certificate.stored import copied_store
from tests.chain import Chain
from tests.drift.windows import FIRST, NOW, noisy, training_rows, write_labels, write_window

POLICY = parse_policy("samples: {tests: 250, permutations: 699}")  # the rest as by default, at a fifth of the time


@pytest.fixture(scope="module")
def store(chain: Chain, tmp_path_factory: pytest.TempPathFactory) -> Store:
    return copied_store(chain, tmp_path_factory.mktemp("monitor"))


@pytest.fixture(scope="module")
def certified(store: Store, chain: Chain) -> Certified:
    return open_certified(store, find_certificate(store, sha256_file(chain.files.certificate)), trusted=chain.key)


def monitored(
    store: Store, certified: Certified, window: Path, *, policy: DriftPolicy = POLICY, now: datetime = NOW, **asked: Any
) -> Monitored:
    request = WindowRequest(window=str(window), **asked)
    return monitor(store, certified, request, policy=policy, now=now, progress=lambda done, total, text: None)


def reported(certified: Certified, found: Monitored, policy: DriftPolicy = POLICY) -> DriftReport:
    return assemble(certified, found, policy=policy, now=NOW, evidence=False)


def test_rows_like_the_certified_ones_are_clean(
    store: Store, certified: Certified, chain: Chain, tmp_path: Path
) -> None:
    x, y = training_rows(chain)
    window = write_window(tmp_path / "window.parquet", x, prediction=pa.array(y, pa.int32()))
    record = reported(certified, monitored(store, certified, window)).record
    assert (record.verdict, record.features_tested, record.features_drifted) == ("clean", 66, 0), record.summary
    assert (record.window.rows, record.window.sha256) == (len(x), sha256_file(window))
    assert (record.window.first_at, record.window.last_at) == ("2026-11-21T13:00:00Z", "2026-11-21T13:09:59Z")
    assert (record.reference.split, record.reference.rows) == ("test", 447)
    reference = read_reference(store.read_bytes(record.reference.drift_reference_sha256 or ""))
    assert reference.certificate_sha256 == certified.sha256
    assert record.realised is None, "labels in place of answers are no labels"


def test_noise_is_found_by_every_signal_of_the_inputs_and_ranked(
    store: Store, certified: Certified, chain: Chain, tmp_path: Path
) -> None:
    x, _ = training_rows(chain)
    record = reported(certified, monitored(store, certified, write_window(tmp_path / "w.parquet", noisy(x)))).record
    assert record.verdict == "gross", record.summary
    drifted = {part.signal for part in record.signals if part.drifted}
    assert {"features", "embedding", "distance"} <= drifted
    assert record.distance is not None
    assert float(record.distance.auroc) > 0.95
    assert record.features_drifted > 20
    assert record.hints
    assert record.estimate is not None
    assert not record.estimate.valid


def test_concept_drift_is_invisible_without_labels_and_found_with_them(
    store: Store, certified: Certified, chain: Chain, tmp_path: Path
) -> None:
    x, y = training_rows(chain)
    window = write_window(tmp_path / "window.parquet", x, prediction=pa.array(y, pa.int32()))
    assert reported(certified, monitored(store, certified, window)).record.verdict == "clean"
    labels = write_labels(tmp_path / "labels.parquet", (y + 1) % 10, every=2)
    record = reported(certified, monitored(store, certified, window, labels=str(labels))).record
    assert record.verdict == "gross", record.summary
    assert record.realised is not None
    assert (record.realised.correct, record.realised.of) == (0, 300)
    assert record.realised.coverage == "0.500000"
    assert record.realised.median_delay_seconds == pytest.approx(60, rel=0.01)
    assert record.window.labelled == 300
    right = write_labels(tmp_path / "right.parquet", y, every=2)
    assert reported(certified, monitored(store, certified, window, labels=str(right))).record.verdict == "clean"


def test_labels_of_other_rows_are_a_coverage_of_nothing(
    store: Store, certified: Certified, chain: Chain, tmp_path: Path
) -> None:
    x, y = training_rows(chain)
    window = write_window(tmp_path / "window.parquet", x, prediction=pa.array(y, pa.int32()))
    strange = pa.table(
        {"id": [f"other-{number}" for number in range(300)], "label": [str(int(one)) for one in y[:300]]}
    )
    parquet.write_table(strange, tmp_path / "labels.parquet")
    record = reported(certified, monitored(store, certified, window, labels=str(tmp_path / "labels.parquet"))).record
    assert record.realised is not None
    assert (record.realised.correct, record.realised.of, record.realised.coverage) == (0, 0, "0.000000")
    assert (record.realised.lower, record.realised.upper) == ("0.000000", "1.000000")
    assert record.verdict == "clean"


def test_labels_in_a_window_without_answers_are_held_against_what_the_certified_model_says(
    store: Store, certified: Certified, chain: Chain, tmp_path: Path
) -> None:
    x, y = training_rows(chain)
    np.savez(tmp_path / "window.npz", x=x.reshape(-1, 1, 8, 8), y=y)
    record = reported(certified, monitored(store, certified, tmp_path / "window.npz")).record
    assert record.realised is not None
    assert record.realised.of == len(y)
    assert record.realised.correct > 0.9 * len(y)
    assert {part.signal for part in record.signals} == {"features", "embedding", "outputs", "labels", "distance"}


def test_answers_that_the_certified_model_does_not_give_are_skew(
    store: Store, certified: Certified, chain: Chain, tmp_path: Path
) -> None:
    x, y = training_rows(chain)
    window = write_window(tmp_path / "w.parquet", x, prediction=pa.array((y + 1) % 10, pa.int32()))
    record = reported(certified, monitored(store, certified, window)).record
    skew = next(part for part in record.quality if part.check == "skew")
    assert not skew.passed
    assert float(skew.observed) > 0.9


def test_too_few_rows_are_judged_by_nobody_and_say_so(
    store: Store, certified: Certified, chain: Chain, tmp_path: Path
) -> None:
    x, _ = training_rows(chain)
    for rows, summary in ((99, "99 complete rows"), (0, "0 complete rows")):
        record = reported(
            certified, monitored(store, certified, write_window(tmp_path / "w.parquet", noisy(x)[:rows]))
        ).record
        assert record.verdict == "undecided"
        assert record.summary.startswith(summary)
        assert record.signals == ()


def test_only_the_rows_of_the_asked_time_are_looked_at(
    store: Store, certified: Certified, chain: Chain, tmp_path: Path
) -> None:
    x, _ = training_rows(chain)
    both = write_window(tmp_path / "w.parquet", np.concatenate([x[:300], noisy(x)[300:]]))
    early = monitored(store, certified, both, kept=RowFilter(until=FIRST + timedelta(seconds=300)))
    late = monitored(store, certified, both, kept=RowFilter(since=FIRST + timedelta(seconds=300)))
    assert [reported(certified, found).record.verdict for found in (early, late)] == ["clean", "gross"]
    assert early.window.quality.rows == late.window.quality.rows == 300


def test_an_earlier_window_can_stand_in_for_the_certified_data(
    store: Store, certified: Certified, chain: Chain, tmp_path: Path
) -> None:
    x, _ = training_rows(chain)
    before = write_window(tmp_path / "before.parquet", noisy(x)[:300])
    now = write_window(tmp_path / "now.parquet", noisy(x)[300:])
    record = reported(certified, monitored(store, certified, now, reference_window=str(before))).record
    assert record.verdict == "clean", record.summary
    assert (record.reference.split, record.reference.rows) == ("window", 300)
    assert record.reference.dataset_sha256 == sha256_file(before)
    assert reported(certified, monitored(store, certified, now)).record.verdict == "gross"


def test_rows_that_another_model_answered_do_not_count_and_are_the_first_hint(
    store: Store, certified: Certified, chain: Chain, tmp_path: Path
) -> None:
    x, _ = training_rows(chain)
    models = [certified.predicate.model.sha256] * 300 + ["ef" * 32] * 300
    window = write_window(tmp_path / "w.parquet", np.concatenate([x[:300], noisy(x)[300:]]), model_sha256=models)
    record = reported(certified, monitored(store, certified, window)).record
    assert (record.verdict, record.window.rows) == ("clean", 300)
    assert set(record.window.served_versions) == {certified.predicate.model.sha256[:12], "ef" * 6}
    assert "answered by model efefefefefef" in record.hints[0]


def test_a_window_that_is_not_there_is_wrong_input(store: Store, certified: Certified, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"expected rows at 'none.parquet'"):
        monitored(store, certified, tmp_path / "none.parquet")


def test_equal_windows_give_equal_records(store: Store, certified: Certified, chain: Chain, tmp_path: Path) -> None:
    window = write_window(tmp_path / "w.parquet", training_rows(chain)[0])
    first, second = (reported(certified, monitored(store, certified, window)) for _ in range(2))
    assert first == second
