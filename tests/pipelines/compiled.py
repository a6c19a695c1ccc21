"""A committed pipeline as a cluster reads it: its inputs, its tasks, and what they wait for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

Parts = dict[str, Any]

CERTIFYING = ("certified_training", "certify_model", "recertification")
PIPELINES = (*CERTIFYING, "drift_monitoring")


def documents(root: Path, name: str) -> list[Parts]:
    """Specification and platform part of pipelines/<name>.yaml."""
    return list(yaml.load_all((root / f"pipelines/{name}.yaml").read_text(), Loader=yaml.CSafeLoader))


def inputs(pipeline: Parts) -> dict[str, Parts]:
    found: dict[str, Parts] = pipeline["root"]["inputDefinitions"]["parameters"]
    return found


def tasks(pipeline: Parts) -> dict[str, Parts]:
    """Every task, also those inside a loop or a nested pipeline."""
    dags = [pipeline["root"]["dag"], *(item["dag"] for item in pipeline["components"].values() if "dag" in item)]
    return {name: task for dag in dags for name, task in dag["tasks"].items()}


def waits_for(pipeline: Parts) -> dict[str, set[str]]:
    """Task -> the tasks beside it that end before it starts."""
    return {name: set(task.get("dependentTasks", ())) for name, task in tasks(pipeline).items()}
