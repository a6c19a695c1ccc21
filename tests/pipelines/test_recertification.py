"""The compiled recertification pipeline: nothing is issued past a gate, nothing deploys, every input is described."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

Parts = dict[str, Any]


@pytest.fixture(scope="module")
def pipeline(root: Path) -> Parts:
    documents = list(yaml.safe_load_all((root / "pipelines" / "recertification.yaml").read_text()))
    found: Parts = documents[0]
    return found


def tasks(pipeline: Parts) -> dict[str, Parts]:
    found: dict[str, Parts] = pipeline["root"]["dag"]["tasks"]
    return found


def before(pipeline: Parts, name: str) -> set[str]:
    """Every task that must have ended well before task `name` starts."""
    direct = set(tasks(pipeline)[name].get("dependentTasks", ()))
    return direct.union(*(before(pipeline, other) for other in direct)) if direct else set()


def test_a_certificate_waits_for_the_windows_gate_and_publication_for_the_last_one(pipeline: Parts) -> None:
    gates = [name for name in tasks(pipeline) if name.startswith("gate")]
    windows = [name for name in tasks(pipeline) if name.startswith("window-evaluation")]
    assert (len(gates), len(windows)) == (3, 2)
    issued = before(pipeline, "certification-and-issue")
    assert {"recertification-inputs", "recertification-model", "robustness-evaluation", *windows} <= issued
    assert len(issued & set(gates)) == 2
    assert {"certification-and-issue", *gates} <= before(pipeline, "publish")


def test_the_model_to_certify_is_the_one_that_was_judged_on_the_window(pipeline: Parts) -> None:
    for name in ("robustness-evaluation", "certification-plan", "certification-and-issue", "window-evaluation-2"):
        model = tasks(pipeline)[name]["inputs"]["artifacts"]["model"]["taskOutputArtifact"]
        assert model == {"outputArtifactKey": "model", "producerTask": "recertification-model"}


def test_the_new_certificate_supersedes_the_one_that_was_opened(pipeline: Parts) -> None:
    given = tasks(pipeline)["certification-and-issue"]["inputs"]["parameters"]
    assert given["supersedes"]["taskOutputParameter"] == {
        "outputParameterKey": "certificate_sha256",
        "producerTask": "recertification-inputs",
    }


def test_every_step_that_computes_is_keyed_by_the_token(pipeline: Parts) -> None:
    keyed = {
        name: task["inputs"]["parameters"]["run_token"]["taskOutputParameter"]["outputParameterKey"]
        for name, task in tasks(pipeline).items()
        if name != "recertification-inputs" and "run_token" in task.get("inputs", {}).get("parameters", {})
    }
    assert set(keyed.values()) == {"token"}
    assert set(tasks(pipeline)) - set(keyed) == {"recertification-inputs", "gate", "gate-2", "gate-3", "publish"}


def test_every_input_has_a_sentence_and_only_three_must_be_given(pipeline: Parts) -> None:
    inputs = pipeline["root"]["inputDefinitions"]["parameters"]
    assert [name for name, item in inputs.items() if not item.get("description")] == []
    assert {name for name, item in inputs.items() if not item.get("isOptional")} == {"certificate", "reason", "store"}
    assert not {"specification", "supersedes"} & set(inputs), "taken from the certificate"
