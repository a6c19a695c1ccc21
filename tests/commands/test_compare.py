"""robustcert compare on real bundles."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.chain import Chain
from tests.command_line import CommandLine


def test_one_bundle_compared_with_itself_agrees(command_line: CommandLine, chain: Chain) -> None:
    found = command_line("compare", chain.bundle, chain.bundle, "--key", chain.public_key)
    assert found.status == 0
    assert "clean_accuracy" in found.out
    assert "16 identical" in found.out


def test_changed_evidence_is_refused(command_line: CommandLine, chain: Chain, tmp_path: Path) -> None:
    copy = shutil.copytree(chain.bundle, tmp_path / "copy")
    evidence = copy / "certification.parquet"
    evidence.write_bytes(evidence.read_bytes() + b" ")
    found = command_line("compare", chain.bundle, copy, "--key", chain.public_key)
    assert found.status == 1
    assert "certification evidence: SHA-256" in found.err


def test_a_folder_without_evidence_is_one_line(command_line: CommandLine, chain: Chain, tmp_path: Path) -> None:
    found = command_line("compare", chain.bundle, tmp_path, "--key", chain.public_key)
    assert found.status == 2
    assert "expected certificate and evidence" in found.err


def test_seeds_of_one_side_have_to_be_different_models(command_line: CommandLine, chain: Chain) -> None:
    found = command_line(
        *("compare", chain.bundle, chain.bundle, "--key", chain.public_key, "--also-first", chain.bundle)
    )
    assert found.status == 2
    assert "expected 2 models of one side, got 1 different" in found.err
