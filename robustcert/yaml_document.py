"""A small, safe reading of YAML: one document of plain values, and the line of every key and item.

Only the parser's events are used (YAML 1.1 syntax, PyYAML); nothing is constructed, so no tag, alias or date is ever
acted on. Numbers are decimal without leading zeros, `true`, `false`, `null` and `~` are what they say (YAML 1.2 core
schema, https://yaml.org/spec/1.2.2/#103-core-schema); every other plain scalar, dates included, stays text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field

import yaml

from robustcert.errors import expected

MAX_BYTES = 1 << 20
MAX_DEPTH = 32
MAX_NODES = 50_000
MAX_NUMBER_CHARACTERS = 40

Path = tuple[str | int, ...]
Value = None | bool | int | float | str | list["Value"] | dict[str, "Value"]

_WORDS: dict[str, bool | None] = {"": None, "~": None, "null": None, "true": True, "false": False}
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|nan)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class YamlProblem:
    """Something that this reading of YAML refuses, at a path and a line (from 1)."""

    path: Path
    line: int
    message: str


@dataclass(frozen=True, kw_only=True)
class YamlDocument:
    """The value, the line of each path in it (from 1), and all that was refused; with problems the value is partial."""

    value: Value
    lines: dict[Path, int]
    problems: tuple[YamlProblem, ...]


def read_yaml(text: str) -> YamlDocument:
    """Reads one document; never raises for what a text may hold."""
    reading = _Reading()
    value: Value = None
    try:
        _refuse_at_sight(text)
        value = reading.document(yaml.parse(text, Loader=yaml.SafeLoader))
    except _StopError as stop:
        reading.problems.append(stop.problem)
    except yaml.MarkedYAMLError as error:
        reading.problems.append(_syntax_problem(error))
    except yaml.reader.ReaderError as error:
        message = expected("printable characters", got=f"U+{error.character:04X}", remedy="remove it")
        reading.problems.append(YamlProblem(path=(), line=_line_at(text, error.position), message=message))
    return YamlDocument(value=value, lines=reading.lines, problems=tuple(reading.problems))


class _StopError(Exception):
    """A problem after which reading on makes no sense."""

    def __init__(self, path: Path, line: int, message: str) -> None:
        self.problem = YamlProblem(path=path, line=line, message=message)


@dataclass
class _Reading:
    """One walk over the parser's events, which collects lines and problems on its way."""

    lines: dict[Path, int] = field(default_factory=dict)
    problems: list[YamlProblem] = field(default_factory=list)

    def document(self, events: Iterator[yaml.Event]) -> Value:
        """The value of the only document."""
        next(events)
        start = next(events)
        if isinstance(start, yaml.StreamEndEvent):
            remedy = "write one with robustcert init"
            raise _StopError((), 1, expected("a specification", got="an empty file", remedy=remedy))
        if isinstance(start, yaml.DocumentStartEvent) and (start.version or start.tags):
            raise _StopError((), _line(start), expected("no % directives", got="one", remedy="remove it"))
        value = self._node(next(events), events, ())
        next(events)
        after = next(events)
        if not isinstance(after, yaml.StreamEndEvent):
            remedy = "keep one, and write the others to files of their own"
            raise _StopError((), _line(after), expected("one document", got="a second one", remedy=remedy))
        return value

    def _node(self, event: yaml.Event, events: Iterator[yaml.Event], path: Path) -> Value:
        self.lines.setdefault(path, _line(event))
        if len(self.lines) > MAX_NODES:
            message = expected(f"at most {MAX_NODES} values", got="more", remedy="shorten the file")
            raise _StopError(path, _line(event), message)
        if isinstance(event, yaml.NodeEvent):
            self._refuse_extras(event, path)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(events, _deeper(path, event))
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(events, _deeper(path, event))
        return self._scalar(event, path) if isinstance(event, yaml.ScalarEvent) else None

    def _sequence(self, events: Iterator[yaml.Event], path: Path) -> list[Value]:
        items: list[Value] = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            items.append(self._node(event, events, (*path, len(items))))
        return items

    def _mapping(self, events: Iterator[yaml.Event], path: Path) -> dict[str, Value]:
        items: dict[str, Value] = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            key = self._key(event, events, path)
            if key in items:
                self._refuse_duplicate(key, event, path)
            self.lines.setdefault((*path, key), _line(event))
            items[key] = self._node(next(events), events, (*path, key))
        return items

    def _key(self, event: yaml.Event, events: Iterator[yaml.Event], path: Path) -> str:
        if isinstance(event, yaml.ScalarEvent):
            self._refuse_extras(event, path)
            value = self._scalar(event, path)
        else:
            value = self._node(event, events, (*path, "key"))
        if isinstance(value, str):
            return value
        got = repr(value)[:MAX_NUMBER_CHARACTERS]
        self._problem(path, event, expected("text as a key", got=got, remedy="put the key in quotes"))
        return got

    def _scalar(self, event: yaml.ScalarEvent, path: Path) -> Value:
        text: str = event.value
        if bad := next((character for character in text if _unprintable(character)), None):
            self._problem(path, event, expected("printable text", got=f"U+{ord(bad):04X}", remedy="remove it"))
            return ""
        return text if event.style is not None else self._plain(event, path)

    def _plain(self, event: yaml.ScalarEvent, path: Path) -> Value:
        text: str = event.value
        if text in _WORDS:
            return _WORDS[text]
        if _NOT_FINITE.fullmatch(text):
            self._problem(path, event, expected("a finite number", got=text, remedy="write the number"))
        if not _FLOAT.fullmatch(text):
            return text
        number = float(text)
        if len(text) > MAX_NUMBER_CHARACTERS or abs(number) == float("inf"):
            got = text[:MAX_NUMBER_CHARACTERS]
            self._problem(path, event, expected("a shorter or smaller number", got=got, remedy="correct it"))
            return None
        return int(text) if _INTEGER.fullmatch(text) else number

    def _refuse_extras(self, event: yaml.NodeEvent, path: Path) -> None:
        """Aliases, anchors and tags: what makes YAML bombs, and what makes YAML run code."""
        if isinstance(event, yaml.AliasEvent):
            self._problem(path, event, expected("no aliases", got=f"*{event.anchor}", remedy="repeat the value"))
        elif event.anchor is not None:
            self._problem(path, event, expected("no anchors", got=f"&{event.anchor}", remedy="remove it"))
        elif getattr(event, "tag", None) is not None:
            self._problem(path, event, expected("no tags", got=str(getattr(event, "tag", "")), remedy="remove it"))

    def _refuse_duplicate(self, key: str, event: yaml.Event, path: Path) -> None:
        got = f"it on lines {self.lines[(*path, key)]} and {_line(event)}"
        self._problem((*path, key), event, expected("each key once", got=got, remedy="keep one"))

    def _problem(self, path: Path, event: yaml.Event, message: str) -> None:
        self.problems.append(YamlProblem(path=path, line=_line(event), message=message))


