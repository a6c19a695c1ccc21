"""Certification as a step: the same bytes for any number of shards and workers, in any order, after any crash."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from robustcert.certificate.evidence import CERTIFICATION_SCHEMA, certification_schema, read_rows, write_rows
from robustcert.certificate.evidence_merge import merge_certification
from robustcert.errors import DataError, InputError
from robustcert.models.files import load_model
from robustcert.provenance.run_record import StepRecord
from robustcert.smoothing.certify import certify
from robustcert.steps import certification_block
from robustcert.steps.certification import certify_shard
from robustcert.steps.certification_block import OpenFiles, certification_work
from robustcert.steps.certification_plan import plan_certification
from robustcert.steps.step import open_inputs
from tests.chain import Chain, small_specification

DRAWS = 32 + 512


@dataclass(frozen=True, kw_only=True)
class Certifying:
    """Planning and certifying in one folder, whose store stays."""

    chain: Chain
    folder: Path
    specification: str = small_specification()

    @property
    def given(self) -> dict[str, Any]:
        return {
            "specification": self.specification,
            "store": str(self.folder / "store"),
            "run_token": "",
            "dataset": self.chain.bundle / "dataset.safetensors",
            "model": self.chain.bundle / "model.safetensors",
            "plan": self.folder / "plan",
        }

    def plan(self, shards: int) -> list[str]:
        return plan_certification(**self.given, shards=shards)

    def certify(self, shard: str, *, workers: int = 1) -> Path:
        evidence = self.folder / f"evidence{shard.replace('/', 'of')}"
        certify_shard(
            **self.given, shard=shard, workers=workers, evidence=evidence, record=evidence.with_suffix(".json")
        )
        return evidence

    def merged(self, parts: list[Path]) -> bytes:
        planned = pq.read_table(self.chain.bundle / "certification.parquet")["sample"].to_pylist()
        merge_certification(parts, self.folder / "merged", sample_ids=planned)
        return (self.folder / "merged").read_bytes()

    @property
    def checkpoints(self) -> dict[str, bytes]:
        folder = self.folder / "store" / "steps" / "certification_block"
        return {path.name: path.read_bytes() for path in folder.glob("*")}


@pytest.fixture
def certifying(chain: Chain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Certifying:
    """Blocks of three samples, so that 16 samples are six blocks; in workers, which do not see it, all are one."""
    monkeypatch.setattr("robustcert.data.planned_samples.DRAWS_PER_BLOCK", 3 * DRAWS)
    return Certifying(chain=chain, folder=tmp_path)


@pytest.fixture(scope="module")
def whole(chain: Chain, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The table that one call of `certify` and one of `write_rows` give, as they did before there were blocks."""
    inputs = open_inputs(specification=small_specification(), store=str(tmp_path_factory.mktemp("none")))
    paths = {"dataset": chain.bundle / "dataset.safetensors", "model": chain.bundle / "model.safetensors"}
    work = certification_work(inputs, **paths)
    planned = pq.read_table(chain.bundle / "certification.parquet")["sample"].to_pylist()
    samples = OpenFiles(work).dataset.rows(planned)
    rows = certify(load_model(work.model), samples, certification=work.certification, key0=work.key0)
    target = tmp_path_factory.mktemp("whole") / "table"
    write_rows(rows, target, schema=CERTIFICATION_SCHEMA)
    return target.read_bytes()


@pytest.mark.parametrize(("shards", "workers"), [(1, 1), (1, 2), (3, 1), (16, 1)])
def test_shards_and_workers_change_no_byte_of_the_merged_evidence(
    certifying: Certifying, whole: bytes, shards: int, workers: int
) -> None:
    names = certifying.plan(shards)
    assert len(names) == min(shards, 6)
    parts = [certifying.certify(name, workers=workers) for name in reversed(names)]
    assert certifying.merged(parts) == whole
    assert len(certifying.checkpoints) == 6


