"""A container of a rendered pod as a process of this machine: its own command and variables, its mounts as folders.

Paths below a mount become paths below the folder that stands for it, `$(NAME)` is what Kubernetes makes of it, and an
address inside the cluster becomes a server on loopback. Nothing else of the command is changed.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Object = dict[str, Any]

ROOT = Path(__file__).parents[2]
PROGRAMS = {"robustcert": [sys.executable, "-m", "robustcert.cli"], "python": [sys.executable]}
LABEL = re.compile(r"metadata\.labels\['([^']+)'\]")
LONGEST = 120.0


@dataclass(frozen=True, kw_only=True)
class Pod:
    """What stands for a pod's surroundings: a folder for each mount, text for each Secret's key, labels, addresses."""

    mounts: Mapping[str, Path]
    secrets: Mapping[tuple[str, str], str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    addresses: Mapping[str, str] = field(default_factory=dict)

    def run(self, container: Object, *, program: list[str] | None = None) -> subprocess.CompletedProcess[str]:
        """The container's process, once it has ended."""
        return subprocess.run(
            self.command(container, program=program),
            env=self.environment(container),
            cwd=self.mounts["/tmp"],  # the image's WORKDIR
            capture_output=True,
            text=True,
            timeout=LONGEST,
        )

    def command(self, container: Object, *, program: list[str] | None = None) -> list[str]:
        """Its command and arguments here; `program` takes the first word's place."""
        given = self.variables(container)
        first, *rest = [*container["command"], *container.get("args", [])]
        return [*(program or PROGRAMS[first]), *(self._here(_expanded(word, given)) for word in rest)]

    def environment(self, container: Object) -> dict[str, str]:
        """As the image sets it, with what the container adds."""
        image = {"HOME": "/tmp", "TMPDIR": "/tmp", "MPLCONFIGDIR": "/tmp", "XDG_CACHE_HOME": "/tmp"}
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        own = {name: self._here(value) for name, value in {**image, **self.variables(container)}.items()}
        fixed = {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONNOUSERSITE": "1"}
        threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        return {**kept, **fixed, **threads, **own}

    def variables(self, container: Object) -> dict[str, str]:
        """Name -> text of its variables; KeyError where a Secret's key or a label that must exist does not."""
        found = ((entry["name"], self._value(entry)) for entry in container.get("env", []))
        return {name: value for name, value in found if value is not None}

    def _value(self, entry: Object) -> str | None:
        if "value" in entry:
            return str(entry["value"])
        ((kind, source),) = entry["valueFrom"].items()
        if kind == "secretKeyRef":
            key = (source["name"], source["key"])
            return self.secrets.get(key) if source.get("optional") else self.secrets[key]
        label = LABEL.fullmatch(source["fieldPath"])
        assert kind == "fieldRef", entry
        assert label, entry
        return self.labels[label[1]]

    def _here(self, text: str) -> str:
        places = "|".join(map(re.escape, sorted(self.mounts, key=len, reverse=True)))
        text = re.sub(rf"(^|=|file://)({places})(?=/|$)", lambda found: f"{found[1]}{self.mounts[found[2]]}", text)
        for address, server in self.addresses.items():
            text = text.replace(address, server)
        return text


def objects_of(objects: Iterable[Object], kind: str, *, component: str = "") -> list[Object]:
    """Objects of a kind, of one program where it is named."""
    label = "app.kubernetes.io/component"
    return [
        one
        for one in objects
        if one["kind"] == kind and component in ("", one["metadata"].get("labels", {}).get(label, ""))
    ]


def pod_spec(item: Object) -> Object:
    """The pod's spec in an object that makes pods."""
    spec: Object = item["spec"]
    if item["kind"] == "CronJob":
        spec = spec["jobTemplate"]["spec"]
    return spec if item["kind"] == "Pod" else dict(spec["template"]["spec"])


def only_container(item: Object) -> Object:
    """The one container of an object that makes pods."""
    (container,) = pod_spec(item)["containers"]
    return dict(container)


def _expanded(word: str, given: Mapping[str, str]) -> str:
    """As the kubelet does it: $$ is one dollar, $(NAME) a variable; an unknown one stays."""
    return re.sub(
        r"\$\$|\$\(([A-Za-z_][A-Za-z0-9_]*)\)", lambda found: given.get(found[1], found[0]) if found[1] else "$", word
    )
