"""A recertification's order, and the one run of the compiled pipeline under kfp that proves how it is connected."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from robustcert.certificate.bundle import files_in
from robustcert.certificate.keys import load_verification_key
from robustcert.certificate.verify import read_statement
from robustcert.certificate.window import windows_of
from robustcert.commands import recertification_run
from robustcert.provenance.digests import sha256_file
from robustcert.storage.store import open_store
from tests.chain import Chain
from tests.command_line import CommandLine
from tests.windows import same_window


def test_the_compiled_pipeline_ends_in_a_certificate_that_supersedes_and_verifies(
    chain: Chain, tmp_path: Path, command_line: CommandLine
) -> None:
    shutil.copytree(chain.store, tmp_path / "store")
    old, window = sha256_file(chain.files.certificate), same_window(chain, tmp_path / "window.npz")
    options = ("--store", tmp_path / "store", "--key", chain.signing_key, "--reason", "a drill", "--workers", 1)
    more = ("--window", window, "--trusted-key", chain.public_key, "--out", tmp_path / "bundle", "--shards", 2)
    found = command_line("recertify", old[:12], *options, *more)
    assert found.status == 0, found
    assert "HOLDS" in found.out
    assert f"supersedes   {old}" in found.out
    assert command_line("verify", tmp_path / "bundle", "--key", chain.public_key).status == 0
    key = load_verification_key(chain.public_key)
    predicate = read_statement(files_in(tmp_path / "bundle").certificate.read_bytes(), key=key).predicate
    assert predicate.supersedes == (old,)
    assert predicate.model == chain.predicate.model
    assert predicate.results == chain.predicate.results
    record = json.loads((tmp_path / "bundle" / "record.json").read_text())
    assert [step["reused"] for step in record["steps"]] == [False] * len(record["steps"]), "evidence is fresh"
    assert "signed by the key" in record["reason"]
    (kept,) = windows_of(open_store(str(tmp_path / "store")), record["runId"])
    assert kept.holds
    (published,) = (tmp_path / "store" / "published" / "digits").glob("*/*.json")
    assert json.loads(published.read_text())["certificateSha256"] == record["certificateSha256"]


def test_the_pipeline_asks_for_nothing_that_the_order_does_not_give(root: Path, chain: Chain) -> None:
    import yaml

    order = recertification_run.RecertificationOrder(
        certificate_sha256="ab" * 32,
        store=open_store(str(chain.store)),
        key=chain.signing_key,
        target=Path("out"),
        shards=1,
        workers=1,
        reason="a test",
        run_token="",
        trusted_key="",
        window="",
        window_sha256="",
    )
    text = (root / "pipelines" / "recertification.yaml").read_text()
    (document,) = yaml.safe_load_all(text.split("\n---\n")[0])
    inputs = document["root"]["inputDefinitions"]["parameters"]
    given = recertification_run._arguments(order, "run")
    assert set(given) <= set(inputs)
    assert {name for name, item in inputs.items() if not item.get("isOptional")} <= set(given)
