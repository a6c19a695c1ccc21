"""robustcert replay: the whole run again from what a certificate carries, and the comparison of two predicates."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from robustcert.certificate.schema import Predicate
from robustcert.commands.replay import differences
from tests.certificate.tampering import replaced, resigned, statement_of
from tests.chain import Chain
from tests.command_line import CommandLine


def predicate(chain: Chain, path: str = "", value: object = None) -> Predicate:
    statement = statement_of(chain)
    if path:
        replaced(path, value)(statement)
    return Predicate.model_validate(statement["predicate"], strict=False)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("certifiedAt", "2030-01-01T00:00:00Z"),
        ("notAfter", "2030-01-01T00:00:00Z"),
        ("run.id", "another"),
        ("supersedes", ["ab" * 32]),
    ],
)
def test_times_run_and_what_is_superseded_are_no_differences(chain: Chain, path: str, value: object) -> None:
    assert differences(predicate(chain), predicate(chain, path, value)) == []


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("results.cleanAccuracy.count", 1, "results"),
        ("environment.python", "4.0", "environment"),
        ("model.sha256", "ab" * 32, "model"),
        ("certification.evidence.merkleRoot", "ab" * 32, "certification"),
        ("claims", ["Another."], "claims"),
        ("data.merkleRoot", "ab" * 32, "data"),
    ],
)
def test_every_other_difference_is_named_by_its_field(chain: Chain, path: str, value: Any, field: str) -> None:
    assert differences(predicate(chain), predicate(chain, path, value)) == [field]


def test_a_certificate_is_repeated_from_its_own_text_in_a_fresh_store(
    command_line: CommandLine, chain: Chain, tmp_path: Path
) -> None:
    """The certificate is one whose clean accuracy was raised: only the repetition can tell, and does."""
    bundle = tmp_path / "bundle"
    shutil.copytree(chain.bundle, bundle)
    (bundle / "certification.parquet").unlink()
    files = resigned(chain, tmp_path, replaced("results.cleanAccuracy.estimate", "0.999999"))
    shutil.copy(files.certificate, bundle / "certificate.json")
    found = command_line(
        *("replay", bundle, "--key", chain.public_key, "--signing-key", chain.signing_key),
        *("--out", tmp_path / "again"),
    )
    assert (found.status, f"the repetition differs in results; see {tmp_path / 'again'}" in found.err) == (1, True), (
        found
    )
    assert command_line("verify", tmp_path / "again" / "bundle", "--key", chain.public_key).status == 0


@pytest.mark.parametrize(
    ("option", "name", "message"),
    [("--key", "issuer", "got a PRIVATE key"), ("--signing-key", "nothing", "no such file")],
)
def test_unusable_keys_are_exit_2_before_anything_runs(
    command_line: CommandLine, chain: Chain, tmp_path: Path, option: str, name: str, message: str
) -> None:
    keys = {"--key": chain.public_key, "--signing-key": chain.signing_key} | {option: chain.folder / name}
    given = [part for pair in keys.items() for part in pair]
    found = command_line("replay", chain.bundle, *given, "--out", tmp_path / "again")
    assert (found.status, message in found.err) == (2, True), found
