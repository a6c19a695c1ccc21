"""The lint of compiled files: nothing is found on the committed ones, and every change for the worse is."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tools import lint_pipelines
from tools.compiled_file import UnreadableError, read_compiled
from tools.lint_pipelines import Finding, committed_files, lint, main

Documents = list[dict[str, Any]]

COMPUTES = ("adversarial-training", "robustness-evaluation", "certification")


def load(path: Path) -> Documents:
    return list(yaml.load_all(path.read_text(), Loader=yaml.CSafeLoader))


@pytest.fixture(scope="module")
def pipeline(root: Path) -> Documents:
    return load(root / "pipelines/certified_training.yaml")


def findings(folder: Path, documents: Documents, *, name: str = "changed.yaml") -> list[Finding]:
    path = folder / name
    path.write_text(yaml.dump_all(documents, Dumper=yaml.CSafeDumper))
    return lint(read_compiled(path), name=name)


def container(documents: Documents, label: str) -> dict[str, Any]:
    found: dict[str, Any] = documents[0]["deploymentSpec"]["executors"][f"exec-{label}"]["container"]
    return found


def kubernetes(documents: Documents, label: str) -> dict[str, Any]:
    executors = documents[1]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    found: dict[str, Any] = executors[f"exec-{label}"]
    return found


def component(documents: Documents, name: str) -> dict[str, Any]:
    found: dict[str, Any] = documents[0]["components"][f"comp-{name}"]
    return found


def root_inputs(documents: Documents) -> dict[str, Any]:
    found: dict[str, Any] = documents[0]["root"]["inputDefinitions"]["parameters"]
    return found


def loop(documents: Documents) -> dict[str, Any]:
    found: dict[str, Any] = component(documents, "certification-and-issue")["dag"]["tasks"]["for-loop-1"]
    return found


def root_tasks(documents: Documents) -> dict[str, Any]:
    found: dict[str, Any] = documents[0]["root"]["dag"]["tasks"]
    return found


def test_no_committed_file_has_a_finding() -> None:
    files = committed_files()
    assert len(files) >= 24
    assert [item for path in files for item in lint(read_compiled(path), name=path.name)] == []


def without(*keys: str) -> Callable[[dict[str, Any]], None]:
    """Removes the part at the end of a path of keys."""

    def change(part: dict[str, Any]) -> None:
        for key in keys[:-1]:
            part = part[key]
        del part[keys[-1]]

    return change


IN_CONTAINER = [
    ("resources", "accelerator"),
    ("resources", "accelerator", "resourceType"),
    ("resources", "accelerator", "resourceCount"),
    ("resources", "resourceCpuRequest"),
    ("resources", "resourceCpuLimit"),
    ("resources", "resourceMemoryRequest"),
    ("resources", "resourceMemoryLimit"),
]
IN_KUBERNETES = ["nodeSelector", "tolerations", "nodeAffinity", "emptyDirMounts", "activeDeadlineSeconds"]


@pytest.mark.parametrize("label", COMPUTES)
@pytest.mark.parametrize("keys", IN_CONTAINER, ids=".".join)
def test_each_missing_resource_of_each_step_that_computes_is_found(
    pipeline: Documents, tmp_path: Path, label: str, keys: tuple[str, ...]
) -> None:
    changed = copy.deepcopy(pipeline)
    without(*keys)(container(changed, label))
    found = findings(tmp_path, changed)
    assert {item.rule for item in found} == {"gpu-pool-settings"}
    assert all(f"exec-{label} lacks" in item.where for item in found)


@pytest.mark.parametrize("label", COMPUTES)
@pytest.mark.parametrize("key", IN_KUBERNETES)
def test_each_missing_setting_of_kubernetes_of_each_step_that_computes_is_found(
    pipeline: Documents, tmp_path: Path, label: str, key: str
) -> None:
    changed = copy.deepcopy(pipeline)
    without(key)(kubernetes(changed, label))
    (found,) = findings(tmp_path, changed)
    assert (found.rule, f"exec-{label} lacks" in found.where) == ("gpu-pool-settings", True)


def set_image(image: str, *, label: str = "gate") -> Callable[[Documents], None]:
    return lambda documents: container(documents, label).update(image=image)


def set_default_image(image: str) -> Callable[[Documents], None]:
    return lambda documents: root_inputs(documents)["image"].update(defaultValue=image)


def add_to_command(text: str) -> Callable[[Documents], None]:
    return lambda documents: container(documents, "gate")["command"].insert(2, text)


def add_environment(name: str, value: str) -> Callable[[Documents], None]:
    return lambda documents: container(documents, "publish").update(env=[{"name": name, "value": value}])


def add_input(name: str, **item: Any) -> Callable[[Documents], None]:
    given = {"parameterType": "STRING", "description": "Something.", **item}
    return lambda documents: root_inputs(documents).update({name: given})


def take_output_into_loop(documents: Documents) -> None:
    """Pattern 2: the loop's body uses a parameter of a task beside the loop."""
    source = {"taskOutputParameter": {"producerTask": "certificate-issue", "outputParameterKey": "summary"}}
    loop(documents)["inputs"]["parameters"]["pipelinechannel--store"] = source