class Killed(BaseException):
    """Takes the place of a signal: nothing in the step may catch it."""


def die_at_block(monkeypatch: pytest.MonkeyPatch, number: int) -> list[int]:
    """Lets the certification of block `number` end the step; returns the list of blocks that were begun."""
    begun: list[int] = []

    def dying(model: Any, dataset: Any, **given: Any) -> Any:
        begun.append(len(begun))
        if len(begun) == number:
            raise Killed
        return certify(model, dataset, **given)

    monkeypatch.setattr(certification_block, "certify", dying)
    return begun


@pytest.mark.parametrize("number", [1, 3, 6])
def test_after_a_crash_no_finished_block_is_certified_again(
    certifying: Certifying, whole: bytes, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    (name,) = certifying.plan(1)
    die_at_block(monkeypatch, number)
    with pytest.raises(Killed):
        certifying.certify(name)
    kept = certifying.checkpoints
    assert len(kept) == number - 1
    begun = die_at_block(monkeypatch, 0)
    assert certifying.merged([certifying.certify(name)]) == whole
    assert len(begun) == 6 - len(kept)
    assert kept.items() <= certifying.checkpoints.items()


def test_after_a_crash_another_number_of_shards_goes_on_from_the_finished_blocks(
    certifying: Certifying, whole: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = certifying.plan(2)
    certifying.certify(names[0])
    begun = die_at_block(monkeypatch, 2)
    with pytest.raises(Killed):
        certifying.certify(names[1])
    begun = die_at_block(monkeypatch, 0)
    assert certifying.merged([certifying.certify(name) for name in certifying.plan(5)]) == whole
    assert len(begun) == 6 - 4


def test_a_step_that_is_killed_by_the_system_goes_on_where_it_was(certifying: Certifying, whole: bytes) -> None:
    """SIGKILL of a real process once the store holds a block."""
    (name,) = certifying.plan(1)
    given = {key: str(value) for key, value in certifying.given.items()}
    program = (
        "import json, sys; from pathlib import Path; import robustcert.data.planned_samples as planned\n"
        f"planned.DRAWS_PER_BLOCK = {3 * DRAWS}\n"
        "from robustcert.steps.certification import certify_shard\n"
        "given = json.loads(sys.argv[1])\n"
        "paths = {key: Path(given.pop(key)) for key in ('dataset', 'model', 'plan')}\n"
        f"certify_shard(**given, **paths, shard={name!r}, workers=1, evidence=Path('e'), record=Path('r'))\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", program, json.dumps(given)]
    with subprocess.Popen(command, cwd=certifying.folder, env=environment, stdout=subprocess.PIPE) as step:
        assert step.stdout is not None
        line = step.stdout.readline()
        step.send_signal(signal.SIGKILL)
    assert line.startswith(b"::progress certification 3/16")
    kept = certifying.checkpoints
    assert kept
    assert certifying.merged([certifying.certify(name)]) == whole
    assert kept.items() <= certifying.checkpoints.items()


def test_progress_counts_samples_of_finished_blocks_too(
    certifying: Certifying, capsys: pytest.CaptureFixture[str]
) -> None:
    certifying.certify(certifying.plan(3)[0])
    (name,) = certifying.plan(1)
    capsys.readouterr()
    certifying.certify(name)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("::progress certification ")]
    assert [line.split()[2] for line in lines] == ["3/16", "6/16", "9/16", "12/16", "15/16", "16/16"]
    assert ["shard 1/1, already done" in line for line in lines] == [True, False, False, True, False, False]


def test_a_shard_that_is_finished_is_taken_whole_whatever_its_name(certifying: Certifying) -> None:
    first = certifying.certify(certifying.plan(1)[0]).read_bytes()
    shutil.rmtree(certifying.folder / "store" / "steps" / "certification_block")
    again = certifying.certify(certifying.plan(1)[0])
    record = StepRecord.model_validate_json(again.with_suffix(".json").read_bytes())
    assert (record.reused, again.read_bytes(), certifying.checkpoints) == (True, first, {})


def test_a_plan_for_another_specification_is_refused(certifying: Certifying) -> None:
    (name,) = certifying.plan(1)
    other = replace(certifying, specification=small_specification(name="other"))
    with pytest.raises(DataError, match=r"^expected a plan for this .*, got a plan for another specification; use"):
        other.certify(name)


def test_a_shard_that_the_plan_does_not_name_is_refused(certifying: Certifying) -> None:
    certifying.plan(2)
    with pytest.raises(DataError, match=r"^expected one of the plan's shards, 1/2 to 2/2, got '1/1'"):
        certifying.certify("1/1")


def test_a_shard_without_workers_is_refused(certifying: Certifying) -> None:
    (name,) = certifying.plan(1)
    with pytest.raises(InputError, match="expected at least 1 as workers, got 0"):
        certifying.certify(name, workers=0)


SEQUENTIAL: list[dict[str, Any]] = [
    {"method": "group-sequential", "n": 2000},
    {"method": "adaptive-pilot", "n": 2000, "tolerance": 0.1},
    {"method": "group-sequential", "n": 2000, "noise": "laplace", "candidate": "label"},
]


@pytest.mark.parametrize("method", SEQUENTIAL, ids=lambda method: "-".join(map(str, method.values())))
def test_methods_that_stop_early_give_the_same_evidence_in_any_shards_and_workers(
    chain: Chain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: dict[str, Any]
) -> None:
    """Against one call of `certify`; the plan cuts by what is expected, which each way here changes."""
    certification = yaml.safe_load(small_specification())["certification"] | method
    if method["method"] == "adaptive-pilot" or "candidate" in method:
        del certification["n0"]
    specification = small_specification(certification=certification)
    merged, rows = set(), None
    spread = ((1500, 1, 2),) if "candidate" in method else ((1500, 3, 1), (1, 16, 1))
    for draws, shards, workers in ((1 << 30, 1, 1), *spread):
        monkeypatch.setattr("robustcert.data.planned_samples.DRAWS_PER_BLOCK", draws)
        (folder := tmp_path / f"{draws}-{shards}-{workers}").mkdir()
        certifying = Certifying(chain=chain, folder=folder, specification=specification)
        names = certifying.plan(shards)
        assert len(names) == shards
        parts = [certifying.certify(name, workers=workers) for name in names]
        schema = certification_schema(method["method"])
        planned = pq.read_table(chain.bundle / "certification.parquet")["sample"].to_pylist()
        merge_certification(parts, folder / "merged", sample_ids=planned, schema=schema)
        merged.add((folder / "merged").read_bytes())
        rows = rows or list(read_rows(folder / "merged", schema=schema))
    work = certification_work(
        open_inputs(specification=specification, store=str(tmp_path / "none")),
        dataset=chain.bundle / "dataset.safetensors", model=chain.bundle / "model.safetensors",
    )  # fmt: skip
    samples = OpenFiles(work).dataset.rows(planned)
    assert len(merged) == 1
    assert rows == certify(load_model(work.model), samples, certification=work.certification, key0=work.key0)


def test_progress_tells_an_estimate_and_a_bound(
    chain: Chain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("robustcert.data.planned_samples.DRAWS_PER_BLOCK", 4000)
    certification = yaml.safe_load(small_specification())["certification"] | {"method": "group-sequential", "n": 2000}
    certifying = Certifying(
        chain=chain, folder=tmp_path, specification=small_specification(certification=certification)
    )
    (name,) = certifying.plan(1)
    certifying.certify(name)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("::progress certification")]
    assert re.search(r"shards: 1, draws a sample: about [\d,]+, at most 2,032$", lines[0])
    assert re.search(
        r"about \d+ s left, at most \d+ s \(\d[\d,]* draws a sample \w+( \w+)?, at most 2,032\)$", lines[1]
    )
    assert lines[-1].endswith("16/16 shard 1/1")
