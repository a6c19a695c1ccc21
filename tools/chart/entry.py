"""Every value of the chart with its path, default and description, as values.yaml and the chart's README list them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args, get_origin

from pydantic.fields import FieldInfo

from tools.chart.part import Part

ANY = "*"  # a name that the user chooses
EACH = "[]"  # each item of a list


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One value. `part` is the class of a part, `item` that of what a list or map holds, at `path` plus `below`."""

    path: str
    default: Any
    description: str
    required: bool = False
    example: Any = None
    part: type[Part] | None = None
    item: type[Part] | None = None
    below: str = ""

    @property
    def name(self) -> str:
        """The last name of the path."""
        return self.path.rpartition(".")[2]

    @property
    def is_filled(self) -> bool:
        """Whether it is a part whose values are there, and not left out as in an item of a list."""
        return self.part is not None and self.default is not None


def entries(part: type[Part], *, path: str = "", default: Any = None) -> list[Entry]:
    """The values directly in a part: what is its own first, then what it shares with others."""
    shared = {name for base in part.__bases__ if issubclass(base, Part) for name in base.model_fields}
    fields = sorted(part.model_fields.items(), key=lambda named: named[0] in shared)
    given = part().model_dump(by_alias=True, mode="json") if default is None and not _required(part) else default or {}
    return [_entry(field, field.alias or name, path=path, defaults=given) for name, field in fields]


def all_entries(part: type[Part], *, path: str = "", default: Any = None) -> Iterator[Entry]:
    """The values in a part and in its parts, and in what its lists and maps hold."""
    for entry in entries(part, path=path, default=default):
        yield entry
        if entry.part:
            yield from all_entries(entry.part, path=entry.path, default=entry.default)
        elif entry.item:
            yield from all_entries(entry.item, path=entry.path + entry.below, default=defaults_of(entry.item))


def defaults_of(item: type[Part]) -> dict[str, Any]:
    """Defaults of what may be left out of an item, by its name in YAML."""
    fields = ((field.alias or name, field) for name, field in item.model_fields.items())
    return {name: _plain(field.default) for name, field in fields if not field.is_required()}


def _entry(field: FieldInfo, name: str, *, path: str, defaults: dict[str, Any]) -> Entry:
    part, below = _part_in(field.annotation)
    return Entry(
        path=f"{path}.{name}" if path else name,
        default=defaults.get(name),
        description=field.description or "",
        required=field.is_required() and name not in defaults,
        example=field.examples[0] if field.examples else None,
        part=None if below is None else part if below == "" else None,
        item=part if below else None,
        below=below or "",
    )


def _part_in(annotation: Any) -> tuple[type[Part] | None, str | None]:
    """The class of parts that a type holds, and the path to them; no path where it holds none."""
    if isinstance(annotation, type) and issubclass(annotation, Part):
        return annotation, ""
    for argument in get_args(annotation):
        part, below = _part_in(argument)
        if part:
            step = {list: EACH, dict: f".{ANY}"}.get(get_origin(annotation), "")
            return part, f"{step}{below}"
    return None, None


def _required(part: type[Part]) -> bool:
    return any(field.is_required() for field in part.model_fields.values())


def _plain(value: Any) -> Any:
    return value.model_dump(by_alias=True, mode="json") if isinstance(value, Part) else value
