"""Components: thin, described, pinned, and each hands every one of its inputs to the step that it is named after."""

from __future__ import annotations

import ast
import inspect
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.image import IMAGE
from pipelines.compile import components
from robustcert import __version__
from robustcert.certificate.bundle import files_in, read_record
from robustcert.certificate.keys import load_verification_key, new_key, write_key_pair
from robustcert.certificate.verify import read_statement
from robustcert.errors import ClaimError
from robustcert.provenance.run_record import StepRecord
from robustcert.storage.store import open_store
from tests.chain import Chain, small_specification
from tests.components.in_process import InProcess

MOST_LINES = 15
COMPONENTS = components()
# What each component took and gave in the first release; made once, never made again.
FIRST_RELEASE = "first_release_interfaces.json"
PLAIN = {"STRING", "NUMBER_INTEGER", "BOOLEAN", "LIST"}


@pytest.fixture(scope="module")
def in_process(chain: Chain, tmp_path_factory: pytest.TempPathFactory) -> InProcess:
    """All components, on a copy of the chain's store: equal inputs mean that no step runs again."""
    folder = tmp_path_factory.mktemp("components")
    shutil.copytree(chain.store, folder / "store")
    write_key_pair(folder / "locked", new_key("ecdsa-p256"), passphrase=b"open sesame")
    run = InProcess(folder / "artifacts")
    arguments = {
        "specification": small_specification(),
        "store": str(folder / "store"),
        "signing_key": str(folder / "locked"),
        "run_id": "",
        "supersedes": "12" * 32,
        "reason": "a test of components",
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROBUSTCERT_KEY_PASSPHRASE", "open sesame")
        run.run("certified_training", arguments=arguments, log=folder / "log", on_progress=print)
    return run


def record(run: InProcess, name: str) -> StepRecord:
    return StepRecord.model_validate_json((run.folder / name).read_bytes())


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("data_record", {"dataset": "dataset.safetensors"}),
        ("training_record", {"model": "model.safetensors", "history": "training_history.json"}),
        ("evaluation_record", {"evidence": "evaluation.parquet", "adversarials": "adversarials.safetensors"}),
        ("shard1of1_record", {"shard1of1_evidence": "certification.parquet"}),
    ],
)
def test_a_component_asks_its_step_for_exactly_what_the_chain_made(
    in_process: InProcess, chain: Chain, name: str, made: dict[str, str]
) -> None:
    assert record(in_process, name).reused, "another input, and the step would have run again"
    for artifact, file in made.items():
        assert (in_process.folder / artifact).read_bytes() == (chain.bundle / file).read_bytes()


def test_the_certificate_is_signed_with_a_locked_key_and_the_engines_run_id(
    in_process: InProcess, chain: Chain
) -> None:
    key = load_verification_key(in_process.folder.parent / "locked.pub")
    predicate = read_statement((in_process.folder / "certificate").read_bytes(), key=key).predicate
    assert (predicate.run.id, predicate.supersedes) == ("the-engines-own", ("12" * 32,))
    assert predicate.results == chain.predicate.results
    kept = read_record(open_store(str(in_process.folder.parent / "store")), "the-engines-own")
    assert (kept.reason, kept.outcome) == ("a test of components", "accepted")
    assert (in_process.folder / "report.html").read_text().startswith("<!doctype html>")
    assert files_in(chain.bundle).certificate.exists()


def test_a_gate_fails_on_what_did_not_pass() -> None:
    COMPONENTS["gate"].python_func(passed=True, reason="")
    with pytest.raises(ClaimError, match="1 criteria not met"):
        COMPONENTS["gate"].python_func(passed=False, reason="1 criteria not met")


def compiled(root: Path, name: str) -> dict[str, Any]:
    document: dict[str, Any] = next(yaml.safe_load_all((root / f"components/{name}/component.yaml").read_text()))
    return document


def body(name: str) -> list[ast.stmt]:
    """Statements of a component's function, without its docstring."""
    tree = ast.parse(inspect.getsource(COMPONENTS[name].python_func))
    function = next(node for node in tree.body if isinstance(node, ast.FunctionDef))
    return function.body[1:]


