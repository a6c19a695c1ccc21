"""robustcert replay: the whole run again from what a certificate carries, and the comparison of two predicates."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from robustcert.certificate.schema import Predicate
from robustcert.commands.replay import differences
from tests.certificate.tampering import replaced, resigned, statement_of
from tests.chain import Chain
from tests.command_line import CommandLine, Done
from tests.components.in_process import InProcess


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


def repeated(command_line: CommandLine, chain: Chain, bundle: Path, out: Path) -> Done:
    keys = ("--key", chain.public_key, "--signing-key", chain.signing_key)
    return command_line("replay", bundle, *keys, "--out", out)


def test_an_honest_certificate_is_repeated_from_its_own_text_in_a_fresh_store(
    command_line: CommandLine, chain: Chain, tmp_path: Path, in_process: InProcess
) -> None:
    bundle = tmp_path / "alone"
    bundle.mkdir()
    shutil.copy(chain.files.certificate, bundle)
    found = repeated(command_line, chain, bundle, tmp_path / "again")
    assert found.status == 0, found
    assert found.out.splitlines()[-1] == "the repetition equals the certificate apart from times and run id"
    assert command_line("verify", tmp_path / "again" / "bundle", "--key", chain.public_key).status == 0
    reason = json.loads((tmp_path / "again" / "bundle" / "record.json").read_text())["reason"]
    assert reason.startswith(f"replay of {chain.predicate.run.id} at 20")


def test_a_certificate_of_numbers_that_nobody_measured_differs_from_its_repetition(
    command_line: CommandLine, chain: Chain, tmp_path: Path, in_process: InProcess
) -> None:
    (tmp_path / "bundle").mkdir()
    resigned(chain, tmp_path / "bundle", replaced("results.cleanAccuracy.estimate", "0.999999"))
    shutil.copytree(chain.store, tmp_path / "again" / "store")
    found = repeated(command_line, chain, tmp_path / "bundle", tmp_path / "again")
    assert (found.status, f"the repetition differs in results; see {tmp_path / 'again'}" in found.err) == (1, True), (
        found
    )


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
