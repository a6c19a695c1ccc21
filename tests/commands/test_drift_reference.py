"""robustcert drift-reference on a real store."""

from __future__ import annotations

from pathlib import Path

from robustcert.drift.reference import read_reference
from robustcert.provenance.digests import sha256_file
from tests.certificate.stored import copied_store
from tests.chain import Chain
from tests.command_line import CommandLine


def test_the_reference_is_stored_by_its_digest_and_copied(
    command_line: CommandLine, chain: Chain, tmp_path: Path
) -> None:
    store = copied_store(chain, tmp_path)
    out, wanted = tmp_path / "reference.json", sha256_file(chain.files.certificate)
    options = ("--store", tmp_path / "store", "--trusted-key", chain.public_key)
    found = command_line("drift-reference", wanted[:12], *options, "--out", out)
    assert found.status == 0
    digest = sha256_file(out)
    assert found.out.startswith(f"{digest}: drift reference of {wanted[:12]} (signed by the key ")
    assert store.read_bytes(digest) == out.read_bytes()
    assert read_reference(out.read_bytes()).certificate_sha256 == wanted
    assert command_line("drift-reference", wanted, *options[:2]).out.startswith(digest), "made again, it is the same"


def test_another_key_is_refused(command_line: CommandLine, chain: Chain, tmp_path: Path) -> None:
    assert command_line("keys", "new", tmp_path / "other").status == 0
    found = command_line(
        "drift-reference",
        sha256_file(chain.files.certificate),
        "--store",
        chain.store,
        "--trusted-key",
        tmp_path / "other.pub",
    )
    assert found.status == 1
    assert "expected a signature by key" in found.err


def test_an_unknown_certificate_is_one_line(command_line: CommandLine, chain: Chain) -> None:
    found = command_line("drift-reference", "nothing-of-this-name", "--store", chain.store)
    assert found.status == 2
    assert found.err.count("\n") == 1
    assert "expected one certificate, by digest or published name" in found.err
