"""Which models are deployed, and where: from a file, or from Kubernetes objects (kubernetes_watch.py)."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from monitoring.exporter.scan import Fleet
from monitoring.exporter.series import PREFIX, SHORT_DIGITS
from robustcert.document import Name, WrittenPart
from robustcert.errors import InputError, expected
from robustcert.storage.atomic import disk_failure
from robustcert.yaml_document import read_yaml

MODEL = "robustcert.io/model"
MODEL_SHA256 = "robustcert.io/model-sha256"
UNKNOWN = "unknown"  # the version of a model that is deployed by name alone

logger = logging.getLogger(__name__)

_DIGEST = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
_VERSION = re.compile(r"[0-9a-f]{12,64}")
_WORKLOAD = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Deployed:
    """One workload that serves a model; `model` is empty where only the version is known."""

    namespace: str
    workload: str
    model: str
    version: str


class DeployedPart(WrittenPart):
    """An entry of the file: `sha256` is the model's, or its first 12 digits or more."""

    model: Name
    sha256: str = ""
    namespace: str = "default"
    workload: str


class DeployedFile(WrittenPart):
    """The file: `deployed:` with a list of entries."""

    deployed: tuple[DeployedPart, ...]


def read_deployed(path: Path) -> tuple[Deployed, ...]:
    """What a file says is deployed; InputError where it is no such file."""
    try:
        read = read_yaml(path.read_text(encoding="utf-8"))
        problem = read.problems[0].message if read.problems else ""
    except (OSError, UnicodeDecodeError) as error:
        text = disk_failure(error, wanted="a readable file", path=path) if isinstance(error, OSError) else "no text"
        raise _wrong(path, text) from error
    if problem:
        raise _wrong(path, problem)
    try:
        parts = DeployedFile.model_validate_json(json.dumps(read.value)).deployed
    except ValidationError as error:
        first = error.errors()[0]
        raise _wrong(path, f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    found = [_placed(part.namespace, part.workload, part.model, part.sha256) for part in parts]
    if None in found:
        raise _wrong(path, f"entry {found.index(None) + 1} with names or a SHA-256 that are none")
    return tuple(item for item in found if item is not None)


class DeployedByFile:
    """A file that is read again when it is asked; while it can't be, what it said before stays."""

    kind = "file"

    def __init__(self, path: Path) -> None:
        self._path, self._found = path, read_deployed(path)
        self.state = "connected"

    def found(self) -> list[Deployed]:
        """What the file says now."""
        try:
            self._found, self.state = read_deployed(self._path), "connected"
        except InputError as error:
            if self.state == "connected":
                logger.warning("%s", error)
            self.state = "disconnected"
        return list(self._found)


def deployed_by(item: Mapping[str, Any]) -> Deployed | None:
    """What an InferenceService or a Deployment serves; None where it says nothing of a model, or is scaled to zero.

    Marks are annotations or labels of the object or of its pods. Without a digest among them, one in a storageUri
    counts. A Deployment that KServe made for an InferenceService is left out: the service counts.
    """
    metadata, spec = _mapping(item.get("metadata")), _mapping(item.get("spec"))
    if spec.get("replicas") == 0 or _is_of_service(metadata.get("ownerReferences")):
        return None
    pods = _mapping(_mapping(spec.get("template")).get("metadata"))
    places = [_mapping(place.get(kind)) for place in (metadata, pods) for kind in ("annotations", "labels")]
    marks = {mark: place[mark] for mark in (MODEL, MODEL_SHA256) for place in reversed(places) if mark in place}
    sha256 = str(marks.get(MODEL_SHA256, "")) or next(_digests(spec.get("predictor")), "")
    if MODEL not in marks and not sha256:
        return None
    return _placed(str(metadata.get("namespace", "")), str(metadata.get("name", "")), str(marks.get(MODEL, "")), sha256)


def deployed_text(found: Iterable[Deployed], fleet: Fleet) -> str:
    """The gauge of what is deployed; a model known by its version alone takes its certificate's name."""
    names = {item.certificate.model_sha256[:SHORT_DIGITS]: item.certificate.name for item in reversed(fleet.models)}
    lines = {_line(item, model=item.model or names.get(item.version, item.workload[:63])) for item in found}
    if not lines:
        return ""
    text = "Workloads that serve a model."
    return f"# HELP {PREFIX}deployed {text}\n# TYPE {PREFIX}deployed gauge\n{''.join(sorted(lines))}"


def _line(item: Deployed, *, model: str) -> str:
    about = f'model="{model}",version="{item.version}",namespace="{item.namespace}",workload="{item.workload}"'
    return f"{PREFIX}deployed{{{about}}} 1\n"


def _placed(namespace: str, workload: str, model: str, sha256: str) -> Deployed | None:
    """None where a name or digest is of another form: labels take no text from outside unchecked."""
    if not (_WORKLOAD.fullmatch(namespace) and _WORKLOAD.fullmatch(workload)):
        return None
    if (model and not _NAME.fullmatch(model)) or (sha256 and not _VERSION.fullmatch(sha256)):
        return None
    return Deployed(
        namespace=namespace, workload=workload, model=model, version=sha256[:SHORT_DIGITS] if sha256 else UNKNOWN
    )


def _digests(value: object) -> Iterator[str]:
    """SHA-256s in whatever is called storageUri, at any depth."""
    for key, each in _mapping(value).items():
        if key == "storageUri" and isinstance(each, str):
            yield from _DIGEST.findall(each)
        else:
            yield from _digests(each)


def _is_of_service(owners: object) -> bool:
    return isinstance(owners, list) and any(_mapping(owner).get("kind") == "InferenceService" for owner in owners)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _wrong(path: Path, got: str) -> InputError:
    remedy = "list entries with model, sha256, namespace and workload under `deployed:` (docs/exporter.md)"
    return InputError(expected(f"a list of deployed models in '{path}'", got=got, remedy=remedy))
