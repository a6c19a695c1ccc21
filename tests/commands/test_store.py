"""export-bundle, inventory and lineage on a real store."""

from __future__ import annotations

import json
from pathlib import Path

from robustcert.provenance.digests import sha256_file
from tests.chain import Chain
from tests.command_line import CommandLine


def test_an_exported_bundle_is_the_original_and_verifies(
    command_line: CommandLine, chain: Chain, tmp_path: Path
) -> None:
    digest = sha256_file(chain.files.certificate)
    out = tmp_path / "bundle"
    assert command_line("export-bundle", digest[:12], "--out", out, "--store", chain.store).status == 0
    for path in chain.bundle.iterdir():
        assert (out / path.name).read_bytes() == path.read_bytes(), path.name
    assert command_line("verify", out, "--key", chain.public_key).status == 0


def test_inventory_prints_models(command_line: CommandLine, chain: Chain) -> None:
    assert chain.predicate.model.sha256 in command_line("inventory", "--store", chain.store).out


def test_lineage_prints_json_or_writes_a_picture(command_line: CommandLine, chain: Chain, tmp_path: Path) -> None:
    digest = sha256_file(chain.files.certificate)
    assert json.loads(command_line("lineage", digest, "--store", chain.store).out)["schemaVersion"] == "1"
    command_line("lineage", digest, "--store", chain.store, "--out", tmp_path / "graph.svg")
    assert (tmp_path / "graph.svg").read_text().startswith("<svg")
