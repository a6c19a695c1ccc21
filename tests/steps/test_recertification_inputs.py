"""What a recertification starts from: the certificate's own files, and a window that keeps the contract."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import pytest

from robustcert.data.dataset import load_dataset
from robustcert.errors import DataError, InputError, StorageError, VerificationError
from robustcert.provenance.digests import sha256_file
from robustcert.provenance.run_record import StepRecord
from robustcert.steps.recertification_inputs import (
    RecertificationFiles,
    RecertificationInputs,
    Request,
    open_recertification,
)
from robustcert.storage.finished_steps import document_of, parse_finished
from robustcert.storage.store import Store
from tests.certificate.stored import copied_store, expired, issue, signed
from tests.chain import Chain
from tests.windows import same_window, window_off_contract


@pytest.fixture
def store(chain: Chain, tmp_path: Path) -> Store:
    return copied_store(chain, tmp_path)


@pytest.fixture
def files(tmp_path: Path) -> RecertificationFiles:
    (tmp_path / "made").mkdir()
    return RecertificationFiles(**{part.name: tmp_path / "made" / part.name for part in fields(RecertificationFiles)})


def request(chain: Chain, **changes: str) -> Request:
    asked = Request(
        certificate=sha256_file(chain.files.certificate),
        reason="a test",
        trusted_key="",
        window_uri="",
        window_sha256="",
        run_id="run",
        run_token="",
    )
    return replace(asked, **changes)


def opened(store: Store, asked: Request, files: RecertificationFiles) -> RecertificationInputs:
    return open_recertification(store=store.uri, request=asked, files=files)


def test_everything_is_taken_as_it_was_certified(chain: Chain, store: Store, files: RecertificationFiles) -> None:
    found = opened(store, request(chain), files)
    for made, certified in (
        (files.dataset, chain.files.dataset),
        (files.model, chain.files.model),
        (files.report, chain.files.data_report),
        (Path(found.specification.removeprefix("file://")), chain.files.specification),
    ):
        assert certified is not None
        assert made.read_bytes() == certified.read_bytes()
    assert found.certificate_sha256 == sha256_file(chain.files.certificate)
    assert (found.run_id, found.run_token) == ("run", "run")
    assert (found.passed, found.summary) == (True, "no window was given")
    assert files.window.read_bytes() == b""


def test_the_token_is_the_persons_where_one_is_given(chain: Chain, store: Store, files: RecertificationFiles) -> None:
    assert opened(store, request(chain, run_token="again"), files).run_token == "again"


@pytest.mark.parametrize("given", ["text", "path", ""])
def test_the_reason_and_the_record_say_whether_the_signature_was_checked(
    chain: Chain, store: Store, files: RecertificationFiles, given: str
) -> None:
    key = {"text": chain.public_key.read_text(), "path": str(chain.public_key), "": ""}[given]
    found = opened(store, request(chain, trusted_key=key), files)
    said = "signed by the key" if given else "signature not checked"
    assert said in found.reason
    assert found.reason.endswith(": a test")
    record = StepRecord.model_validate_json(files.record.read_bytes())
    finished = parse_finished(store.read_document(document_of(record.step, record.key)) or b"")
    assert finished is not None
    assert said in str(finished.inputs["signature"])


def test_another_key_than_the_trusted_one_is_refused(
    chain: Chain, store: Store, files: RecertificationFiles, tmp_path: Path
) -> None:
    from robustcert.certificate.keys import new_key, write_key_pair

    other = write_key_pair(tmp_path / "other", new_key("ed25519"), passphrase=None)
    with pytest.raises(VerificationError, match="expected a signature by key"):
        opened(store, request(chain, trusted_key=str(other)), files)


def test_the_window_falls_on_the_certified_grid(
    chain: Chain, store: Store, files: RecertificationFiles, tmp_path: Path
) -> None:
    window = same_window(chain, tmp_path / "window.npz")
    asked = request(chain, window_uri=str(window), window_sha256=sha256_file(window))
    found = opened(store, asked, files)
    assert found.passed
    test = load_dataset(files.dataset).select("test")
    assert (load_dataset(files.window).x_int == test.x_int).all()


def test_a_window_off_its_contract_is_an_outcome_whose_findings_are_stored(
    chain: Chain, store: Store, files: RecertificationFiles, tmp_path: Path
) -> None:
    window = window_off_contract(chain, tmp_path / "window.npz")
    found = opened(store, request(chain, window_uri=str(window), window_sha256=sha256_file(window)), files)
    assert not found.passed
    assert found.summary.startswith("the window breaks the contract with 1 error(s): expected values within [0, 16]")
    assert store.intact(sha256_file(files.window_report))
    assert files.window.read_bytes() == b""


def test_a_window_of_training_rows_is_refused(
    chain: Chain, store: Store, files: RecertificationFiles, tmp_path: Path
) -> None:
    import numpy as np
    from sklearn.datasets import load_digits

    digits, ids = load_digits(), load_dataset(chain.bundle / "dataset.safetensors").select("train").sample_ids
    np.savez(tmp_path / "window.npz", x=digits.data[ids].reshape(-1, 1, 8, 8), y=digits.target[ids])
    sha256 = sha256_file(tmp_path / "window.npz")
    found = opened(store, request(chain, window_uri=str(tmp_path / "window.npz"), window_sha256=sha256), files)
    assert not found.passed
    assert "equal to a sample of train or validation" in found.summary


def test_wrong_or_missing_digests_certificates_and_files_are_refused(
    chain: Chain, store: Store, files: RecertificationFiles, tmp_path: Path
) -> None:
    window = str(same_window(chain, tmp_path / "window.npz"))
    with pytest.raises(DataError, match="expected data with SHA-256"):
        opened(store, request(chain, window_uri=window, window_sha256="ab" * 32), files)
    with pytest.raises(InputError, match="expected a digest of the window"):
        opened(store, request(chain, window_uri=window), files)
    with pytest.raises(InputError, match="expected one certificate"):
        opened(store, request(chain, certificate="0" * 64), files)
    model = chain.predicate.model.sha256
    (tmp_path / "store" / "objects" / "sha256" / model[:2] / model).unlink()
    with pytest.raises(StorageError, match="got a missing or damaged file"):
        opened(store, request(chain), files)


def test_an_expired_certificate_can_be_certified_again(chain: Chain, store: Store, files: RecertificationFiles) -> None:
    old = issue(store, signed(chain, expired), run_id="old")
    assert opened(store, request(chain, certificate=old), files).certificate_sha256 == old
