"""Certificates that released versions signed stay valid: signature, schema, and everything that follows from counts."""

from __future__ import annotations

import base64
import json
import re
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey

from robustcert import __version__
from robustcert.certificate import schema
from robustcert.certificate.bundle import BundleFiles, files_in
from robustcert.certificate.keys import KeyKind, load_verification_key
from robustcert.certificate.verify import Verification, verify
from tests.certificates import make

FOLDERS = sorted(path for path in make.FORMAT.iterdir() if path.is_dir())

# What these folders hold enough to establish; the sentences only where this version wrote them.
ESTABLISHED = {
    "signature",
    "subject",
    "registered specification",
    "description",
    "registered terms",
    "attacks",
    "registered results",
    "validity period",
    "verdicts",
    "acceptance",
    "noise key",
    "certification evidence",
    "evaluation evidence",
    "planned attacks",
    "results",
}


@pytest.fixture(params=FOLDERS, ids=[path.name for path in FOLDERS])
def folder(request: pytest.FixtureRequest) -> Path:
    found: Path = request.param
    return found


def statement(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        base64.b64decode(json.loads((folder / "certificate.json").read_bytes())["payload"])
    )
    return found


def in_force(folder: Path) -> datetime:
    begin = datetime.strptime(statement(folder)["predicate"]["certifiedAt"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    return begin + timedelta(days=1)


def verified(folder: Path, files: BundleFiles, *, at: datetime) -> Verification:
    return verify(files, key=load_verification_key(folder / "issuer.pub"), now=at)


def test_every_version_of_the_changelog_has_a_document_of_each_kind_of_key(root: Path) -> None:
    versions = re.findall(r"^## (\d+\.\d+\.\d+)", (root / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert {make.folder_of(version, kind) for version in versions for kind in get_args(KeyKind)} == set(FOLDERS)


def test_it_is_verified_with_its_evidence(folder: Path) -> None:
    found = verified(folder, files_in(folder), at=in_force(folder))
    assert found.refused is None
    assert {finding.check for finding in found.findings if finding.status == "established"} >= ESTABLISHED
    own = statement(folder)["predicate"]["environment"]["robustcert"]
    assert folder.name.startswith(f"{own}-")


def test_it_is_valid_against_the_published_schema(folder: Path) -> None:
    document = json.loads((Path(schema.__file__).parent / "certificate.v1.schema.json").read_text())
    jsonschema.Draft202012Validator(document).validate(statement(folder))


def test_securesystemslib_verifies_it(folder: Path) -> None:
    envelope = Envelope.from_dict(json.loads((folder / "certificate.json").read_bytes()))
    public = load_pem_public_key((folder / "issuer.pub").read_bytes())
    key = SSlibKey.from_crypto(public, keyid=next(iter(envelope.signatures)))
    assert list(envelope.verify([key], 1)) == [key.keyid]


def test_it_has_expired_since_and_that_is_said(folder: Path) -> None:
    found = verified(folder, files_in(folder), at=in_force(folder) + timedelta(days=90))
    assert found.refused is not None
    assert found.refused.message.startswith("expired: valid until")


def test_a_changed_byte_and_anothers_key_are_refused(folder: Path, tmp_path: Path) -> None:
    data = bytearray((folder / "certificate.json").read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "certificate.json").write_bytes(data)
    changed = verified(folder, BundleFiles(certificate=tmp_path / "certificate.json"), at=in_force(folder))
    other = next(path for path in FOLDERS if path != folder)
    foreign = verified(other, files_in(folder), at=in_force(folder))
    assert changed.refused is not None
    assert foreign.refused is not None
    assert changed.statement is foreign.statement is None


def test_no_private_key_is_kept(folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} == {*make.KEPT, "issuer.pub"}
    assert all(b"PRIVATE KEY" not in path.read_bytes() for path in folder.iterdir())


def test_a_released_version_is_known_by_its_tag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git = ["git", "-C", str(tmp_path), "-c", "user.name=t", "-c", "user.email=t@example.org"]
    for command in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "one"], ["tag", "v9.9.9"]):
        subprocess.run([*git, *command], check=True, capture_output=True)
    monkeypatch.setattr(make, "FORMAT", tmp_path / "v1")
    assert (make.is_released("9.9.9"), make.is_released("9.9")) == (True, False)
    monkeypatch.setattr(make, "__version__", "9.9.9")
    with pytest.raises(SystemExit, match=r"expected a version that is not released, got 9.9.9; its documents stay"):
        make.main()
    assert not (tmp_path / "v1").exists()
    assert __version__ != "9.9.9"
