"""The bundle: the folder that an auditor gets, with every file that the certificate names.

certificate.json          the signed certificate
specification.yaml        what was pre-registered, byte for byte
model.safetensors         the model, the certificate's subject (model.onnx for an ONNX model)
dataset.safetensors       the data set on its integer grid
certification.parquet     votes under noise, one row per sample
evaluation.parquet        outcomes under attack, one row per sample, threat, size and attack
adversarials.safetensors  the perturbed inputs that attacks found
data_report.json          what data validation found
training_history.json     losses and accuracies per epoch
validity.json             sanity checks of the evaluation and what the attacks cost
report.html               the report for people
record.json               the run record (not signed)
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from robustcert.errors import InputError, StorageError, expected
from robustcert.provenance.run_record import RunRecord
from robustcert.storage.atomic import disk_failure
from robustcert.storage.store import Store

CERTIFICATE = "certificate.json"
SPECIFICATION = "specification.yaml"
MODELS = ("model.safetensors", "model.onnx")
DATASET = "dataset.safetensors"
CERTIFICATION = "certification.parquet"
EVALUATION = "evaluation.parquet"
ADVERSARIALS = "adversarials.safetensors"
DATA_REPORT = "data_report.json"
HISTORY = "training_history.json"
VALIDITY = "validity.json"
REPORT = "report.html"
RECORD = "record.json"
NAMES = (
    CERTIFICATE,
    SPECIFICATION,
    *MODELS,
    DATASET,
    CERTIFICATION,
    EVALUATION,
    ADVERSARIALS,
    DATA_REPORT,
    HISTORY,
    VALIDITY,
    REPORT,
    RECORD,
)


@dataclass(frozen=True, kw_only=True)
class BundleFiles:
    """The files that a verifier may be given; None for what it was not given."""

    certificate: Path
    specification: Path | None = None
    model: Path | None = None
    dataset: Path | None = None
    certification: Path | None = None
    evaluation: Path | None = None
    adversarials: Path | None = None
    data_report: Path | None = None


def files_in(bundle: Path) -> BundleFiles:
    """The known files of a bundle folder; what is not there is None."""

    def found(*names: str) -> Path | None:
        return next((bundle / name for name in names if (bundle / name).is_file()), None)

    return BundleFiles(
        certificate=bundle / CERTIFICATE,
        specification=found(SPECIFICATION),
        model=found(*MODELS),
        dataset=found(DATASET),
        certification=found(CERTIFICATION),
        evaluation=found(EVALUATION),
        adversarials=found(ADVERSARIALS),
        data_report=found(DATA_REPORT),
    )


def record_name(run_id: str) -> str:
    """Name of a run's record in the store."""
    return f"runs/{run_id}/record.json"


def certificate_name(certificate_sha256: str) -> str:
    """Name of a certificate in the store; it never changes once written."""
    return f"certificates/{certificate_sha256}.json"


def read_record(store: Store, run_id: str) -> RunRecord:
    """The record of a run; StorageError where the store has none."""
    data = store.read_document(record_name(run_id))
    if data is None:
        raise StorageError(
            expected(f"a record of run {run_id}", got="none in the store", remedy="run `robustcert inventory`")
        )
    return _parsed(data, name=record_name(run_id))


def find_record(store: Store, certificate_sha256: str) -> RunRecord:
    """The record of the run that issued a certificate, by the certificate's digest or a prefix of at least 8 digits."""
    for record in records(store):
        if len(certificate_sha256) >= 8 and record.certificate_sha256.startswith(certificate_sha256):
            return record
    got = f"no run for {certificate_sha256!r} in the store"
    remedy = "give its SHA-256 or the first 8 digits or more; `robustcert inventory` lists them"
    raise StorageError(expected("the digest of a certificate", got=got, remedy=remedy))


def records(store: Store) -> list[RunRecord]:
    """All run records of a store, oldest first."""
    names = [name for name in store.list_documents("runs/") if name.endswith("/record.json")]
    documents = {name: store.read_document(name) for name in names}
    found = [_parsed(data, name=name) for name, data in documents.items() if data is not None]
    return sorted(found, key=lambda record: (record.finished_at, record.run_id))


def export_bundle(store: Store, record: RunRecord, target: Path) -> None:
    """Writes the bundle of a run into `target`, each file whole or not at all; an older bundle is replaced.

    InputError where files of these names are there that are no bundle; StorageError where the disk refuses.
    """
    refuse_foreign(target)
    try:
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target, prefix=".bundle-") as staging:
            for name, sha256 in record.files.items():
                store.fetch(sha256, Path(staging) / name)
            (Path(staging) / RECORD).write_bytes(_record_bytes(record))
            _replace_all(Path(staging), target, names={*record.files, RECORD})
    except OSError as error:
        raise StorageError(disk_failure(error, wanted="a writable folder for the bundle", path=target)) from error


def refuse_foreign(target: Path) -> None:
    """InputError where `target` holds files that a bundle would replace and that are none: somebody's own model."""
    own = [name for name in NAMES if os.path.lexists(target / name)]
    if own and CERTIFICATE not in own:
        got = f"{own[0]!r} in '{target}', which is of no bundle"
        raise InputError(expected("a folder of its own for the bundle", got=got, remedy="name another --out"))


def put_files(store: Store, files: Mapping[str, Path]) -> dict[str, str]:
    """Stores files under their bundle names; name -> SHA-256."""
    return {name: store.put_file(path) for name, path in files.items()}


def _parsed(data: bytes, *, name: str) -> RunRecord:
    """The record in a document; no file that it names lies outside a bundle, whoever wrote it."""
    try:
        record = RunRecord.model_validate_json(data)
    except ValidationError as error:
        raise _damaged(name, "another document") from error
    needed, named = {CERTIFICATE, SPECIFICATION, DATASET}, set(record.files)
    if not (needed <= named <= set(NAMES) and named & set(MODELS)):
        raise _damaged(name, f"one of the files {sorted(record.files)}"[:200])
    return record


def _damaged(name: str, got: str) -> StorageError:
    remedy = "restore it, or remove it and run again"
    return StorageError(expected(f"a run record in the store's '{name}'", got=got, remedy=remedy))


def _replace_all(staging: Path, target: Path, *, names: set[str]) -> None:
    for name in set(NAMES) - names:
        (target / name).unlink(missing_ok=True)
    for name in (name for name in NAMES if name in names):  # the certificate first: it marks the folder as a bundle
        (staging / name).replace(target / name)


def _record_bytes(record: RunRecord) -> bytes:
    return record.model_dump_json(by_alias=True, indent=2).encode() + b"\n"
