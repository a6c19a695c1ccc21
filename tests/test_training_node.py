"""Oracle: the store, in which the pipeline's own step has to find what the nodes left."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import ClassVar, NoReturn

import pytest
import yaml

from robustcert import training_node
from robustcert.errors import DataError, InputError
from robustcert.models.files import load_model
from robustcert.provenance.digests import sha256_file
from robustcert.steps.adversarial_training import train_model
from robustcert.steps.data_validation import validate_data
from robustcert.storage.store import open_store
from robustcert.training.train_job import NodePool, TrainJob
from robustcert.training.world import World
from robustcert.training_node import NOTHING_TO_DO, TRAIN, NodeOptions, other_part, place, run_node
from tests.chain import small_specification


def specification() -> str:
    document = yaml.safe_load(small_specification())
    document["training"]["epochs"] = 1
    return yaml.safe_dump(document)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def torchrun(store: Path, *, processes: int) -> subprocess.CompletedProcess[str]:
    """The very command of the manifest, under the variables that Trainer sets on a single node."""
    job = TrainJob(name="j", specification=specification(), store="s3://bucket", image="i", nodes=1, pool=NodePool())
    trainer = job.manifest()["spec"]["trainer"]
    words = [word.replace("$$", "$") for word in trainer["command"] + trainer["args"]]
    names = {"python3": sys.executable, "s3://bucket": str(store)}
    variables = {
        "PET_NNODES": "1",
        "PET_NPROC_PER_NODE": str(processes),
        "PET_NODE_RANK": "0",
        "PET_MASTER_ADDR": "127.0.0.1",
        "PET_MASTER_PORT": str(free_port()),
        "OMP_NUM_THREADS": "1",
    }
    command = [names.get(word, word) for word in words]
    return subprocess.run(
        command, env=os.environ | variables, cwd=store.parent, capture_output=True, text=True, timeout=300
    )


def never(*_: object, **__: object) -> NoReturn:
    raise AssertionError("trained")


def step(store: Path, folder: Path, *, processes: int) -> Path:
    """The pipeline's two steps after the nodes; training anew is an AssertionError."""
    common = {"specification": specification(), "store": str(store), "source_folder": "", "run_token": ""}
    made = {name: folder / name for name in ("dataset", "report", "record", "model", "history")}
    validate_data(**common, dataset=made["dataset"], report=made["report"], record=made["record"])
    train_model(
        **common,
        processes=processes,
        trainer=never,
        dataset=made["dataset"],
        model=made["model"],
        history=made["history"],
        record=made["record"],
    )
    return made["model"]


def alone(monkeypatch: pytest.MonkeyPatch, options: NodeOptions) -> None:
    """One process that is a world of its own."""
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.setenv("MASTER_PORT", str(free_port()))
    run_node(options, variables={"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0"})


def test_the_pipeline_finds_what_two_processes_trained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = tmp_path / "store"
    done = torchrun(store, processes=2)
    assert done.returncode == 0, done.stderr
    assert "::progress adversarial_training 1/1 validation:" in done.stdout
    model = step(store, tmp_path, processes=2)
    assert "::progress adversarial_training 1/1 already done" in capsys.readouterr().out
    assert open_store(str(store)).intact(sha256_file(model))
    assert load_model(model).card.architecture == "mlp"
    with pytest.raises(AssertionError, match="trained"):
        step(store, tmp_path, processes=1)


def test_a_job_that_starts_again_after_its_end_trains_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = NodeOptions(specification=specification(), store=str(tmp_path / "store"))
    alone(monkeypatch, options)
    assert "1/1 validation:" in capsys.readouterr().out
    alone(monkeypatch, options)
    assert "1/1 already done" in capsys.readouterr().out


class Told(World):
    """A world whose first process has said these things."""

    words: ClassVar[list[bytes]] = []

    def from_first(self, data: bytes) -> bytes:
        said = self.words.pop(0)
        assert len(said) == len(data)
        return said


def test_others_take_the_first_ones_data_and_train_only_when_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = NodeOptions(specification=specification(), store=str(tmp_path / "store"))
    digest = open_store(options.store).put_bytes(b"the data set")
    Told.words[:] = [bytes.fromhex(digest), NOTHING_TO_DO]
    other_part(Told(rank=1, size=2), options, tmp_path)
    assert (tmp_path / "dataset").read_bytes() == b"the data set"
    assert Told.words == []
    Told.words[:] = [bytes.fromhex(digest), TRAIN]
    monkeypatch.setattr(training_node, "load_dataset", lambda path: path)
    monkeypatch.setattr(training_node, "train_together", never)
    with pytest.raises(AssertionError, match="trained"):
        other_part(Told(rank=1, size=2), options, tmp_path)


def test_other_data_than_registered_end_the_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    document = yaml.safe_load(specification())
    document["data"]["sha256"] = "0" * 64
    options = NodeOptions(specification=yaml.safe_dump(document), store=str(tmp_path / "store"))
    with pytest.raises(DataError, match="expected data with SHA-256 0000"):
        alone(monkeypatch, options)


def test_without_torchrun_it_says_how_it_is_started() -> None:
    with pytest.raises(InputError, match=r"a number in the variable RANK, got none; start it with torchrun \.\.\. -m"):
        place({})
    with pytest.raises(InputError, match="a number in the variable WORLD_SIZE, got many"):
        place({"RANK": "0", "WORLD_SIZE": "many", "LOCAL_RANK": "0"})