def loop_over_a_task(documents: Documents) -> None:
    source = {"taskOutputParameter": {"producerTask": "certificate-issue", "outputParameterKey": "summary"}}
    loop(documents)["inputs"]["parameters"]["pipelinechannel--shard_names"] = source


def take_output_into_loop_through_a_branch(documents: Documents) -> None:
    """The same, where a condition stands between the task and the loop."""
    nested = component(documents, "certification-and-issue")
    tasks = nested["dag"]["tasks"]
    inner = {"for-loop-1": tasks.pop("for-loop-1")}
    channel = "pipelinechannel--certificate-issue-summary"
    inner["for-loop-1"]["inputs"]["parameters"]["pipelinechannel--store"] = {"componentInputParameter": channel}
    documents[0]["components"]["comp-condition-1"] = {
        "dag": {"tasks": inner},
        "inputDefinitions": {
            "parameters": {channel: {"parameterType": "STRING"}, **nested["inputDefinitions"]["parameters"]}
        },
    }
    source = {"taskOutputParameter": {"producerTask": "certificate-issue", "outputParameterKey": "summary"}}
    tasks["condition-1"] = {"componentRef": {"name": "comp-condition-1"}, "inputs": {"parameters": {channel: source}}}


def condition(text: str) -> Callable[[Documents], None]:
    def change(documents: Documents) -> None:
        root_tasks(documents)["publish"]["triggerPolicy"] = {"condition": text}

    return change


def forget_a_channel(documents: Documents) -> None:
    """What kfp 2.17 compiles where resources in a loop are inputs that nothing registered."""
    del component(documents, "for-loop-1")["inputDefinitions"]["parameters"]["pipelinechannel--gpus"]


def forget_a_setting(documents: Documents) -> None:
    del component(documents, "for-loop-1")["inputDefinitions"]["parameters"]["pipelinechannel--tolerations"]


def swell(documents: Documents) -> None:
    for number in range(120):
        twin = copy.deepcopy(component(documents, "certificate-issue"))
        documents[0]["components"][f"comp-twin-{number}"] = twin | {"description": "x" * 10_000}


def swell_one_component(documents: Documents) -> None:
    component(documents, "gate")["description"] = "x" * (128 << 10)


def swell_inputs(documents: Documents) -> None:
    root_tasks(documents)["gate"]["inputs"]["parameters"]["reason"] = {"runtimeValue": {"constant": "x" * (128 << 10)}}


def only_artifacts(documents: Documents) -> None:
    documents[0]["components"]["comp-nested"] = {
        "dag": {"tasks": {}},
        "inputDefinitions": {"artifacts": {"model": {"artifactType": {"schemaTitle": "system.Model"}}}},
    }


