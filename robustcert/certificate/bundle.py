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

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from robustcert.errors import StorageError, expected
from robustcert.provenance.run_record import RunRecord
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
    return RunRecord.model_validate_json(data)


def find_record(store: Store, certificate_sha256: str) -> RunRecord:
    """The record of the run that issued a certificate, by the certificate's digest or a prefix of at least 8 digits."""
    for record in records(store):
        if len(certificate_sha256) >= 8 and record.certificate_sha256.startswith(certificate_sha256):
            return record
    got = f"no run for {certificate_sha256!r} in the store"
    raise StorageError(expected("the digest of a certificate", got=got, remedy="run `robustcert inventory`"))


def records(store: Store) -> list[RunRecord]:
    """All run records of a store, oldest first."""
    names = [name for name in store.list_documents("runs/") if name.endswith("/record.json")]
    documents = [store.read_document(name) for name in names]
    found = [RunRecord.model_validate_json(data) for data in documents if data is not None]
    return sorted(found, key=lambda record: (record.finished_at, record.run_id))


def export_bundle(store: Store, record: RunRecord, target: Path) -> None:
    """Writes the bundle of a run into `target`, each file whole or not at all; an older bundle is replaced."""
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target, prefix=".bundle-") as staging:
        for name, sha256 in record.files.items():
            store.fetch(sha256, Path(staging) / name)
        (Path(staging) / RECORD).write_bytes(_record_bytes(record))
        _replace_all(Path(staging), target, names={*record.files, RECORD})


def put_files(store: Store, files: Mapping[str, Path]) -> dict[str, str]:
    """Stores files under their bundle names; name -> SHA-256."""
    return {name: store.put_file(path) for name, path in files.items()}


def _replace_all(staging: Path, target: Path, *, names: set[str]) -> None:
    for name in set(NAMES) - names:
        (target / name).unlink(missing_ok=True)
    for name in sorted(names):
        (staging / name).replace(target / name)


def _record_bytes(record: RunRecord) -> bytes:
    return record.model_dump_json(by_alias=True, indent=2).encode() + b"\n"
