"""keys new and keys show."""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from tests.command_line import CommandLine


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa-p256"])
def test_a_new_pair_is_private_and_its_id_is_the_digest_of_the_public_half(
    command_line: CommandLine, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "issuer"
    assert command_line("keys", "new", path, "--kind", kind).status == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    public = load_pem_public_key((tmp_path / "issuer.pub").read_bytes())
    digest = hashlib.sha256(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()
    assert command_line("keys", "show", tmp_path / "issuer.pub").out.strip() == digest


def test_a_passphrase_encrypts_the_key(
    command_line: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROBUSTCERT_KEY_PASSPHRASE", "open sesame")
    found = command_line("keys", "new", tmp_path / "issuer")
    data = (tmp_path / "issuer").read_bytes()
    assert load_pem_private_key(data, password=b"open sesame")
    with pytest.raises(TypeError):
        load_pem_private_key(data, password=None)
    assert "open sesame" not in found.out + found.err


def test_an_empty_passphrase_is_refused_not_taken_for_none(command_line: CommandLine, tmp_path: Path) -> None:
    found = command_line("keys", "new", tmp_path / "issuer", "--passphrase", "")
    assert (found.status, "expected a passphrase, got an empty one" in found.err) == (2, True)
    assert list(tmp_path.iterdir()) == []


def test_a_key_is_never_overwritten(command_line: CommandLine, tmp_path: Path) -> None:
    command_line("keys", "new", tmp_path / "issuer")
    before = (tmp_path / "issuer").read_bytes()
    found = command_line("keys", "new", tmp_path / "issuer")
    assert (found.status, (tmp_path / "issuer").read_bytes()) == (2, before)
