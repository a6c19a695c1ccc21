"""A small compiled pipeline with the inputs that ours have and nested tasks, and a specification with its own model."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import yaml

from robustcert.specification_template import template

# What makes of the specification of digits one with a model of the user's own.
OWN_MODEL_EDITS = (
    (r"\n  architecture: mlp[^\n]*", "\n  onnx: model.onnx"),
    (r"\n  hidden:[^\n]*", ""),
    (r"\ntraining:.*?\n\n", "\n"),
    (r"\nrationale:.*", "\n"),
)
PARAMETERS = {
    "specification": {"parameterType": "STRING"},
    "store": {"parameterType": "STRING"},
    "shards": {"parameterType": "NUMBER_INTEGER", "defaultValue": 1.0, "isOptional": True},
    "confidence": {"parameterType": "NUMBER_DOUBLE", "defaultValue": 0.5, "isOptional": True},
    "strict": {"parameterType": "BOOLEAN", "defaultValue": False, "isOptional": True},
    "node_selector": {"parameterType": "STRUCT", "defaultValue": {}, "isOptional": True},
    "tolerations": {"parameterType": "LIST", "defaultValue": [], "isOptional": True},
    **{
        name: {"parameterType": "STRING", "defaultValue": "", "isOptional": True}
        for name in ("run_token", "data_uri", "model_uri", "gpus", "gpu_type", "image", "reason")
    },
}
NAMES = ("validate", "train", "certify", "gate")


def own_model_specification() -> str:
    """A specification that brings its own model, a file beside it."""
    text = template("digits")
    for pattern, replacement in OWN_MODEL_EDITS:
        text = re.sub(pattern, replacement, text, flags=re.DOTALL)
    return text


def compiled_spec(name: str = "certified-training") -> dict[str, Any]:
    """validate -> train -> loop(certify) -> gate."""
    component = {f"comp-{task}": {"executorLabel": f"exec-{task}"} for task in NAMES}
    container = {"image": "example.org/robustcert:1", "command": ["true"]}
    dag = {
        "tasks": {
            "for-loop-1": {"componentRef": {"name": "comp-for-loop-1"}, "dependentTasks": ["train"]},
            "gate": {"componentRef": {"name": "comp-gate"}, "dependentTasks": ["for-loop-1"]},
            "train": {"componentRef": {"name": "comp-train"}, "dependentTasks": ["validate"]},
            "validate": {"componentRef": {"name": "comp-validate"}},
        }
    }
    loop = {"dag": {"tasks": {"certify": {"componentRef": {"name": "comp-certify"}, "taskInfo": {"name": "certify"}}}}}
    for task, value in (*dag["tasks"].items(), *loop["dag"]["tasks"].items()):
        value["taskInfo"] = {"name": task}
    return {
        "components": {**component, "comp-for-loop-1": loop},
        "deploymentSpec": {"executors": {f"exec-{task}": {"container": container} for task in NAMES}},
        "pipelineInfo": {"name": name},
        "root": {"dag": dag, "inputDefinitions": {"parameters": copy.deepcopy(PARAMETERS)}},
        "schemaVersion": "2.1.0",
        "sdkVersion": "kfp-2.17.0",
    }


def write_compiled(folder: Path, name: str = "certified-training", **changes: Any) -> Path:
    """A compiled file in `folder`, with other top-level parts where given."""
    path = folder / f"{name}.yaml"
    spec = json.loads(json.dumps({**compiled_spec(name), **changes}))  # no aliases, as kfp writes none
    path.write_text(f"# PIPELINE DEFINITION\n{yaml.safe_dump(spec)}")
    return path
