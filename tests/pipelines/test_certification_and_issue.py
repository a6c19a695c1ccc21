"""The fan-out over shards: the evidence of 1, 3 and 16 shards is the same to the byte, also through kfp's loop."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from robustcert.certificate.bundle import export_bundle, read_record
from robustcert.data import planned_samples
from robustcert.storage.store import open_store
from tests.chain import Chain, small_specification
from tests.components.in_process import InProcess

SAMPLES = 16
EVIDENCE = "certification.parquet"


def own_model(**certification: int) -> str:
    """A specification of the chain's own model, brought in as a file."""
    document = yaml.safe_load(small_specification())
    document["model"]["weights"] = "model.safetensors"
    document["certification"] |= certification
    del document["training"]
    return yaml.safe_dump(document)


def arguments(folder: Path, chain: Chain, *, specification: str, shards: int) -> dict[str, object]:
    return {
        "specification": specification,
        "store": str(folder / "store"),
        "signing_key": str(chain.signing_key),
        "source_folder": str(chain.bundle),
        "run_id": "sharded",
        "reason": "a test of shards",
        "supersedes": "",
        "shards": shards,
    }


def in_process(folder: Path, given: dict[str, object]) -> InProcess:
    run = InProcess(folder / "artifacts")
    run.run("certify_model", arguments=given, log=folder / "log", on_progress=print)
    return run


def evidence(folder: Path) -> bytes:
    store = open_store(str(folder / "store"))
    export_bundle(store, read_record(store, "sharded"), folder / "bundle")
    return (folder / "bundle" / EVIDENCE).read_bytes()


@pytest.mark.parametrize("shards", [1, 3, SAMPLES])
def test_any_number_of_shards_gives_the_evidence_of_one_block(
    chain: Chain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shards: int
) -> None:
    monkeypatch.setattr(planned_samples, "DRAWS_PER_BLOCK", 1)  # each sample is a block; the chain's are all in one
    run = in_process(tmp_path, arguments(tmp_path, chain, specification=own_model(), shards=shards))
    assert len(list(run.folder.glob("shard*_evidence"))) == shards
    assert evidence(tmp_path) == (chain.bundle / EVIDENCE).read_bytes()


def test_the_compiled_loop_gives_the_same_evidence_and_one_record_per_shard(
    root: Path, chain: Chain, tmp_path: Path
) -> None:
    four_blocks = own_model(n=40_000, samples=4)
    alone, looped = tmp_path / "alone", tmp_path / "looped"
    for folder in (alone, looped):
        shutil.copytree(chain.store, folder / "store")  # data and evaluation are done
    in_process(alone, arguments(alone, chain, specification=four_blocks, shards=1))
    pipeline = root / "pipelines/certify_model.yaml"
    command = [sys.executable, "-m", "robustcert.local_pipeline", str(pipeline), str(looped / "work")]
    text = json.dumps(arguments(looped, chain, specification=four_blocks, shards=3))
    done = subprocess.run(command, input=text, capture_output=True, text=True, start_new_session=True)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert evidence(looped) == evidence(alone)
    record = read_record(open_store(str(looped / "store")), "sharded")
    assert [step.step for step in record.steps].count("certification") == 3
    assert "::progress publish 1/1" in done.stdout
