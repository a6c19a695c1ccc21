"""The list of all values: what pydantic knows of them, with paths that a user can write."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from tools.chart.entry import all_entries, defaults_of, entries
from tools.chart.part import Part
from tools.chart.values import Values


class Item(Part):
    """What a list holds."""

    must: str = Field(..., description="Needed.")
    may_be: int = Field(default=1, description="Not needed.")


class Shared(Part):
    """What several have."""

    colour: str = Field(default="red", description="Its colour.")


class Trial(Shared):
    """A part of its own."""

    many: list[Item] = Field(default=[], description="Items.", examples=[[{"must": "a"}]])
    named: dict[str, dict[str, Item]] = Field(default={}, description="By two names.")
    perhaps: Shared | None = Field(default=None, description="Or not.")
    inner: Shared = Field(default=Shared(colour="blue"), description="A part in it.")


def test_own_values_come_before_shared_ones_and_parts_before_what_is_in_them() -> None:
    assert [entry.path for entry in all_entries(Trial)] == [
        *("many", "many[].must", "many[].mayBe"),
        *("named", "named.*.*.must", "named.*.*.mayBe"),
        *("perhaps", "perhaps.colour"),
        *("inner", "inner.colour", "colour"),
    ]


def test_an_entry_knows_its_default_example_and_need() -> None:
    found = {entry.path: entry for entry in all_entries(Trial, path="")}
    assert found["inner.colour"].default == "blue"
    assert found["colour"].default == "red"
    assert found["many"].example == [{"must": "a"}]
    assert (found["many[].must"].required, found["many[].mayBe"].required) == (True, False)
    assert (found["perhaps"].is_filled, found["inner"].is_filled) == (False, True)
    assert (found["many[].mayBe"].name, found["many[].mayBe"].default) == ("mayBe", 1)
    assert defaults_of(Item) == {"mayBe": 1}


def test_the_values_of_the_chart_are_all_there() -> None:
    def walk(value: Any, path: str) -> list[str]:
        below = (
            [walk(item, f"{path}.{name}" if path else name) for name, item in value.items()]
            if value and isinstance(value, dict)
            else []
        )
        return [path, *(one for paths in below for one in paths)]

    paths = set(walk(Values().model_dump(by_alias=True, mode="json"), "")) - {""}
    listed = {entry.path for entry in all_entries(Values)}
    maps = {entry.path for entry in all_entries(Values) if entry.part is None and isinstance(entry.default, dict)}
    assert {path for path in paths if path.rpartition(".")[0] not in maps} <= listed


def test_every_value_is_described_in_a_sentence() -> None:
    assert [entry.path for entry in all_entries(Values) if not entry.description.endswith(".")] == []
    assert [entry.path for entry in entries(Values) if entry.part and not entry.part.__doc__] == []
