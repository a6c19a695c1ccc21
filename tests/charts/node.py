"""A node for one pod: lays out the volumes of a rendered workload, and knows what it runs.

What the chart writes as absolute paths is below a folder of the test, wherever it stands: in arguments, variables and
ConfigMaps. ConfigMaps are the rendered ones; Secrets, and ConfigMaps that the chart only names, are given.
"""

from __future__ import annotations

import os
import re
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]

Object = dict[str, Any]
Files = Mapping[str, str]


def the(objects: Sequence[Object], kind: str, name: str) -> Object:
    """The one object of that kind and name."""
    (found,) = (item for item in objects if (item["kind"], item["metadata"]["name"]) == (kind, name))
    return found


def of_kind(objects: Sequence[Object], *kinds: str) -> list[Object]:
    """All objects of some kinds."""
    return [item for item in objects if item["kind"] in kinds]


def free_port() -> int:
    """A port that nothing listens on."""
    with closing(socket.create_server(("127.0.0.1", 0))) as bound:
        port: int = bound.getsockname()[1]
        return port


class Node:
    """One pod of `workload` in `folder`; `given` holds the content of Secrets and other ConfigMaps by name."""

    def __init__(
        self, folder: Path, objects: Sequence[Object], workload: Object, *, given: Mapping[str, Files] | None = None
    ) -> None:
        self.folder, self._objects, self._given = folder, objects, dict(given or {})
        self.pod: Object = workload["spec"]["template"]["spec"]
        (self.container,) = self.pod["containers"]
        self._mounts = {mount["mountPath"]: mount for mount in self.container["volumeMounts"]}
        longest = sorted(self._mounts, key=len, reverse=True)
        self._paths = re.compile(rf"(?<![\w.-])({'|'.join(map(re.escape, longest))})(?=[/\"'\s]|$)")
        self._lay_out()

    def at(self, text: str) -> str:
        """The text with every mounted path below the folder."""
        return self._paths.sub(lambda found: f"{self.folder}{found[0]}", text)

    def command(self) -> list[str]:
        """What the container runs, with this Python."""
        program, *rest = [*self.container["command"], *self.container["args"]]
        assert program == "python"
        return [sys.executable, *map(self.at, rest)]

    def environment(self) -> dict[str, str]:
        """The variables that the pod gives, with those of Secrets; optional ones may be absent."""
        return dict(self._variables())

    def url(self, probe: str) -> str:
        """What a probe asks for, on this machine."""
        asked = self.container[probe]["httpGet"]
        scheme = asked.get("scheme", "HTTP").lower()
        return f"{scheme}://127.0.0.1:{self.port(asked['port'])}{asked['path']}"

    def port(self, name: str) -> int:
        """The container's port of that name."""
        (found,) = (port["containerPort"] for port in self.container["ports"] if port["name"] == name)
        return int(found)

    def _variables(self) -> Iterator[tuple[str, str]]:
        for entry in self.container.get("env", ()):
            reference = entry.get("valueFrom", {}).get("secretKeyRef")
            if reference is None:
                yield entry["name"], self.at(entry["value"])
            elif reference["key"] in self._given.get(reference["name"], {}):
                yield entry["name"], self._given[reference["name"]][reference["key"]]
            else:
                assert reference.get("optional"), reference

    def _lay_out(self) -> None:
        volumes = {volume["name"]: volume for volume in self.pod["volumes"]}
        assert set(volumes) == {mount["name"] for mount in self._mounts.values()}
        for path, mount in self._mounts.items():
            place = self.folder / path.lstrip("/")
            place.mkdir(parents=True, exist_ok=True)
            for name, text in self._content(volumes[mount["name"]]):
                (place / name).write_text(text)
                (place / name).chmod(0o400)  # what 440 of root's is for the container's user

    def _content(self, volume: Object) -> Iterator[tuple[str, str]]:
        if "configMap" in volume:
            yield from self._items(volume["configMap"], self._config_map(volume["configMap"]["name"]))
        elif "secret" in volume:
            assert volume["secret"]["defaultMode"] == 0o440
            yield from self._items(volume["secret"], self._given[volume["secret"]["secretName"]])
        elif "projected" in volume:
            for source in volume["projected"]["sources"]:
                if "serviceAccountToken" in source:
                    yield source["serviceAccountToken"]["path"], "a.projected.token"
        else:
            assert {"emptyDir", "persistentVolumeClaim"} & set(volume)

    def _items(self, source: Object, data: Files) -> Iterator[tuple[str, str]]:
        wanted = {
            item["key"]: item["path"] for item in source.get("items", [{"key": key, "path": key} for key in data])
        }
        return ((path, self.at(data[key])) for key, path in wanted.items())

    def _config_map(self, name: str) -> Files:
        if name in self._given:
            return self._given[name]
        data: Files = the(self._objects, "ConfigMap", name)["data"]
        return data


def own_environment(**more: str) -> dict[str, str]:
    """The environment of a program under test: nothing of ours but where Python is."""
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", **more}
