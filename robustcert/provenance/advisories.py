"""Advisories in OSV's format: which versions of a Python package are known to be bad, and since when no more.

Source: OSV schema 1.7 (https://ossf.github.io/osv-schema/), its fields `affected[].versions` and `affected[].ranges` of
type ECOSYSTEM, evaluated as its section "Evaluation" says. Versions compare by PEP 440, without their local part: the
CPU build 2.5.1+cpu is 2.5.1. Other ecosystems and withdrawn advisories are passed over.
"""

from __future__ import annotations

import zipfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from robustcert.errors import InputError, expected

ECOSYSTEM = "PyPI"
MOST_BYTES = 16 << 20  # of one advisory
BEGINNING = "0"  # OSV: introduced before every version
EARLIEST = "0.dev0"  # PEP 440: the smallest there is


class OsvPart(BaseModel):
    """A part of an advisory; OSV's own names, unknown fields ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class Event(OsvPart):
    """One step along the versions; exactly one field is given."""

    introduced: str | None = None
    fixed: str | None = None
    last_affected: str | None = None
    limit: str | None = None

    @model_validator(mode="after")
    def _one(self) -> Event:
        if len(self.model_fields_set) != 1:
            raise ValueError("expected one of introduced, fixed, last_affected, limit")
        return self


class Range(OsvPart):
    """Versions between events."""

    type: str
    events: list[Event] = Field(min_length=1)


class Package(OsvPart):
    """A package of an ecosystem."""

    ecosystem: str
    name: str = Field(min_length=1)


class Affected(OsvPart):
    """A package, and which of its versions are affected."""

    package: Package | None = None
    ranges: list[Range] = []
    versions: list[str] = []

    @property
    def name(self) -> str | None:
        """The package's canonical name; None where it is of another ecosystem."""
        ours = self.package is not None and self.package.ecosystem.partition(":")[0] == ECOSYSTEM
        return canonicalize_name(self.package.name) if ours and self.package else None


class Advisory(OsvPart):
    """One advisory."""

    id: str = Field(min_length=1)
    summary: str = ""
    aliases: list[str] = []
    withdrawn: str | None = None
    affected: list[Affected] = []


@dataclass(frozen=True, kw_only=True)
class KnownBad:
    """A component in a version that an advisory names."""

    package: str
    version: str
    advisory: Advisory
    fixed: str | None

    def __str__(self) -> str:
        names = ", ".join([self.advisory.id, *sorted(self.advisory.aliases)])
        remedy = f"fixed in {self.fixed}" if self.fixed else "no release is named that fixes it"
        about = f": {' '.join(self.advisory.summary.split())}" if self.advisory.summary else ""
        return f"{self.package} {self.version}: {names}{about} ({remedy})"


class Advisories:
    """Advisories by package."""

    def __init__(self, advisories: Iterable[Advisory]) -> None:
        self._of: dict[str, list[Advisory]] = defaultdict(list)
        for advisory in advisories:
            for name in {affected.name for affected in advisory.affected} - {None}:
                self._of[str(name)].append(advisory)

    def __len__(self) -> int:
        return len({advisory.id for found in self._of.values() for advisory in found})

    def of(self, package: str, version: str) -> list[KnownBad]:
        """What is known against one version; InputError where there are advisories and either version is no PEP 440."""
        advisories = self._of.get(canonicalize_name(package), [])
        found = Version(_parsed(version, of=package).public) if advisories else None
        return [
            KnownBad(package=package, version=version, advisory=advisory, fixed=_first_fix(parts, found))
            for advisory in advisories
            if found is not None
            and (parts := [part for part in advisory.affected if part.name == canonicalize_name(package)])
            and any(_is_affected(found, part, of=advisory.id) for part in parts)
        ]


def load_advisories(paths: Sequence[Path]) -> Advisories:
    """Every advisory in JSON files, zip archives and folders of both; InputError names the first that is malformed."""
    return Advisories(advisory for path in paths for advisory in _advisories_in(path) if advisory.withdrawn is None)


