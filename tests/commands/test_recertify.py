"""recertify: a new certificate where the claim holds, none where it fails on the window, one line for wrong input."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from robustcert.certificate.window import windows_of
from robustcert.commands import recertification_run
from robustcert.models.files import load_model
from robustcert.provenance.digests import sha256_file
from robustcert.specification_file import parse_specification
from robustcert.storage.store import Store, open_store
from tests.certificate.stored import issue, signed
from tests.chain import Chain, small_specification
from tests.command_line import CommandLine, Done
from tests.components.recertification_in_process import RecertificationInProcess
from tests.windows import certified_rows, drifted_window, same_window, window_off_contract


@pytest.fixture(autouse=True)
def in_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RecertificationInProcess:
    """Takes the place of kfp, and tells what the pipeline was given; test_recertification_run.py runs it under kfp."""
    found = RecertificationInProcess(tmp_path / "artifacts")
    monkeypatch.setattr(recertification_run, "run_pipeline", found.run)
    return found


@pytest.fixture
def store(chain: Chain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A copy of the chain's store, in the folder where the command runs."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(chain.store, tmp_path / "store")
    return open_store(str(tmp_path / "store"))


def recertified(command_line: CommandLine, chain: Chain, *options: object, certificate: str = "") -> Done:
    wanted = certificate or sha256_file(chain.files.certificate)
    return command_line(
        "recertify",
        wanted,
        "--key",
        chain.signing_key,
        "--reason",
        "a test",
        "--out",
        "bundle",
        "--workers",
        1,
        *options,
    )


def test_a_window_like_the_test_split_ends_in_a_new_certificate_that_can_be_certified_again(
    chain: Chain, store: Store, tmp_path: Path, command_line: CommandLine
) -> None:
    old = sha256_file(chain.files.certificate)
    found = recertified(command_line, chain, "--window", same_window(chain, tmp_path / "window.npz"))
    assert found.status == 0, found
    assert "window       HOLDS" in found.out
    assert "verdict      ACCEPTED" in found.out
    record = json.loads((tmp_path / "bundle" / "record.json").read_text())
    assert record["reason"] == f"recertification of {old[:12]} (signature not checked): a test"
    again = recertified(command_line, chain, certificate="digits")
    assert again.status == 0, again
    assert f"supersedes   {record['certificateSha256']}" in again.out


def test_a_drifted_window_ends_in_status_1_with_evidence_and_without_a_certificate(
    chain: Chain, store: Store, tmp_path: Path, command_line: CommandLine
) -> None:
    found = recertified(command_line, chain, "--window", drifted_window(chain, tmp_path / "window.npz"))
    assert found.status == 1
    assert "criteria not met on the window of 24 rows: clean_accuracy" in found.err
    assert "window       DOES NOT HOLD" in found.out
    (name,) = store.list_documents("windows/")
    (kept,) = windows_of(store, name.split("/")[1])
    assert (kept.holds, kept.certificate_sha256) == (False, sha256_file(chain.files.certificate))
    assert len(store.list_documents("certificates/")) == 1
    assert store.list_documents("published/") == []
    assert not (tmp_path / "bundle" / "certificate.json").exists()


def test_a_model_that_fails_is_trained_anew_where_that_is_registered_and_gets_a_certificate_of_its_own(
    chain: Chain, store: Store, tmp_path: Path, command_line: CommandLine
) -> None:
    """The window holds what the certified model gets wrong; one from another seed is right on enough of it."""
    old = certified_with_leave_to_train(chain, store)
    window = window_of_mistakes(chain, tmp_path / "window.npz")
    found = recertified(command_line, chain, "--window", window, "--run-token", "seed-of-a-test", certificate=old)
    assert found.status == 0, found
    judged = {line.split(" for ")[0] for line in found.out.splitlines() if line.startswith("window")}
    assert judged == {"window       DOES NOT HOLD", "window       HOLDS"}
    verified = command_line("verify", "bundle", "--key", chain.public_key)
    assert verified.status == 0, verified
    record = json.loads((tmp_path / "bundle" / "record.json").read_text())
    assert record["modelSha256"] != chain.predicate.model.sha256
    assert f"supersedes   {old}" in found.out
    assert [Path(name).parent.name for name in store.list_documents("published/")] == [record["modelSha256"]]


def certified_with_leave_to_train(chain: Chain, store: Store) -> str:
    """As if the chain's specification had allowed it: the same certificate with that section in its text."""
    text = small_specification(recertification={"retrain": "allowed"})
    loaded = parse_specification(text)

    def change(predicate: dict[str, Any]) -> None:
        digests = {"sha256": loaded.text_sha256, "canonicalSha256": loaded.canonical_sha256}
        predicate["specification"] = {**digests, "text": text}

    return issue(store, signed(chain, change), run_id="allowed", specification=store.put_bytes(text.encode()))


def window_of_mistakes(chain: Chain, path: Path) -> Path:
    """Rows of the test split that the certified model gets wrong."""
    assert chain.files.model is not None
    x, y = certified_rows(chain)
    module = load_model(chain.files.model).module
    with torch.no_grad():
        wrong = module(torch.as_tensor(x / 16, dtype=torch.float32)).argmax(dim=1).numpy() != y
    np.savez(path, x=x[wrong], y=y[wrong])
    return path


def test_a_window_off_its_contract_is_wrong_input(
    chain: Chain, store: Store, tmp_path: Path, command_line: CommandLine
) -> None:
    found = recertified(command_line, chain, "--window", window_off_contract(chain, tmp_path / "window.npz"))
    assert found.status == 2
    assert "the window breaks the contract" in found.err
    assert store.list_documents("windows/") == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--window", "none.npz"), "expected a window's file, got 'none.npz'"),
        (("--window", "s3://bucket/rows.npz"), "expected --window-sha256 for s3://"),
        (("--window-sha256", "ab" * 32), "expected --window with --window-sha256"),
        (("--window", "window.npz", "--window-sha256", "ab" * 32), "expected data with SHA-256 abab"),
        (("--key", "none"), "none"),
    ],
)
def test_wrong_options_are_one_line(
    chain: Chain, store: Store, tmp_path: Path, command_line: CommandLine, options: tuple[str, ...], said: str
) -> None:
    same_window(chain, tmp_path / "window.npz")
    found = recertified(command_line, chain, *options)
    assert found.status == 2
    assert said in found.err
    assert found.err.count("\n") <= 2


def test_an_unknown_certificate_and_a_damaged_bundle_are_refused_before_anything_runs(
    chain: Chain, store: Store, tmp_path: Path, command_line: CommandLine, in_process: RecertificationInProcess
) -> None:
    assert recertified(command_line, chain, certificate="0" * 64).status == 2
    model = chain.predicate.model.sha256
    (tmp_path / "store" / "objects" / "sha256" / model[:2] / model).write_bytes(b"other")
    found = recertified(command_line, chain)
    assert found.status == 2
    assert "missing or damaged" in found.err
    assert in_process.given == {}


def test_a_certificate_by_another_than_the_trusted_key_is_refused(
    chain: Chain, store: Store, command_line: CommandLine, in_process: RecertificationInProcess
) -> None:
    command_line("keys", "new", "other")
    found = recertified(command_line, chain, "--trusted-key", "other.pub")
    assert found.status == 1
    assert "expected a signature by key" in found.err
    assert in_process.given == {}
