"""A component alone, from its compiled pipeline by URI: run through kfp.local, on what a chain made before."""

from __future__ import annotations

import inspect
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from pipelines.compile import components
from robustcert.certificate.keys import load_verification_key
from robustcert.certificate.verify import read_statement
from robustcert.commands.replay import differences
from robustcert.provenance.digests import sha256_file
from robustcert.provenance.run_record import StepRecord
from tests.chain import Chain, small_specification

COMPONENTS = components()


def started(root: Path, name: str, folder: Path, arguments: dict[str, Any]) -> Path:
    """Runs pipelines/by_uri/<name>.yaml in a child, and returns the folder of the component's artifacts."""
    command = [sys.executable, "-m", "robustcert.local_pipeline", str(root / f"pipelines/by_uri/{name}.yaml")]
    text = json.dumps(arguments)
    done = subprocess.run([*command, str(folder)], input=text, capture_output=True, text=True, start_new_session=True)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    (artifacts,) = folder.glob(f"*/{name.replace('_', '-')}*")
    return artifacts


def inputs(root: Path, name: str) -> dict[str, Any]:
    document = next(yaml.safe_load_all((root / f"pipelines/by_uri/{name}.yaml").read_text()))
    found: dict[str, Any] = document["root"]["inputDefinitions"]["parameters"]
    return found


def test_an_evaluation_is_started_from_the_addresses_of_its_artifacts(root: Path, chain: Chain, tmp_path: Path) -> None:
    shutil.copytree(chain.store, tmp_path / "store")
    arguments = {
        "specification": small_specification(),
        "store": str(tmp_path / "store"),
        "dataset_uri": str(chain.bundle / "dataset.safetensors"),
        "model_uri": str(chain.bundle / "model.safetensors"),
    }
    made = started(root, "robustness_evaluation", tmp_path / "run", arguments)
    assert (made / "evidence").read_bytes() == (chain.bundle / "evaluation.parquet").read_bytes()
    assert (made / "adversarials").read_bytes() == (chain.bundle / "adversarials.safetensors").read_bytes()


def test_a_certificate_is_issued_from_a_list_of_addresses_of_shards(root: Path, chain: Chain, tmp_path: Path) -> None:
    shutil.copytree(chain.store, tmp_path / "store")
    work = chain.folder / "work"
    rows = pq.read_table(work / "shard0")
    halves = {"one": rows.slice(0, 7), "two": rows.slice(7)}
    record = StepRecord.model_validate_json((work / "shard_record0").read_bytes())
    for name, table in halves.items():
        pq.write_table(table, tmp_path / name)
        own = record.model_copy(update={"outputs": {"evidence": sha256_file(tmp_path / name)}})
        (tmp_path / f"record_{name}").write_text(own.model_dump_json(by_alias=True))
    single = {
        f"{name}_uri": str(work / file)
        for name, file in {
            "dataset": "dataset",
            "data_report": "report",
            "model": "model",
            "history": "history",
            "evaluation_evidence": "evaluation",
            "adversarials": "adversarials",
            "validity": "validity",
            "data_record": "data_record",
            "training_record": "training_record",
            "evaluation_record": "evaluation_record",
        }.items()
    }
    arguments = {
        "specification": small_specification(),
        "store": str(tmp_path / "store"),
        "signing_key": str(chain.signing_key),
        "run_id": "by-uri",
        **single,
        "shards_uris": [str(tmp_path / name) for name in halves],
        "shard_records_uris": [str(tmp_path / f"record_{name}") for name in halves],
    }
    made = started(root, "certificate_issue", tmp_path / "run", arguments)
    key = load_verification_key(chain.public_key)
    predicate = read_statement((made / "certificate").read_bytes(), key=key).predicate
    assert predicate.run.id == "by-uri"
    assert differences(predicate, chain.predicate) == []


@pytest.mark.parametrize("name", COMPONENTS)
def test_every_input_of_a_component_is_asked_for_and_described(root: Path, name: str) -> None:
    component = COMPONENTS[name]
    definition = component.component_spec.inputs
    found = inputs(root, name)
    wanted = {
        f"{item}_uris" if spec.is_artifact_list else f"{item}_uri" if "@" in str(spec.type) else item
        for item, spec in definition.items()
    } - {"job_id"}
    assert wanted <= set(found)
    assert set(found) - wanted >= {"image", "image_pull_secret"}
    assert [item for item, part in found.items() if not part.get("description", "").endswith(".")] == []


@pytest.mark.parametrize("name", COMPONENTS)
def test_a_default_of_a_component_is_its_default_here(root: Path, name: str) -> None:
    found = inputs(root, name)
    parameters = inspect.signature(COMPONENTS[name].python_func).parameters
    written = {key: item.default for key, item in parameters.items() if item.default is not inspect.Parameter.empty}
    assert {key: found[key]["defaultValue"] for key in written} == written