def parse_advisory(data: bytes, *, name: str) -> Advisory:
    """One advisory; `name` says in the InputError where it came from."""
    try:
        return Advisory.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the document"
        got = " ".join(f"'{name}' with {where}: {first['msg']}".split())[:300]
        remedy = "download it again, or take it out"
        raise InputError(expected("an advisory in OSV's format (JSON)", got=got, remedy=remedy)) from error


def _advisories_in(path: Path) -> Iterator[Advisory]:
    try:
        if path.is_dir():
            files = [file for file in sorted(path.rglob("*")) if file.suffix in (".json", ".zip") and file.is_file()]
            yield from (advisory for file in files for advisory in _advisories_in(file))
        elif path.suffix == ".zip":
            yield from _in_archive(path)
        else:
            yield parse_advisory(_limited(path.read_bytes(), name=str(path)), name=str(path))
    except OSError as error:
        raise _unreadable(path, error.strerror or "an unreadable one") from error


def _in_archive(path: Path) -> Iterator[Advisory]:
    try:
        with zipfile.ZipFile(path) as archive:
            for name in sorted(name for name in archive.namelist() if name.endswith(".json")):
                with archive.open(name) as entry:
                    data = entry.read(MOST_BYTES + 1)
                yield parse_advisory(_limited(data, name=f"{path}: {name}"), name=f"{path}: {name}")
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise _unreadable(path, "a damaged or encrypted archive") from error


def _limited(data: bytes, *, name: str) -> bytes:
    if len(data) > MOST_BYTES:
        got = f"'{name}' with more"
        raise InputError(expected(f"an advisory of at most {MOST_BYTES} bytes", got=got, remedy="take it out"))
    return data


def _unreadable(path: Path, got: str) -> InputError:
    return InputError(
        expected("a file, zip archive or folder of advisories", got=f"{got}: '{path}'", remedy="name one that is there")
    )


def _is_affected(version: Version, part: Affected, *, of: str) -> bool:
    listed = any(_equals(version, text) for text in part.versions)
    ranges = (entry.events for entry in part.ranges if entry.type == "ECOSYSTEM")
    return listed or any(_is_within(version, events, of=of) for events in ranges)


def _is_within(version: Version, events: Sequence[Event], *, of: str) -> bool:
    """OSV's evaluation: events in the order of their versions, the last one that applies decides."""
    limits = [event.limit for event in events if event.limit is not None]
    if limits and not any(limit == "*" or version < _parsed(limit, of=of) for limit in limits):
        return False
    affected = False
    for bound, kind in sorted(mark for event in events for mark in _marks(event, of=of)):
        if kind == "last_affected":
            affected = affected and version <= bound
        elif version >= bound:
            affected = kind == "introduced"
    return affected


def _marks(event: Event, *, of: str) -> Iterator[tuple[Version, str]]:
    """The event's version and kind; where versions are equal the kinds sort as they must: fixed, then introduced."""
    if event.introduced is not None:
        yield _parsed(EARLIEST if event.introduced == BEGINNING else event.introduced, of=of), "introduced"
    if event.fixed is not None:
        yield _parsed(event.fixed, of=of), "fixed"
    if event.last_affected is not None:
        yield _parsed(event.last_affected, of=of), "last_affected"


def _equals(version: Version, text: str) -> bool:
    """Whether a listed version is this one; lists hold old versions that PEP 440 can't read, which never are."""
    try:
        return Version(text) == version
    except InvalidVersion:
        return False


def _first_fix(parts: Sequence[Affected], version: Version | None) -> str | None:
    texts = {event.fixed for part in parts for entry in part.ranges for event in entry.events if event.fixed}
    fixes = [_parsed(text, of="a fix") for text in texts if _is_version(text)]
    later = [fix for fix in fixes if version is not None and fix > version]
    return str(min(later)) if later else None


def _is_version(text: str) -> bool:
    try:
        Version(text)
    except InvalidVersion:
        return False
    return True


def _parsed(text: str, *, of: str) -> Version:
    try:
        return Version(text)
    except InvalidVersion as error:
        got = f"{text!r} of {of}"
        raise InputError(expected("a version as in PEP 440", got=got, remedy="correct it, or take it out")) from error
