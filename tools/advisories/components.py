"""Which packages in which versions: read from a lock of pins, and from CycloneDX bills of materials."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import unquote

from pydantic import BaseModel, Field, ValidationError

from robustcert.errors import InputError, expected

PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]\n]*\])? *={2,3} *([^\s;\\#]+)", re.MULTILINE)
PYTHON_PACKAGE = re.compile(r"^pkg:/{0,2}pypi/([^@/?#]+)(?:@([^?#]+))?", re.IGNORECASE)
CODE = {"library", "framework"}  # types of components that may be Python packages
MOST_BYTES = 64 << 20


class Entry(BaseModel):
    """A component of a bill of materials."""

    name: str
    type: str
    version: str | None = None
    purl: str | None = None
    components: list[Entry] = []

    @property
    def python_package(self) -> tuple[str, str] | None:
        """Name and version by the package URL; a library or framework without one counts by its own name."""
        if self.purl:
            match = PYTHON_PACKAGE.match(self.purl)
            version = match and (unquote(match[2]) if match[2] else self.version)
            return (unquote(match[1]), version) if match and version else None
        return (self.name, self.version) if self.version and self.type in CODE else None


class Metadata(BaseModel):
    """What a bill of materials is about."""

    component: Entry | None = None


class Bill(BaseModel):
    """A bill of materials, CycloneDX 1.x."""

    bom_format: Literal["CycloneDX"] = Field(alias="bomFormat")
    metadata: Metadata = Metadata()
    components: list[Entry] = []


@dataclass(frozen=True, kw_only=True)
class Component:
    """A Python package in a version, and the file that names it."""

    package: str
    version: str
    source: str


def pinned(lock: Path) -> list[Component]:
    """The pins of a lock file; InputError where it has none."""
    found = PIN.findall(_text(lock))
    if not found:
        raise _unreadable(lock, wanted="pins, NAME==VERSION", got="none")
    return [Component(package=name, version=version, source=lock.name) for name, version in found]


def listed(bill: Path) -> list[Component]:
    """The Python packages of a CycloneDX JSON document, nested ones and its subject; InputError where it is none."""
    try:
        document = Bill.model_validate_json(_text(bill))
    except ValidationError as error:
        first = error.errors()[0]
        got = f"{'.'.join(map(str, first['loc'])) or 'the document'}: {first['msg']},"
        raise _unreadable(bill, wanted="a bill of materials in CycloneDX JSON", got=got) from error
    subject = [document.metadata.component] if document.metadata.component else []
    return [
        Component(package=package[0], version=package[1], source=bill.name)
        for entry in _nested([*subject, *document.components])
        if (package := entry.python_package)
    ]


def _nested(entries: list[Entry]) -> Iterator[Entry]:
    for entry in entries:
        yield entry
        yield from _nested(entry.components)


def _text(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(MOST_BYTES + 1)
    except (OSError, UnicodeDecodeError) as error:
        got = getattr(error, "strerror", None) or "other bytes"
        raise _unreadable(path, wanted="a readable file", got=got) from error
    if len(text) > MOST_BYTES:
        raise _unreadable(path, wanted=f"at most {MOST_BYTES} characters", got="more")
    return text


def _unreadable(path: Path, *, wanted: str, got: str) -> InputError:
    return InputError(expected(wanted, got=f"{got} in '{path}'", remedy="name another file"))
