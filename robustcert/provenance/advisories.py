"""Advisories in OSV's format: which versions of a Python package are known to be bad, and since when no more.

Source: OSV schema 1.7 (https://ossf.github.io/osv-schema/), its fields `affected[].versions` and `affected[].ranges` of
types ECOSYSTEM and SEMVER, evaluated as its section "Evaluation" says. Versions compare by PEP 440, without their local
part: the CPU build 2.5.1+cpu is 2.5.1. Other ecosystems and withdrawn advisories are passed over.
"""

from __future__ import annotations

import lzma
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from packaging.utils import canonicalize_name
from packaging.version import Version
from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from robustcert.errors import InputError, expected

ECOSYSTEM = "PyPI"
ORDERED = {"ECOSYSTEM", "SEMVER"}  # types of ranges whose events are versions
MOST_BYTES = 16 << 20  # of one advisory
MOST_BYTES_OF_AN_ARCHIVE = 4 << 30  # unpacked; OSV's of PyPI has far less
MOST_PARTS = 10_000  # of a list in an advisory, so that a small file can't fill the memory
MOST_VERSIONS = 200_000
MOST_SHOWN = 60  # characters of a text in a message
DAMAGED = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, RuntimeError, UnicodeError)
BEGINNING = "0"  # OSV: introduced before every version
EARLIEST = "0.dev0"  # PEP 440: the smallest there is


NullableList = BeforeValidator(lambda value: [] if value is None else value)  # OSV allows null for some lists


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
        if [getattr(self, name) is None for name in self.model_fields_set] != [False]:
            raise ValueError("expected one of introduced, fixed, last_affected, limit")
        return self


class Range(OsvPart):
    """Versions between events."""

    type: str
    events: list[Event] = Field(min_length=1, max_length=MOST_PARTS)

    @model_validator(mode="after")
    def _begins(self) -> Range:
        if all(event.introduced is None for event in self.events):
            raise ValueError("expected an event `introduced`")
        return self


class Package(OsvPart):
    """A package of an ecosystem."""

    ecosystem: str
    name: str = Field(min_length=1)


class Affected(OsvPart):
    """A package, and which of its versions are affected."""

    package: Package | None = None
    ranges: list[Range] = Field(default=[], max_length=MOST_PARTS)
    versions: list[str] = Field(default=[], max_length=MOST_VERSIONS)

    @property
    def name(self) -> str | None:
        """The package's canonical name; None where it is of another ecosystem."""
        ours = self.package is not None and self.package.ecosystem.partition(":")[0] == ECOSYSTEM
        return canonicalize_name(self.package.name) if ours and self.package else None


class Advisory(OsvPart):
    """One advisory."""

    id: str = Field(min_length=1)
    summary: str = ""
    aliases: Annotated[list[str], NullableList] = Field(default=[], max_length=MOST_PARTS)
    withdrawn: AwareDatetime | None = None
    affected: Annotated[list[Affected], NullableList] = Field(default=[], max_length=MOST_PARTS)


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
        about = f": {self.advisory.summary}" if self.advisory.summary else ""
        return _printable(f"{self.package} {self.version}: {names}{about} ({remedy})")


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
    """Every advisory in JSON files, zip archives and folders of both.

    InputError names the first that is malformed, and a place that has none.
    """
    return Advisories(advisory for path in paths for advisory in _some_in(path) if advisory.withdrawn is None)


def parse_advisory(data: bytes, *, name: str) -> Advisory:
    """One advisory; `name` says in the InputError where it came from."""
    try:
        return Advisory.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the document"
        got = _printable(f"'{name}' with {where}: {first['msg']}")[:300]
        remedy = "download it again, or take it out"
        raise InputError(expected("an advisory in OSV's format (JSON)", got=got, remedy=remedy)) from error


def _some_in(path: Path) -> Iterator[Advisory]:
    """All in a place; InputError where there are none, which would look like a place with nothing to say."""
    advisory = None
    for advisory in _advisories_in(path):
        yield advisory
    if advisory is None:
        raise _unreadable(path, "a place without one (*.json)")


def _advisories_in(path: Path) -> Iterator[Advisory]:
    try:
        if path.is_dir():
            files = [file for file in sorted(path.rglob("*")) if _kind(file) in (".json", ".zip") and file.is_file()]
            yield from (advisory for file in files for advisory in _advisories_in(file))
        elif _kind(path) == ".zip":
            yield from _in_archive(path)
        else:
            with path.open("rb") as file:
                data = file.read(MOST_BYTES + 1)
            yield parse_advisory(_limited(data, name=str(path)), name=str(path))
    except OSError as error:
        raise _unreadable(path, error.strerror or "an unreadable one") from error


def _in_archive(path: Path) -> Iterator[Advisory]:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [entry for entry in archive.infolist() if _kind(Path(entry.filename)) == ".json"]
            left = MOST_BYTES_OF_AN_ARCHIVE
            for entry in sorted(entries, key=lambda entry: entry.filename):
                with archive.open(entry) as file:
                    data = file.read(MOST_BYTES + 1)
                left -= len(data)
                if left < 0:
                    raise _unreadable(path, f"an archive of more than {MOST_BYTES_OF_AN_ARCHIVE} bytes")
                name = f"{path}: {entry.filename}"
                yield parse_advisory(_limited(data, name=name), name=name)
    except DAMAGED as error:
        raise _unreadable(path, "a damaged or encrypted archive") from error


def _kind(path: Path) -> str:
    return path.suffix.lower()


def _printable(text: str) -> str:
    """One line without control characters: an advisory can't add lines of its own, nor speak to a terminal."""
    return "".join(character for character in " ".join(text.split()) if character.isprintable())


def _limited(data: bytes, *, name: str) -> bytes:
    if len(data) > MOST_BYTES:
        got = _printable(f"'{name}' with more")
        raise InputError(expected(f"an advisory of at most {MOST_BYTES} bytes", got=got, remedy="take it out"))
    return data


def _unreadable(path: Path, got: str) -> InputError:
    return InputError(
        expected("a file, zip archive or folder of advisories", got=f"{got}: '{path}'", remedy="name another")
    )


def _is_affected(version: Version, part: Affected, *, of: str) -> bool:
    listed = any(_equals(version, text) for text in part.versions)
    ranges = (entry.events for entry in part.ranges if entry.type in ORDERED)
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
    found = _version(text)
    return found is not None and found == version


def _first_fix(parts: Sequence[Affected], version: Version | None) -> str | None:
    ranges = (entry.events for part in parts for entry in part.ranges if entry.type in ORDERED)
    fixes = [_version(event.fixed) for events in ranges for event in events if event.fixed]
    later = [fix for fix in fixes if fix is not None and version is not None and fix > version]
    return str(min(later)) if later else None


def _version(text: str) -> Version | None:
    try:
        return Version(text)
    except ValueError:  # InvalidVersion, and numbers of more digits than Python converts
        return None


def _parsed(text: str, *, of: str) -> Version:
    found = _version(text)
    if found is None:
        got = f"{text[:MOST_SHOWN]!r} of {_printable(of)}"
        raise InputError(expected("a version as in PEP 440", got=got, remedy="correct it, or take it out"))
    return found