def test_every_folder_is_a_component_of_that_name(root: Path) -> None:
    assert {path.parent.name for path in (root / "components").glob("*/component.py")} == set(COMPONENTS)
    assert {compiled(root, name)["pipelineInfo"]["name"].replace("-", "_") for name in COMPONENTS} == set(COMPONENTS)


@pytest.mark.parametrize("name", COMPONENTS)
def test_a_component_is_import_call_write_in_at_most_fifteen_lines(name: str) -> None:
    statements = body(name)
    assert sum(len(ast.unparse(node).splitlines()) for node in statements) <= MOST_LINES
    steps = [
        node for node in statements if isinstance(node, ast.ImportFrom) and str(node.module).startswith("robustcert")
    ]
    assert [node.module for node in steps] == [f"robustcert.steps.{name}"]
    assert not [node for node in statements if isinstance(node, ast.If | ast.For | ast.While | ast.Try | ast.With)]


@pytest.mark.parametrize("name", COMPONENTS)
def test_every_parameter_is_handed_on(name: str) -> None:
    used = {node.id for part in body(name) for node in ast.walk(part) if isinstance(node, ast.Name)}
    assert set(inspect.signature(COMPONENTS[name].python_func).parameters) <= used


@pytest.mark.parametrize("name", COMPONENTS)
def test_every_input_and_output_is_described_and_plain(root: Path, name: str) -> None:
    definition = compiled(root, name)["components"][f"comp-{name.replace('_', '-')}"]
    inputs, outputs = definition.get("inputDefinitions", {}), definition.get("outputDefinitions", {})
    described = [
        (name, item.get("description", ""))
        for part in (inputs, outputs)
        for kind in ("parameters", "artifacts")
        for name, item in part.get(kind, {}).items()
    ]
    assert [name for name, description in described if not description] == []
    kinds = {item["parameterType"] for part in (inputs, outputs) for item in part.get("parameters", {}).values()}
    assert kinds <= PLAIN


@pytest.mark.parametrize("name", COMPONENTS)
def test_a_component_runs_in_the_one_pinned_image_and_installs_nothing(root: Path, name: str) -> None:
    container = compiled(root, name)["deploymentSpec"]["executors"][f"exec-{name.replace('_', '-')}"]["container"]
    assert container["image"] == IMAGE == f"ghcr.io/robustcert/robustcert:{__version__}"
    assert "pip install" not in json.dumps(container)
    assert "env" not in container


@pytest.mark.parametrize("name", COMPONENTS)
def test_defaults_of_a_component_are_those_of_its_compiled_form(root: Path, name: str) -> None:
    definition = compiled(root, name)["components"][f"comp-{name.replace('_', '-')}"]
    parameters = definition.get("inputDefinitions", {}).get("parameters", {})
    written = {
        key: parameter.default
        for key, parameter in inspect.signature(COMPONENTS[name].python_func).parameters.items()
        if parameter.default is not inspect.Parameter.empty
    }
    assert {key: item["defaultValue"] for key, item in parameters.items() if "defaultValue" in item} == written


def interface(root: Path, name: str) -> dict[str, dict[str, str]]:
    """Inputs and outputs of a compiled component with their types."""
    definition = compiled(root, name)["components"][f"comp-{name.replace('_', '-')}"]
    return {
        part: {
            key: item.get("parameterType") or item["artifactType"]["schemaTitle"]
            for kind in ("parameters", "artifacts")
            for key, item in definition.get(f"{part}Definitions", {}).get(kind, {}).items()
        }
        for part in ("input", "output")
    }


@pytest.mark.parametrize("name", COMPONENTS)
def test_a_component_can_take_the_place_of_its_first_release(root: Path, name: str) -> None:
    """It takes what could be given to that, asks for no more, and gives what that gave."""
    first = json.loads((root / "tests/components" / FIRST_RELEASE).read_text())[name]
    now = interface(root, name)
    assert {key: now["input"].get(key) for key in first["input"]} == first["input"]
    assert {key: now["output"].get(key) for key in first["output"]} == first["output"]
    definition = compiled(root, name)["components"][f"comp-{name.replace('_', '-')}"].get("inputDefinitions", {})
    added = set(now["input"]) - set(first["input"])
    assert [key for key in added if "defaultValue" not in definition.get("parameters", {}).get(key, {})] == []