def two_sources(documents: Documents) -> None:
    outputs = component(documents, "certification-and-issue")["dag"]["outputs"]["artifacts"]["certificate"]
    outputs["artifactSelectors"].append({"outputArtifactKey": "certificate", "producerSubtask": "other"})


def secret_for_all(documents: Documents) -> None:
    mounted = kubernetes(documents, "certificate-issue")["secretAsVolume"]
    kubernetes(documents, "publish")["secretAsVolume"] = mounted


def secret_of_a_fixed_name(documents: Documents) -> None:
    mounted = {"secretNameParameter": {"runtimeValue": {"constant": "robustcert-signing-key"}}, "mountPath": "/key"}
    kubernetes(documents, "certification")["secretAsVolume"] = [mounted]


def registry_secret_for_all(documents: Documents) -> None:
    kubernetes(documents, "gate")["secretAsVolume"] = kubernetes(documents, "publish")["secretAsVolume"]


def split_installation(documents: Documents) -> None:
    container(documents, "gate")["command"] = ["pip", "install", "torch"]


def image_of_another_input(documents: Documents) -> None:
    """The nested pipeline takes its image from an input of another name, whose default is not pinned."""
    add_input("container", defaultValue="robustcert:latest")(documents)
    nested = root_tasks(documents)["certification-and-issue"]["inputs"]["parameters"]
    nested["image"] = {"componentInputParameter": "container"}


def image_of_a_constant(documents: Documents) -> None:
    nested = root_tasks(documents)["certification-and-issue"]["inputs"]["parameters"]
    nested["image"] = {"runtimeValue": {"constant": "robustcert:latest"}}


def fixed_node_selector(documents: Documents) -> None:
    fixed = {"nodeSelectorJson": {"runtimeValue": {"constant": {"pool": "ours"}}}}
    kubernetes(documents, "certification")["nodeSelector"] = fixed


def condition_masked_by_a_shorter_name(documents: Documents) -> None:
    """A text whose name begins as a bool's does."""
    condition("inputs.parameter_values['passed_text'] == 'yes'")(documents)
    component(documents, "publish")["inputDefinitions"]["parameters"]["passed"] = {"parameterType": "BOOLEAN"}


def take_output_into_loop_of_a_loop(documents: Documents) -> None:
    """Pattern 2 with two loops, of which the inner one's body uses the parameter."""
    take_output_into_loop_through_a_branch(documents)
    tasks = component(documents, "certification-and-issue")["dag"]["tasks"]
    tasks["for-loop-2"] = tasks.pop("condition-1") | {"parameterIterator": {"itemInput": "x"}}


def cached(documents: Documents) -> None:
    root_tasks(documents)["publish"]["cachingOptions"] = {"enableCache": True}


