"""What ConfigMaps hold and how large things are: files that can be read, objects and releases that can be stored."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import helm_python
import yaml

from tools.chart.checks.release import Check, Object, Release, Wrong, look, wrong

MOST_CONFIG_BYTES = 1 << 20  # core/v1: data of a ConfigMap or a Secret
MOST_OBJECT_BYTES = 1_400_000  # etcd refuses 1.5 MiB, and the server adds managedFields
MOST_RELEASE_BYTES = 900_000  # Helm keeps a release in a Secret, of at most 1 MiB
DASHBOARD_KEYS = ("title", "uid", "panels")


def files_can_be_read(release: Release) -> Iterator[Wrong]:
    """An entry of a ConfigMap that is called .json or .yaml is that."""
    for item, key, text in _files(release):
        if (problem := _unreadable(key, text)) is not None:
            yield wrong(item, f"data[{key}]", "what its name says", got=problem, remedy="mend the file")


def dashboards_are_whole(release: Release) -> Iterator[Wrong]:
    """A dashboard has a title, a uid that is its own, and panels whose queries say what they ask."""
    seen: dict[str, str] = {}
    for item, key, text in _files(release):
        if not key.endswith(".json") or _unreadable(key, text) is not None:
            continue
        board = json.loads(text)
        missing = [part for part in DASHBOARD_KEYS if not (isinstance(board, dict) and board.get(part))]
        if missing:
            got = f"none of {', '.join(missing)}"
            yield wrong(item, f"data[{key}]", "a dashboard", got=got, remedy="generate it again")
        elif seen.setdefault(board["uid"], key) != key:
            got = f"that of {seen[board['uid']]}"
            yield wrong(item, f"data[{key}].uid", "a uid of its own", got=got, remedy="change one")


def configuration_fits(release: Release) -> Iterator[Wrong]:
    """A ConfigMap or Secret has less than 1 MiB."""
    for item in release.of("ConfigMap", "Secret"):
        parts = [text for part in ("data", "binaryData", "stringData") for text in look(item, part).values()]
        size = sum(len(str(text).encode()) for text in parts)
        if size > MOST_CONFIG_BYTES:
            what = f"at most {MOST_CONFIG_BYTES} bytes"
            yield wrong(item, "data", what, got=size, remedy="make two of it")


def objects_fit(release: Release) -> Iterator[Wrong]:
    """No object is larger than what etcd stores."""
    for item in release.objects:
        size = len(json.dumps(item).encode())
        if size > MOST_OBJECT_BYTES:
            yield wrong(item, "", f"at most {MOST_OBJECT_BYTES} bytes", got=size, remedy="make two of it")


def release_fits(release: Release) -> Iterator[Wrong]:
    """The release, as Helm stores it, fits into a Secret."""
    if release.chart is not None:
        size = stored_bytes(release, chart=release.chart)
        if size > MOST_RELEASE_BYTES:
            item = {"kind": "Release", "metadata": {"name": release.name}}
            remedy = "leave files out of the chart, or split it"
            yield wrong(item, "data.release", f"at most {MOST_RELEASE_BYTES} bytes", got=size, remedy=remedy)


def stored_bytes(release: Release, *, chart: Path) -> int:
    """Size of the Secret in which Helm keeps the release: chart, values and manifest as JSON, zipped, in base64.

    The chart's files count whether they are rendered or not. Within 5 % of what Helm 4 stored: 250,780 bytes where this
    says 239,120. The limit leaves more than that.
    """
    manifest = "---\n".join(yaml.dump(item, Dumper=yaml.CSafeDumper, sort_keys=False) for item in release.objects)
    info = {"status": "deployed", "description": "Install complete", "notes": ""}
    stored = {
        "name": release.name,
        "info": info,
        "chart": _chart_parts(chart),
        "config": dict(release.values),
        "manifest": manifest,
        "version": 1,
        "namespace": release.namespace,
    }
    return len(base64.b64encode(gzip.compress(json.dumps(stored).encode(), compresslevel=9)))


def _chart_parts(chart: Path) -> dict[str, Any]:
    with helm_python.Chart.load(str(chart)) as loaded:
        return {
            "metadata": loaded.metadata,
            "templates": [_file(item) for item in loaded.templates],
            "values": loaded.values,
            "schema": base64.b64encode(json.dumps(loaded.schema).encode()).decode(),
            "files": [_file(item) for item in loaded.files],
        }


def _file(item: dict[str, str]) -> dict[str, str]:
    return {"name": item["name"], "data": base64.b64encode(item["data"].encode()).decode()}


def _files(release: Release) -> Iterator[tuple[Object, str, str]]:
    for item in release.of("ConfigMap"):
        for key, text in look(item, "data").items():
            yield item, key, str(text)


@lru_cache(maxsize=256)
def _unreadable(key: str, text: str) -> str | None:
    """Why a file is not what its name says; None where it is, or where its name says nothing."""
    try:
        if key.endswith(".json"):
            json.loads(text)
        elif key.endswith((".yaml", ".yml")):
            list(yaml.load_all(text, Loader=yaml.CSafeLoader))
    except (ValueError, yaml.YAMLError) as error:
        return " ".join(str(error).split())
    return None


CONTENTS: tuple[Check, ...] = (
    files_can_be_read,
    dashboards_are_whole,
    configuration_fits,
    objects_fit,
    release_fits,
)
