"""Bills of materials in CycloneDX JSON: of the package with everything that is locked for its users, and of the chart.

Those of the images are made with the images, by `make image` and `make monitoring-image`; a release takes them along.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from robustcert.document import rfc3339
from robustcert.errors import WorldError, expected
from tools.advisories.components import listed

PIN = re.compile(r"^([a-z0-9._-]+)==\S+(?: *\\\n +--hash=\S+)*\n", re.MULTILINE)
DEVELOPMENT = "dev"
SPECIFICATION = "1.6"  # of CycloneDX


def package_bill(checkout: Path, path: Path, *, version: str, epoch: int) -> None:
    """Writes the bill of the package: what constraints.txt pins, without what only development needs."""
    lock = (checkout / "constraints.txt").read_text(encoding="utf-8")
    project = tomllib.loads((checkout / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    bill = _bill_of_pins(without(lock, development_only(project)), checkout / "pyproject.toml", epoch=epoch)
    bill["metadata"]["component"] |= {"version": version, "purl": f"pkg:pypi/{project['name']}@{version}"}
    _write(bill, path)


def chart_bill(path: Path, *, version: str, references: Mapping[str, str], epoch: int) -> None:
    """Writes the bill of the chart: the images that it starts. `references`: image -> repository and tag or digest."""
    subject = {"type": "application", "bom-ref": "chart", "name": "robustcert", "version": version}
    components = [_image(reference) for _, reference in sorted(references.items())]
    bill = {
        "$schema": f"http://cyclonedx.org/schema/bom-{SPECIFICATION}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": SPECIFICATION,
        "version": 1,
        "metadata": {"timestamp": _timestamp(epoch), "component": subject},
        "components": components,
        "dependencies": [{"ref": "chart", "dependsOn": [component["bom-ref"] for component in components]}],
    }
    _write(bill, path)


def image_bills(folder: Path, version: str) -> tuple[list[Path], list[str]]:
    """The images' bills in a folder, and why those of another version are left out."""
    found = sorted(folder.glob("*.cdx.json"))
    ours = [path for path in found if _names(path, version)]
    notes = [f"left out {path.name}: it does not list robustcert {version}" for path in found if path not in ours]
    return ours, notes if found else [f"no bill of an image in {folder.name}/: run `make image` first"]


def development_only(project: Mapping[str, Any]) -> set[str]:
    """Packages that the extra `dev` brings and nothing else does, as the installed packages tell it."""
    extras = project["optional-dependencies"]
    used = [
        *project["dependencies"],
        *(line for name, lines in extras.items() if name != DEVELOPMENT for line in lines),
    ]
    return _closure(extras[DEVELOPMENT]) - _closure(used)


def without(lock: str, names: Iterable[str]) -> str:
    """The lock without some packages.

    >>> without("# made\\na==1 \\\\\\n    --hash=sha256:00\\nb==2\\n", {"a"})
    '# made\\nb==2\\n'
    """
    unwanted = set(names)
    return PIN.sub(lambda match: "" if canonicalize_name(match[1]) in unwanted else match[0], lock)


def _closure(requirements: Sequence[str]) -> set[str]:
    """Canonical names of everything that `requirements` lead to, by the metadata of what is installed."""
    open_ones, seen = [Requirement(line) for line in requirements], set[tuple[str, str]]()
    while open_ones:
        requirement = open_ones.pop()
        for extra in {"", *requirement.extras}:
            node = (canonicalize_name(requirement.name), extra)
            if node not in seen:
                seen.add(node)
                open_ones += _needs(*node)
    return {name for name, _ in seen}


def _needs(name: str, extra: str) -> list[Requirement]:
    try:
        found = [Requirement(line) for line in requires(name) or []]
    except PackageNotFoundError:
        return []
    return [need for need in found if need.marker is None or need.marker.evaluate({"extra": extra})]


def _bill_of_pins(lock: str, pyproject: Path, *, epoch: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        pins, bill = Path(folder, "constraints.txt"), Path(folder, "bill.json")
        pins.write_text(lock, encoding="utf-8")
        command = [sys.executable, "-m", "cyclonedx_py", "requirements", str(pins), "--pyproject", str(pyproject)]
        options = [
            "--spec-version",
            SPECIFICATION,
            "--no-validate",
            "--output-reproducible",
            "--output-file",
            str(bill),
        ]
        environment = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch)}
        done = subprocess.run([*command, *options], env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            said = " ".join(done.stderr.split())[-300:]
            raise WorldError(
                expected("cyclonedx-py to write a bill", got=said, remedy="run `make test` once, then again")
            )
        document: dict[str, Any] = json.loads(bill.read_text(encoding="utf-8"))
    return document


def _image(reference: str) -> dict[str, Any]:
    """A container, by the package URL of OCI: the digest is its version, the tag a qualifier."""
    repository, at, digest = reference.partition("@")
    tag = "" if at else repository.rpartition(":")[2]
    repository = repository if at else repository.rpartition(":")[0]
    name = repository.rpartition("/")[2]
    version, qualifier = (f"@{digest.replace(':', '%3A')}", "") if at else ("", f"&tag={tag}")
    purl = f"pkg:oci/{name}{version}?repository_url={repository}{qualifier}"
    return {"type": "container", "bom-ref": purl, "name": repository, "version": digest or tag, "purl": purl}


def _names(bill: Path, version: str) -> bool:
    return any((part.package, part.version) == ("robustcert", version) for part in listed(bill))


def _timestamp(epoch: int) -> str:
    return rfc3339(datetime.fromtimestamp(epoch, UTC))


def _write(bill: Mapping[str, Any], path: Path) -> None:
    path.write_text(json.dumps(bill, indent=2, sort_keys=True) + "\n", encoding="utf-8")
