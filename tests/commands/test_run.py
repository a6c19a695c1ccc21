"""run, end to end: the compiled pipeline through kfp.local in a child process, killed at random, repeated, refused."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml

from robustcert.certificate.bundle import files_in
from robustcert.certificate.keys import load_verification_key
from robustcert.certificate.schema import Predicate
from robustcert.certificate.verify import read_statement
from robustcert.commands.replay import differences
from robustcert.provenance.digests import sha256_file
from robustcert.storage.finished_steps import parse_finished
from tests.chain import Chain, small_specification
from tests.command_line import CommandLine

KILLS = 6
KILL_SEED = 7
LONGEST_WAIT = 12.0


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command_line: CommandLine) -> Path:
    """An empty folder with a specification and a key."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "spec.yaml").write_text(small_specification())
    command_line("keys", "new", "issuer")
    return tmp_path


def predicate(folder: Path, bundle: Path) -> Predicate:
    key = load_verification_key(folder / "issuer.pub")
    return read_statement(files_in(bundle).certificate.read_bytes(), key=key).predicate


def test_run_ends_in_a_bundle_that_verifies_and_equals_the_chain_run_by_hand_and_is_reused(
    here: Path, command_line: CommandLine, chain: Chain
) -> None:
    found = command_line("run", "spec.yaml", "--key", "issuer", "--out", "bundle", "--workers", 1)
    assert found.status == 0, found
    assert "verdict      ACCEPTED" in found.out
    assert command_line("verify", "bundle", "--key", "issuer.pub").status == 0
    assert differences(predicate(here, here / "bundle"), chain.predicate) == []
    assert command_line("run", "spec.yaml", "--key", "issuer", "--out", "again").status == 0
    record = json.loads((here / "again" / "record.json").read_text())
    assert [step["reused"] for step in record["steps"]] == [True] * 4


def test_killed_runs_leave_a_sound_store_and_the_next_one_equals_an_undisturbed_run(
    here: Path, command_line: CommandLine, chain: Chain
) -> None:
    command = [sys.executable, "-m", "robustcert.cli", "run", "spec.yaml", "--key", "issuer", "--out", "bundle"]
    chooser = random.Random(KILL_SEED)
    for _ in range(KILLS):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _wait(process, chooser.uniform(0.5, LONGEST_WAIT))
        process.send_signal(signal.SIGKILL)
        process.wait()
        _require_sound(here / "store")
    assert command_line("run", "spec.yaml", "--key", "issuer", "--out", "bundle").status == 0
    assert differences(predicate(here, here / "bundle"), chain.predicate) == []


def test_unmet_criteria_are_exit_1_with_a_bundle_that_no_verifier_accepts(
    here: Path, command_line: CommandLine
) -> None:
    document = yaml.safe_load(small_specification())
    document["acceptance"][0]["threshold"] = 0.999
    (here / "spec.yaml").write_text(yaml.safe_dump(document))
    found = command_line("run", "spec.yaml", "--key", "issuer", "--out", "bundle")
    assert (found.status, "verdict      REJECTED" in found.out) == (1, True), found
    assert "1 criteria not met: clean_accuracy" in found.err
    assert command_line("verify", "bundle", "--key", "issuer.pub").status == 1


def test_data_that_break_their_contract_stop_the_run_with_one_line(here: Path, command_line: CommandLine) -> None:
    np.savez(here / "own.npz", x=np.full((40, 1, 2, 2), np.nan), y=np.arange(40) % 2)
    contract = {"kind": "image", "shape": [1, 2, 2], "range": [0, 1], "classes": ["a", "b"]}
    provenance = {"source": "made by hand", "licence": "CC0-1.0", "collectedAt": "2026"}
    text = small_specification(data={"source": "own.npz", "contract": contract, "provenance": provenance})
    (here / "spec.yaml").write_text(text)
    found = command_line("run", "spec.yaml", "--key", "issuer", "--out", "bundle")
    assert found.status == 2
    assert found.err.startswith("robustcert: data validation found")
    assert not (here / "bundle" / "certificate.json").exists()


def test_an_official_run_needs_a_clean_work_tree(here: Path, command_line: CommandLine) -> None:
    found = command_line("run", "spec.yaml", "--key", "issuer", "--official")
    assert (found.status, "expected a committed specification for --official, got no git work tree" in found.err) == (
        2,
        True,
    )
    subprocess.run(["git", "init", "-q", "."], check=True)
    found = command_line("run", "spec.yaml", "--key", "issuer", "--official")
    assert (found.status, "changes on top of" in found.err or "no git work tree" in found.err) == (2, True)


@pytest.mark.parametrize("digest", ["abc", "Z" * 64])
def test_a_superseded_certificate_is_named_by_its_whole_digest(
    here: Path, command_line: CommandLine, digest: str
) -> None:
    assert command_line("run", "spec.yaml", "--key", "issuer", "--supersedes", digest).status == 2


def _wait(process: subprocess.Popen[bytes], seconds: float) -> None:
    end = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < end:
        time.sleep(0.05)


def _require_sound(store: Path) -> None:
    """Every object has the digest that its name says, and every step's document names objects that are there."""
    objects = [path for path in (store / "objects").rglob("*") if path.is_file() and len(path.name) == 64]
    assert all(sha256_file(path) == path.name for path in objects)
    held = {path.name for path in objects}
    for path in store.glob("steps/*/*.json"):
        finished = parse_finished(path.read_bytes())
        assert finished is not None
        assert set(finished.outputs.values()) <= held
    assert os.access(store, os.W_OK)
