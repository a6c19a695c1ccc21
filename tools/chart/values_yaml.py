"""Writes charts/robustcert/values.yaml: every default, with its description beside it, and examples as comments."""

from __future__ import annotations

import functools
import itertools
import json
import re
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from tools.chart.entry import ANY, EACH, Entry, all_entries, defaults_of, entries
from tools.chart.part import Part
from tools.chart.render import CHART
from tools.chart.values import Values

PATH = CHART / "values.yaml"
WIDTH = 120
STEP = "  "
PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./:-]*")
HEAD = """\
# Values of the chart robustcert and their defaults. Made by `make generate` from tools/chart; not edited by hand.
#
# `store.uri` and one of `trustedKeys` have none and must be given. README.md lists all values as a table. Helm checks
# what is given by values.schema.json: a name that is misspelt is answered with the right one."""


def generated() -> dict[Path, str]:
    """The file and its text."""
    return {PATH: values_yaml()}


def values_yaml() -> str:
    """The text of the file."""
    groups = itertools.groupby(entries(Values), key=lambda entry: entry.path if entry.part else None)
    blocks = ("\n".join(line for entry in group for line in _lines(entry)) for _, group in groups)
    return "\n\n".join([HEAD, *blocks]) + "\n"


def _lines(entry: Entry) -> Iterator[str]:
    """What stands for one value: its name, its default, its parts below it."""
    if entry.part and entry.is_filled:
        yield from _comment(part_description(entry))
        yield f"{entry.name}:"
        for inner in entries(entry.part, path=entry.path, default=entry.default):
            yield from (STEP + line if line else line for line in _lines(inner))
    elif entry.example is not None:
        yield from _comment(f"{entry.description} For example:")
        yield from (f"#   {line}" for line in _example(entry))
        yield f"{entry.name}: {inline(entry.default)}"
    else:
        yield from _described(f"{entry.name}: {inline(entry.default)}", _words(entry))


def part_description(entry: Entry) -> str:
    """What a part is: in its class's words, or in its field's where the class stands in several places."""
    if entry.part is None or is_shared(entry.part):
        return entry.description
    return " ".join(str(entry.part.__doc__).split())


def is_shared(part: type[Part]) -> bool:
    """Whether a part, or what a list holds, stands in several places of the values."""
    return _places()[part] > 1


@functools.cache
def _places() -> Counter[type[Part] | None]:
    return Counter(entry.part or entry.item for entry in all_entries(Values))


def _words(entry: Entry) -> str:
    return f"{entry.description} Required." if entry.required else entry.description


def _example(entry: Entry) -> Iterable[str]:
    """The example, with all that can be said of what the list or map holds."""
    if entry.item is None:
        return yaml.safe_dump(entry.example, sort_keys=False, width=WIDTH).splitlines()
    return _filled(entry.example, entry.item, below=entry.below)


def _filled(example: Any, item: type[Part], *, below: str) -> Iterator[str]:
    """An example of a list or map of parts; `below` is the path from here to the parts, such as `.*.*`."""
    if below.startswith(EACH):
        lines = (line for one in example for line in _hung(_filled(one, item, below=below.removeprefix(EACH))))
    elif below:
        rest = below.removeprefix(f".{ANY}")
        maps = ((name, _filled(one, item, below=rest)) for name, one in example.items())
        lines = (line for name, inner in maps for line in (f"{name}:", *(STEP + line for line in inner)))
    else:
        inner = entries(item, path=EACH, default={**defaults_of(item), **example})
        lines = (line for one in inner for line in _lines(one))
    yield from lines


def _hung(lines: Iterable[str]) -> Iterator[str]:
    return (f"{'- ' if place == 0 else STEP}{line}" for place, line in enumerate(lines))


def _described(text: str, description: str) -> Iterator[str]:
    """A line with its description behind it, or above it where both together are too long."""
    beside = f"{text}  # {description}"
    if len(beside) <= WIDTH - 4 * len(STEP):
        yield beside
    else:
        yield from _comment(description)
        yield text


def _comment(text: str) -> Iterable[str]:
    return textwrap.wrap(
        text, WIDTH - 4 * len(STEP), initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False
    )


def inline(value: Any) -> str:
    """A value on one line; text in quotes where YAML might read it as something else, or a reader as several."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {inline(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(inline, value)) + "]"
    plain = isinstance(value, str) and PLAIN.fullmatch(value) and yaml.safe_load(value) == value
    return value if plain else json.dumps(value)