def _refuse_at_sight(text: str) -> None:
    if len(text.encode("utf-8", errors="surrogatepass")) > MAX_BYTES:
        raise _StopError((), 1, expected(f"at most {MAX_BYTES} bytes", got="more", remedy="shorten the file"))
    if (tab := text.find("\t")) >= 0:
        raise _StopError((), _line_at(text, tab), expected("spaces", got="a tab", remedy="replace every tab by spaces"))


def _deeper(path: Path, event: yaml.Event) -> Path:
    if len(path) >= MAX_DEPTH:
        message = expected(f"at most {MAX_DEPTH} levels", got="a deeper one", remedy="flatten the file")
        raise _StopError(path[:1], _line(event), message)
    return path


def _syntax_problem(error: yaml.MarkedYAMLError) -> YamlProblem:
    mark = error.problem_mark or error.context_mark
    line = 1 if mark is None else mark.line + 1
    return YamlProblem(path=(), line=line, message=f"expected YAML, got a mistake: {error.problem}; correct it")


def _unprintable(character: str) -> bool:
    return character != "\n" and unicodedata.category(character) in ("Cc", "Cs")


def _line(event: yaml.Event) -> int:
    assert event.start_mark is not None, "PyYAML marks every event"
    return int(event.start_mark.line) + 1


def _line_at(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1
