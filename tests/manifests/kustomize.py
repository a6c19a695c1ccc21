"""Builds a folder of manifests/ with the kustomize inside kubectl, of any release since 1.20.

Debian's kubectl 1.20 holds kustomize 2.0.3, which knows neither folders under `resources` nor `patches` with a path and
a target. For such a kubectl a copy of the tree is written in that release's words: `bases`, `patchesStrategicMerge`,
`patchesJson6902`. Nothing else is changed, and the engine does the work in either case.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

Object = dict[str, Any]

MANIFESTS = Path(__file__).parent.parent.parent / "manifests"
MODERN = (1, 21)  # kubectl since then holds kustomize 4 or 5
FILE = "kustomization.yaml"


def release_of(kubectl: str) -> tuple[int, int]:
    """Major and minor number of a kubectl."""
    command = [kubectl, "version", "--client", "--output", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    found = json.loads(done.stdout)["clientVersion"]
    return int(found["major"]), int(re.sub(r"\D", "", found["minor"]))


def copy_for(kubectl: str, tree: Path) -> Path:
    """A copy of manifests/ at `tree` that this kubectl understands."""
    shutil.copytree(MANIFESTS, tree)
    if release_of(kubectl) < MODERN:
        for path in tree.rglob(FILE):
            path.write_text(yaml.safe_dump(in_words_of_1_20(path)))
    return tree


def build(folder: Path, *, kubectl: str) -> list[Object]:
    """All objects of a folder; AssertionError where the engine fails or warns."""
    done = subprocess.run([kubectl, "kustomize", str(folder)], capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, ""), f"{folder}: {done.stderr}"
    return [item for item in yaml.load_all(done.stdout, Loader=yaml.CSafeLoader) if item]


def in_words_of_1_20(path: Path) -> Object:
    """What a kustomization.yaml says, for kustomize 2.0.3."""
    said: Object = yaml.safe_load(path.read_text())
    named = said.pop("resources", [])
    said["bases"] = [name for name in named if (path.parent / name).is_dir()]
    said["resources"] = [name for name in named if name not in said["bases"]]
    for patch in said.pop("patches", []):
        if "target" in patch:
            targets = exact_targets(path.parent, patch["target"])
            said.setdefault("patchesJson6902", []).extend({"path": patch["path"], "target": one} for one in targets)
        else:
            said.setdefault("patchesStrategicMerge", []).append(patch["path"])
    return {key: value for key, value in said.items() if value}


def exact_targets(folder: Path, target: Object) -> list[Object]:
    """The target with the whole name and the namespace of each object that its pattern means."""
    pattern = re.compile(f"^(?:{target['name']})$")
    found = [item["metadata"] for item in below(folder) if item["kind"] == target["kind"]]
    exact = [one for one in found if pattern.match(one["name"])]
    assert exact, f"{folder}: {target} means no object"
    return [{**target, "name": one["name"], "namespace": one["namespace"]} for one in exact]


def below(folder: Path) -> Iterator[Object]:
    """Objects of the YAML files that a kustomization reads, its bases' included."""
    said = yaml.safe_load((folder / FILE).read_text())
    for name in [*said.get("bases", []), *said.get("resources", [])]:
        if (folder / name).is_dir():
            yield from below(folder / name)
        else:
            yield from (item for item in yaml.safe_load_all((folder / name).read_text()) if item)
