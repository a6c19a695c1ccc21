"""Verification of a real chain: accepted as it is, refused for every tampering, each with the right reason."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from robustcert.certificate.bundle import BundleFiles
from robustcert.certificate.keys import new_key
from robustcert.certificate.verify import verify
from robustcert.errors import InputError
from tests.certificate.tampering import Document, in_force, reason, replaced, resigned, verified
from tests.chain import Chain

FUZZ_SEED = 20261121
FUZZ_CHANGES = 2500


def flipped(path: Path, target: Path, *, at: float = 0.5) -> Path:
    data = bytearray(path.read_bytes())
    data[int(len(data) * at)] ^= 0x01
    target.write_bytes(bytes(data))
    return target


def test_an_untouched_bundle_is_verified_and_only_revocation_stays_open(chain: Chain) -> None:
    found = verified(chain)
    assert found.refused is None
    assert [finding.check for finding in found.findings if finding.status == "not established"] == ["revocation"]


def test_a_certificate_alone_is_verified_and_names_what_it_could_not_establish(chain: Chain) -> None:
    found = verified(chain, BundleFiles(certificate=chain.files.certificate))
    open_points = {finding.check for finding in found.findings if finding.status == "not established"}
    assert found.refused is None
    assert {
        "model",
        "data",
        "certification evidence",
        "evaluation evidence",
        "results",
        "perturbed inputs",
    } <= open_points


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("specification", "specification: SHA-256 of"),
        ("model", "model: SHA-256 of"),
        ("dataset", "data: SHA-256 of"),
        ("certification", "certification evidence: SHA-256 of"),
        ("evaluation", "evaluation evidence: SHA-256 of"),
        ("adversarials", "perturbed inputs: SHA-256 of"),
    ],
)
@pytest.mark.parametrize("at", [0.02, 0.5, 0.999])
def test_one_flipped_bit_in_any_file_is_refused_with_its_name(
    chain: Chain, tmp_path: Path, name: str, message: str, at: float
) -> None:
    original: Path = getattr(chain.files, name)
    changed = flipped(original, tmp_path / original.name, at=at)
    assert message in reason(verified(chain, chain.with_files(**{name: changed})))


def test_no_single_byte_change_of_the_certificate_file_is_accepted(chain: Chain, tmp_path: Path) -> None:
    data, chooser = chain.files.certificate.read_bytes(), random.Random(FUZZ_SEED)
    path = tmp_path / "certificate.json"
    edges = [*range(64), *range(len(data) - 256, len(data))]
    positions = edges + [chooser.randrange(len(data)) for _ in range(FUZZ_CHANGES - len(edges))]
    accepted = []
    for position in positions:
        other = bytes([chooser.choice([byte for byte in range(256) if byte != data[position]])])
        path.write_bytes(data[:position] + other + data[position + 1 :])
        if verify(BundleFiles(certificate=path), key=chain.key, now=in_force(chain)).refused is None:
            accepted.append(position)
    assert (len(positions), accepted) == (FUZZ_CHANGES, [])


@pytest.mark.parametrize("extra", [b"\n", b" ", b"\x00", b"{}"])
def test_bytes_after_the_envelope_are_refused(chain: Chain, tmp_path: Path, extra: bytes) -> None:
    path = tmp_path / "certificate.json"
    path.write_bytes(chain.files.certificate.read_bytes() + extra)
    assert "newline at the end" in reason(verified(chain, BundleFiles(certificate=path))) or extra == b"\n"
    assert verified(chain, BundleFiles(certificate=path)).refused is not None


def test_another_key_is_refused(chain: Chain) -> None:
    stranger = new_key("ed25519").public_key()
    found = verify(chain.files, key=stranger, now=in_force(chain))
    assert "key" in reason(found)
    assert found.statement is None


def test_an_expired_certificate_is_refused_and_the_last_second_is_not(chain: Chain) -> None:
    end = datetime.strptime(chain.predicate.not_after, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    assert "expired" in reason(verified(chain, at=end))
    assert verified(chain, at=end - timedelta(seconds=1)).refused is None


def test_a_certificate_from_the_future_is_refused(chain: Chain) -> None:
    assert "not yet valid" in reason(verified(chain, at=in_force(chain) - timedelta(days=2)))


def test_a_swapped_model_is_refused(chain: Chain, tmp_path: Path) -> None:
    other = tmp_path / "model.safetensors"
    other.write_bytes(b"another model")
    assert "model: SHA-256" in reason(verified(chain, chain.with_files(model=other)))


def rewritten(path: Path, target: Path, change: Callable[[list[Document]], list[Document]]) -> Path:
    table = pq.read_table(path)
    pq.write_table(pa.Table.from_pylist(change(table.to_pylist()), schema=table.schema), target, compression="zstd")
    return target


def test_a_removed_evidence_row_is_refused_by_digest_and_by_count(chain: Chain, tmp_path: Path) -> None:
    shorter = rewritten(chain.files.certification, tmp_path / "c.parquet", lambda rows: rows[1:])  # type: ignore[arg-type]
    assert "certification evidence: SHA-256" in reason(verified(chain, chain.with_files(certification=shorter)))
    import hashlib

    digest = hashlib.sha256(shorter.read_bytes()).hexdigest()

    def change(statement: Document) -> None:
        statement["predicate"]["certification"]["evidence"]["sha256"] = digest

    files = resigned(chain, tmp_path, change)
    found = verified(chain, BundleFiles(certificate=files.certificate, certification=shorter))
    assert "rows, certified are" in reason(found)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("results.cleanAccuracy.count", 0, "results: clean_accuracy"),
        ("results.cleanAccuracy.lower", "0.999000", "criteria"),
        ("results.certifiedAccuracy.1.accuracy.upper", "0.000001", "results: certified_accuracy"),
        ("results.averageCertifiedRadius", "9.000000", "results: average_certified_radius"),
        ("criteria.0.threshold", "0.01", "criteria"),
        ("verdict", "rejected", "verdict"),
        ("certification.sigma", "0.5", "certification: sigma is 0.5"),
        ("certification.alpha", "0.1", "certification: alpha is 0.1"),
        ("certification.key0", "7", "noise"),
        ("threatModels.0.epsilon", "0.5", "threat models"),
        ("evaluation.suite", "quick@9", "another suite"),
        ("evaluation.valid", False, "contradicts"),
        ("notAfter", "2099-01-01T00:00:00Z", "validity"),
        ("claims", ["Proof against everything."], "claims"),
        ("limits", [], "limits"),
        ("model.sha256", "0" * 64, "subject"),
        ("specification.sha256", "0" * 64, "specification: the text"),
        ("specification.canonicalSha256", "0" * 64, "canonical form"),
    ],
)
def test_an_issuer_who_signs_what_does_not_follow_is_refused(
    chain: Chain, tmp_path: Path, path: str, value: object, message: str
) -> None:
    assert message in reason(verified(chain, resigned(chain, tmp_path, replaced(path, value))))


def test_an_unknown_predicate_version_is_refused_and_an_unknown_field_is_ignored(chain: Chain, tmp_path: Path) -> None:
    def newer(statement: Document) -> None:
        statement["predicateType"] = "urn:robustcert:certificate:v2"

    def wider(statement: Document) -> None:
        statement["predicate"]["inventedLater"] = {"anything": "1"}

    assert "predicate type" in reason(verified(chain, resigned(chain, tmp_path, newer)))
    assert verified(chain, resigned(chain, tmp_path, wider)).refused is None


def test_a_missing_field_is_refused_by_its_path(chain: Chain, tmp_path: Path) -> None:
    def change(statement: Document) -> None:
        del statement["predicate"]["data"]["merkleRoot"]

    assert "predicate.data.merkleRoot" in reason(verified(chain, resigned(chain, tmp_path, change)))


def test_a_changed_label_in_the_data_names_its_sample(chain: Chain, tmp_path: Path) -> None:
    from dataclasses import replace

    from robustcert.data.dataset import load_dataset, save_dataset

    assert chain.files.dataset is not None
    assert chain.files.evaluation is not None
    dataset = load_dataset(chain.files.dataset)
    sample = pq.read_table(chain.files.evaluation).to_pylist()[0]["sample"]
    labels = dataset.y.copy()
    labels[dataset.sample_ids == sample] = (labels[dataset.sample_ids == sample] + 1) % 10
    save_dataset(replace(dataset, y=labels), tmp_path / "dataset.safetensors")
    found = verified(chain, chain.with_files(dataset=tmp_path / "dataset.safetensors"))
    assert f"sample {sample} of split test is changed" in reason(found)


def test_a_missing_certificate_is_an_input_error(chain: Chain, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a certificate file, got No such file"):
        verified(chain, BundleFiles(certificate=tmp_path / "nothing.json"))


def test_verification_loads_no_torch(chain: Chain) -> None:
    code = (
        "import sys; from datetime import UTC, datetime; from pathlib import Path;"
        "from robustcert.certificate.bundle import files_in; from robustcert.certificate.verify import verify;"
        "from robustcert.certificate.keys import load_verification_key;"
        f"files = files_in(Path({str(chain.bundle)!r})); key = load_verification_key(Path({str(chain.public_key)!r}));"
        "found = verify(files, key=key,"
        " now=datetime.now(UTC)); assert found.refused is None, found.refused;"
        "print(sorted({'torch', 'sklearn', 'kfp', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_bundle_verifies_from_any_folder(chain: Chain, tmp_path: Path) -> None:
    from robustcert.certificate.bundle import files_in

    shutil.copytree(chain.bundle, tmp_path / "elsewhere")
    assert verified(chain, files_in(tmp_path / "elsewhere")).refused is None
