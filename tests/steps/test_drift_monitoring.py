"""The drift step: pages and signed record lie in the store, and what is wrong is one line of the log."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from robustcert.certificate.keys import load_signing_key, new_key, write_key_pair
from robustcert.drift.faults import Fault
from robustcert.drift.policy import DriftPolicy
from robustcert.drift.record import newest_record, parse_record
from robustcert.errors import InputError, KeyFileError, StepError, VerificationError
from robustcert.provenance.digests import sha256_bytes, sha256_file
from robustcert.steps.drift_monitoring import (
    DriftFiles,
    DriftOrder,
    DriftOutcome,
    measure_drift,
    monitor_drift,
    policy_of,
    trusted_key_of,
)
from robustcert.storage.store import Store, open_store
from tests.certificate.stored import copied_store
from tests.chain import Chain
from tests.drift.windows import NOW, noisy, training_rows, write_window

FAST = "samples: {tests: 200, permutations: 699}\n# a text of several lines\n"


@pytest.fixture
def store(chain: Chain, tmp_path: Path) -> Store:
    return copied_store(chain, tmp_path)


@pytest.fixture
def order(chain: Chain, store: Store, tmp_path: Path) -> DriftOrder:
    window = write_window(tmp_path / "window.parquet", noisy(training_rows(chain)[0]))
    certificate = sha256_file(chain.files.certificate)
    return DriftOrder(store=store.uri, certificate=certificate, window=str(window), policy=FAST)


def measured(order: DriftOrder, chain: Chain) -> DriftOutcome:
    key = load_signing_key(chain.signing_key, passphrase=None)
    return measure_drift(order, key=key, now=NOW, on_progress=lambda done, total, text: None)


def test_record_and_pages_lie_in_the_store_and_beside_the_run(
    order: DriftOrder,
    store: Store,
    chain: Chain,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("robustcert.drift.evidently_report.MOST_COLUMNS", 2)  # each costs a tenth of a second
    files = DriftFiles(report=tmp_path / "report", evidence=tmp_path / "evidence", record=tmp_path / "record")
    found = monitor_drift(order, signing_key=str(chain.signing_key), passphrase=None, files=files)
    record = newest_record(store, "digits", chain.predicate.model.sha256, keys=(chain.key,))
    assert record == found.record
    assert record is not None
    assert record.verdict == "gross"
    assert parse_record(files.record.read_bytes(), keys=(chain.key,)) == record
    assert store.read_document(found.document) == files.record.read_bytes()
    assert store.read_bytes(record.report_sha256) == files.report.read_bytes()
    assert record.evidently_sha256 is not None
    assert store.read_bytes(record.evidently_sha256) == files.evidence.read_bytes()
    assert sha256_bytes(files.evidence.read_bytes()) == record.evidently_sha256
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "::progress drift_monitoring 0/3 answering the certified samples again"
    assert lines[-1] == "::progress drift_monitoring 3/3"


def test_a_replay_with_a_planted_fault_leaves_nothing_in_the_store(
    order: DriftOrder, store: Store, chain: Chain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("robustcert.drift.assembly._evidently", lambda found, policy: (None, "not asked for"))
    clean = write_window(tmp_path / "clean.parquet", training_rows(chain)[0])
    found = measured(replace(order, window=str(clean), fault=Fault(kind="noise", severity=5)), chain)
    assert (found.document, found.record.verdict) == ("", "gross")
    assert found.record.window.source == "clean-with-noise-5.parquet"
    assert parse_record(found.signed, keys=(chain.key,)) == found.record
    assert store.list_documents("drift/") == []


def test_only_the_last_hours_are_looked_at(order: DriftOrder, chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("robustcert.drift.assembly._evidently", lambda found, policy: (None, "not asked for"))
    key = load_signing_key(chain.signing_key, passphrase=None)
    late = NOW + timedelta(hours=10)
    found = measure_drift(replace(order, last_hours=1), key=key, now=late, on_progress=lambda done, total, text: None)
    assert (found.record.window.rows, found.record.verdict) == (0, "undecided")
    with pytest.raises(InputError, match="0 to 87600 as the last hours, got -1"):
        measured(replace(order, last_hours=-1), chain)


def test_a_certificate_that_another_signed_is_refused(order: DriftOrder, chain: Chain, tmp_path: Path) -> None:
    public = write_key_pair(tmp_path / "stranger", new_key("ed25519"), passphrase=None)
    with pytest.raises(VerificationError, match="signature by key"):
        measured(replace(order, trusted_key=public.read_text()), chain)


def test_a_failure_is_one_line_and_the_key_is_looked_at_first(
    order: DriftOrder, store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = DriftFiles(report=tmp_path / "report", evidence=tmp_path / "evidence", record=tmp_path / "record")
    with pytest.raises(KeyFileError):
        monitor_drift(order, signing_key=str(tmp_path / "none"), passphrase=None, files=files)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("::failure drift_monitoring expected a key file")
    assert open_store(store.uri).list_documents("drift/") == []


def test_a_moved_baseline_leaves_no_record(
    order: DriftOrder, store: Store, chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("robustcert.drift.baseline._agreed", lambda model, dataset, answers: 0)
    with pytest.raises(StepError, match="got 0 of them again"):
        measured(order, chain)
    assert store.list_documents("drift/") == []


def test_a_policy_is_a_path_a_text_of_several_lines_or_the_default(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text("minimumRows: 123\n")
    assert policy_of("") == DriftPolicy()
    assert policy_of(str(tmp_path / "policy.yaml")).minimum_rows == 123
    assert policy_of("minimumRows: 124\nalpha: 0.05\n").minimum_rows == 124
    with pytest.raises(InputError, match="unreadable"):
        policy_of("minimumRows: 125")


def test_a_trusted_key_is_a_text_a_path_or_none(chain: Chain) -> None:
    of_text, of_path = trusted_key_of(chain.public_key.read_text()), trusted_key_of(str(chain.public_key))
    assert of_text is not None
    assert of_path is not None
    assert of_text.public_bytes_raw() == of_path.public_bytes_raw() == chain.key.public_bytes_raw()  # type: ignore[union-attr]
    assert trusted_key_of("") is None