MUTATIONS: dict[str, tuple[str, Callable[[Documents], Any]]] = {
    "literal image": ("node-settings", set_image("ghcr.io/robustcert/robustcert:0.1.0")),
    "no pull secret": ("node-settings", lambda documents: kubernetes(documents, "gate").pop("imagePullSecret")),
    "cached": ("node-settings", cached),
    "no tag": ("pinned-image", set_image("ghcr.io/robustcert/robustcert")),
    "latest": ("pinned-image", set_image("ghcr.io/robustcert/robustcert:latest")),
    "short digest": ("pinned-image", set_image("ghcr.io/robustcert/robustcert@sha256:abc")),
    "default without tag": ("pinned-image", set_default_image("registry:5000/robustcert")),
    "default latest": ("pinned-image", set_default_image("ghcr.io/robustcert/robustcert:latest")),
    "pip": ("no-installation", add_to_command("python3 -m pip install --quiet torch==2.13.0")),
    "pip3": ("no-installation", add_to_command("pip3 install torch")),
    "ensurepip": ("no-installation", add_to_command("python3 -m ensurepip")),
    "apt": ("no-installation", add_to_command("apt-get -y install git")),
    "secret in the environment": ("no-secret", add_environment("AWS_SECRET_ACCESS_KEY", "abc")),
    "secret in a value": ("no-secret", add_environment("KEY", "AKIAIOSFODNN7EXAMPLE")),
    "secret in a default": ("no-secret", add_input("text", defaultValue="-----BEGIN PRIVATE KEY-----")),
    "secret in an address": ("no-secret", add_input("address", defaultValue="s3://user:word@bucket/key")),
    "secret as an input": ("no-secret", add_input("passphrase")),
    "secret of a step": (
        "no-secret",
        lambda documents: component(documents, "publish")["inputDefinitions"]["parameters"].update(
            registry_secret={"parameterType": "STRING"}
        ),
    ),
    "signing secret elsewhere": ("secrets-in-place", secret_for_all),
    "store secret missing": ("secrets-in-place", lambda documents: kubernetes(documents, "publish").pop("secretAsEnv")),
    "store files missing": (
        "secrets-in-place",
        lambda documents: kubernetes(documents, "publish").pop("secretAsVolume"),
    ),
    "large file": ("size", swell),
    "large component": ("size", swell_one_component),
    "large default": ("size", add_input("long", defaultValue="x" * 10_000)),
    "pip line by line": ("no-installation", add_to_command("subprocess.run(['pip',\n    'install', 'torch'])")),
    "pip word by word": ("no-installation", split_installation),
    "token in the environment": ("no-secret", add_environment("HF_TOKEN", "abc")),
    "secret of a fixed name": ("secrets-in-place", secret_of_a_fixed_name),
    "registry secret elsewhere": ("secrets-in-place", registry_secret_for_all),
    "unpinned in a nested pipeline": ("pinned-image", set_image("x:latest", label="certification")),
    "unpinned by another input": ("pinned-image", image_of_another_input),
    "unpinned by a constant": ("pinned-image", image_of_a_constant),
    "fixed node selector": ("gpu-pool-settings", fixed_node_selector),
    "masked string condition": ("string-condition", condition_masked_by_a_shorter_name),
    "pattern 2 in two loops": ("loop-over-output", take_output_into_loop_of_a_loop),
    "no description": ("described", add_input("what", description="")),
    "string condition": ("string-condition", condition("inputs.parameter_values['registry'] == 'yes'")),
    "condition on what is unknown": ("string-condition", condition("'a' == 'a'")),
    "pattern 2": ("loop-over-output", take_output_into_loop),
    "loop over a task": ("loop-over-output", loop_over_a_task),
    "pattern 2 through a branch": ("loop-over-output", take_output_into_loop_through_a_branch),
    "channel that kfp forgot": ("undeclared-input", forget_a_channel),
    "setting that kfp forgot": ("undeclared-input", forget_a_setting),
    "NaN": ("not-a-number", add_input("rate", parameterType="NUMBER_DOUBLE", defaultValue=float("nan"))),
    "infinity in a list": ("not-a-number", add_input("rates", parameterType="LIST", defaultValue=[1.0, float("inf")])),
    "container component": ("container-component", lambda documents: container(documents, "gate").update(args=["run"])),
    "optional": ("optional-without-default", add_input("perhaps", isOptional=True)),
    "large inputs": ("large-inputs", swell_inputs),
    "one of two artifacts": ("one-of-artifacts", two_sources),
    "nested without a parameter": ("nested-without-parameter", only_artifacts),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_each_mutation_is_found_by_its_rule(pipeline: Documents, tmp_path: Path, name: str) -> None:
    rule, change = MUTATIONS[name]
    changed = copy.deepcopy(pipeline)
    change(changed)
    assert rule in {item.rule for item in findings(tmp_path, changed)}


def test_every_rule_has_a_mutation() -> None:
    rules = {*lint_pipelines.RULES, *lint_pipelines.PATTERNS} - {"same-in-both-forms"}  # has a test of its own below
    assert {rule for rule, _ in MUTATIONS.values()} == rules


def test_a_condition_on_a_boolean_of_ours_is_allowed(pipeline: Documents, tmp_path: Path) -> None:
    changed = copy.deepcopy(pipeline)
    condition("inputs.parameter_values['passed'] == true")(changed)
    component(changed, "publish")["inputDefinitions"]["parameters"]["passed"] = {"parameterType": "BOOLEAN"}
    assert findings(tmp_path, changed) == []


@pytest.mark.parametrize("place", ["components/publish/component.yaml", "pipelines/by_uri/publish.yaml"])
def test_components_and_pipelines_by_uri_are_held_to_pins_too(root: Path, tmp_path: Path, place: str) -> None:
    documents = load(root / place)
    assert findings(tmp_path, documents, name=Path(place).name) == []
    container(documents, "publish").update(image="robustcert:latest")
    rules = {item.rule for item in findings(tmp_path, documents, name=Path(place).name)}
    assert "pinned-image" in rules


def test_custom_resources_are_read_by_their_specification(root: Path, tmp_path: Path) -> None:
    documents = load(root / "pipelines/custom_resources/certify_model.yaml")
    platform = documents[1]["spec"]["platformSpec"]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    del platform["exec-certification"]["tolerations"]
    (found,) = findings(tmp_path, documents)
    assert (found.rule, found.where) == ("gpu-pool-settings", "exec-certification lacks tolerationJson")


def test_a_custom_resource_that_differs_from_the_form_for_rest_is_found(root: Path, tmp_path: Path) -> None:
    (tmp_path / "custom_resources").mkdir()
    (tmp_path / "certify_model.yaml").write_bytes((root / "pipelines/certify_model.yaml").read_bytes())
    documents = load(root / "pipelines/custom_resources/certify_model.yaml")
    assert findings(tmp_path / "custom_resources", documents, name="certify_model.yaml") == []
    documents[1]["spec"]["pipelineSpec"]["root"]["inputDefinitions"]["parameters"]["shards"]["defaultValue"] = 2
    (found,) = findings(tmp_path / "custom_resources", documents, name="certify_model.yaml")
    assert found.rule == "same-in-both-forms"


@pytest.mark.parametrize("place", ["certify_model.yaml", "custom_resources/certify_model.yaml"])
def test_a_document_that_no_rule_would_read_is_refused(root: Path, tmp_path: Path, place: str) -> None:
    documents = load(root / "pipelines" / place)
    with pytest.raises(UnreadableError, match="expected a compiled component or pipeline"):
        findings(tmp_path, [*documents, documents[-1]])


def test_findings_are_printed_one_a_line_and_end_with_1(
    pipeline: Documents, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    changed = copy.deepcopy(pipeline)
    set_default_image("robustcert")(changed)
    path = tmp_path / "changed.yaml"
    path.write_text(yaml.dump_all(changed, Dumper=yaml.CSafeDumper))
    monkeypatch.setattr(sys, "argv", ["lint_pipelines", str(path)])
    with pytest.raises(SystemExit, match="1"):
        main()
    first, last = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{path}: pinned-image: input image has the image 'robustcert'; name a version")
    assert last == "1 compiled files, 1 findings"


def test_no_finding_ends_with_0(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["lint_pipelines", str(root / "components/gate/component.yaml")])
    with pytest.raises(SystemExit, match="0"):
        main()
    assert capsys.readouterr().out == "1 compiled files, 0 findings\n"


@pytest.mark.parametrize("text", ["{", "just: a document\n", "", "- a\n- list\n", "\x00"])
def test_what_is_no_compiled_file_ends_with_2(
    tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "other.yaml"
    path.write_text(text)
    with pytest.raises(UnreadableError, match=r"other\.yaml: "):
        read_compiled(path)
    monkeypatch.setattr(sys, "argv", ["lint_pipelines", str(path)])
    with pytest.raises(SystemExit, match="2"):
        main()
    assert len(capsys.readouterr().err.splitlines()) == 1
