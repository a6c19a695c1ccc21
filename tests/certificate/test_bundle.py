"""The bundle folder: found, written whole, replaced whole, and left alone where the store can't give all of it."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from robustcert.certificate import bundle
from robustcert.certificate.bundle import (
    NAMES,
    certificate_name,
    export_bundle,
    files_in,
    find_record,
    put_files,
    read_record,
    record_name,
    records,
)
from robustcert.errors import InputError, StorageError
from robustcert.provenance.run_record import RunRecord
from robustcert.storage.store import Store, open_store
from tests.chain import RUN_ID, Chain


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(str(tmp_path / "store"))


@pytest.fixture
def record(chain: Chain) -> RunRecord:
    return read_record(open_store(str(chain.store)), RUN_ID)


def written(store: Store, record: RunRecord, **changes: object) -> RunRecord:
    """The record with changes, in the store."""
    changed = record.model_copy(update=changes)
    store.write_document(record_name(changed.run_id), changed.model_dump_json(by_alias=True).encode())
    return changed


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_bundle_of_a_run_holds_every_documented_file_and_no_other(chain: Chain) -> None:
    assert set(contents(chain.bundle)) == set(NAMES) - {"model.onnx"}
    assert all(name in str(bundle.__doc__) for name in NAMES)


def test_files_are_found_by_name_and_what_is_not_there_is_none(chain: Chain, tmp_path: Path) -> None:
    everything = files_in(chain.bundle)
    assert {path.name for path in vars(everything).values()} == {
        "certificate.json",
        "specification.yaml",
        "model.safetensors",
        "dataset.safetensors",
        "certification.parquet",
        "evaluation.parquet",
        "adversarials.safetensors",
        "data_report.json",
    }
    nothing = files_in(tmp_path)
    assert nothing.certificate == tmp_path / "certificate.json"
    assert {name for name, path in vars(nothing).items() if path is not None} == {"certificate"}


def test_an_onnx_model_is_found_and_a_folder_of_that_name_is_not(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").mkdir()
    (tmp_path / "model.onnx").write_bytes(b"")
    assert files_in(tmp_path).model == tmp_path / "model.onnx"


def test_exported_files_have_the_digests_of_the_record(chain: Chain, record: RunRecord, tmp_path: Path) -> None:
    export_bundle(open_store(str(chain.store)), record, tmp_path / "new" / "bundle")
    found = contents(tmp_path / "new" / "bundle")
    own = RunRecord.model_validate_json(found.pop("record.json"))
    assert own == record
    assert {name: hashlib.sha256(data).hexdigest() for name, data in found.items()} == record.files


def test_an_older_bundle_is_replaced_and_foreign_files_stay(chain: Chain, record: RunRecord, tmp_path: Path) -> None:
    for name in ("model.onnx", "certificate.json", "notes.txt"):
        (tmp_path / name).write_text("older")
    export_bundle(open_store(str(chain.store)), record, tmp_path)
    assert set(contents(tmp_path)) == set(contents(chain.bundle)) | {"notes.txt"}
    assert (tmp_path / "certificate.json").read_bytes() == chain.files.certificate.read_bytes()
    assert (tmp_path / "notes.txt").read_text() == "older"


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"other bytes")])
def test_a_store_that_lost_or_changed_a_file_leaves_the_older_bundle_as_it_is(
    chain: Chain, record: RunRecord, tmp_path: Path, damage: object
) -> None:
    shutil.copytree(chain.store, tmp_path / "store")
    sha256 = record.files["validity.json"]
    damaged = tmp_path / "store" / "objects" / "sha256" / sha256[:2] / sha256
    damaged.chmod(0o644)
    damage(damaged)  # type: ignore[operator]
    target = tmp_path / "bundle"
    target.mkdir()
    (target / "certificate.json").write_text("older")
    with pytest.raises(StorageError, match=sha256):
        export_bundle(open_store(str(tmp_path / "store")), record, target)
    assert contents(target) == {"certificate.json": b"older"}


def test_a_model_of_somebody_is_not_replaced_by_a_bundle(chain: Chain, record: RunRecord, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"mine")
    with pytest.raises(InputError, match=r"^expected a folder of its own for the bundle, got 'model.safetensors' in"):
        export_bundle(open_store(str(chain.store)), record, tmp_path)
    assert contents(tmp_path) == {"model.safetensors": b"mine"}


def test_a_bundle_that_was_cut_short_is_replaced(chain: Chain, record: RunRecord, tmp_path: Path) -> None:
    def killed(self: Path, target: Path) -> Path:
        if target == tmp_path / "bundle" / bundle.DATASET:
            raise KeyboardInterrupt
        return original(self, target)

    original = Path.replace
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            export_bundle(open_store(str(chain.store)), record, tmp_path / "bundle")
    assert bundle.DATASET not in contents(tmp_path / "bundle")
    export_bundle(open_store(str(chain.store)), record, tmp_path / "bundle")
    assert contents(tmp_path / "bundle") == contents(chain.bundle)


def test_a_file_in_the_place_of_the_folder_is_said(chain: Chain, record: RunRecord, tmp_path: Path) -> None:
    (tmp_path / "bundle").write_text("mine")
    with pytest.raises(StorageError, match=r"expected a writable folder for the bundle, got '(File|Not)"):
        export_bundle(open_store(str(chain.store)), record, tmp_path / "bundle")


@pytest.mark.parametrize("name", ["../../evil", "evil", "/evil"])
def test_a_record_that_names_a_file_outside_a_bundle_is_refused(store: Store, record: RunRecord, name: str) -> None:
    mine = written(store, record, files={**record.files, name: record.model_sha256})
    with pytest.raises(StorageError, match=r"expected a run record in the store's 'runs/.*/record.json', got one of"):
        read_record(store, mine.run_id)


@pytest.mark.parametrize("keep", [0, 1, -1])
def test_a_damaged_record_is_named(store: Store, record: RunRecord, keep: int) -> None:
    whole = record.model_dump_json(by_alias=True).encode()
    store.write_document(record_name("half"), whole[:keep])
    with pytest.raises(
        StorageError, match=r"expected a run record in the store's 'runs/half/record.json', got another"
    ):
        records(store)


def test_a_run_without_record_is_said_to_have_none(store: Store) -> None:
    with pytest.raises(
        StorageError, match="expected a record of run nothing, got none in the store; run `robustcert inv"
    ):
        read_record(store, "nothing")


def test_records_come_oldest_first_and_other_documents_are_passed_over(store: Store, record: RunRecord) -> None:
    times = {"c": "2026-01-03T00:00:00Z", "b": "2026-01-01T00:00:00Z", "a": "2026-01-03T00:00:00Z"}
    for run_id, finished_at in times.items():
        written(store, record, run_id=run_id, finished_at=finished_at)
    store.write_document("runs/a/notes.json", b"{}")
    store.write_document("records/record.json", b"{}")
    assert [found.run_id for found in records(store)] == ["b", "a", "c"]


def test_a_record_is_found_by_the_first_eight_digits_of_its_certificate(store: Store, record: RunRecord) -> None:
    written(store, record, run_id="other", certificate_sha256="12345678" + "0" * 56)
    mine = written(store, record, run_id="mine", certificate_sha256="12345679" + "0" * 56)
    assert find_record(store, "12345679") == mine
    assert find_record(store, mine.certificate_sha256) == mine


@pytest.mark.parametrize("digest", ["1234567", "", "ffffffff", "2345678", "12345678" + "0" * 57])
def test_too_few_digits_and_unknown_digests_find_nothing(store: Store, record: RunRecord, digest: str) -> None:
    written(store, record, certificate_sha256="12345678" + "0" * 56)
    with pytest.raises(StorageError, match=f"expected the digest of a certificate, got no run for '{digest}'"):
        find_record(store, digest)


def test_files_are_stored_under_the_digest_of_their_bytes(store: Store, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"first")
    (tmp_path / "b").write_bytes(b"second")
    found = put_files(store, {"one": tmp_path / "a", "two": tmp_path / "b"})
    assert found == {"one": hashlib.sha256(b"first").hexdigest(), "two": hashlib.sha256(b"second").hexdigest()}
    assert store.read_bytes(found["two"]) == b"second"


def test_a_certificate_is_kept_under_its_own_digest_for_ever(chain: Chain) -> None:
    data = chain.files.certificate.read_bytes()
    store = open_store(str(chain.store))
    assert store.read_document(certificate_name(hashlib.sha256(data).hexdigest())) == data
