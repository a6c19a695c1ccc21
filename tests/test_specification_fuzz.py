"""Arbitrary damage to a specification gives problems with a line, or a sound specification, and never another error.

The oracle for lines is PyYAML's composer; the oracle for soundness is jsonschema.
"""

import copy
import json
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from robustcert.errors import SpecificationError
from robustcert.specification import schema_json
from robustcert.specification_examples import EXAMPLES
from robustcert.specification_file import canonical_form, check_text, load_canonical, parse_specification
from robustcert.specification_template import KINDS, template

SCHEMA = jsonschema.Draft202012Validator(json.loads(schema_json()))
JUNK: Any = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=30),
    st.sampled_from([[], {}, [[]], {"a": 1}, "contract", "feature_std", 0, 1e-300, 255, "0.5"]),
    st.lists(st.floats(-1e3, 1e3), max_size=4), st.dictionaries(st.text(max_size=8), st.integers(), max_size=3),
)  # fmt: skip
PIECES = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(
    [
        "\n",
        ":",
        " ",
        "\t",
        "- ",
        "[",
        "]",
        "{",
        "}",
        "&a ",
        "*a",
        "!!int ",
        "---\n",
        "|",
        ">",
        "'",
        '"',
        "#",
        ".nan",
        "? ",
    ]
)


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every path below a value, the root left out."""
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from paths(item, (*path, key))


VALUES = {kind: json.loads(json.dumps(EXAMPLES[kind])) for kind in KINDS}
PLACES = [(kind, path) for kind, values in VALUES.items() for path in paths(values)]


def changed(kind: str, path: tuple[Any, ...]) -> tuple[Any, Any]:
    """A copy of an example, and the container of `path` in it."""
    values = copy.deepcopy(VALUES[kind])
    place = values
    for part in path[:-1]:
        place = place[part]
    return values, place


def composed_lines(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], int]]:
    """Every path and its line, in the eyes of PyYAML's composer."""
    items = enumerate(node.value) if isinstance(node, yaml.SequenceNode) else ()
    for number, item in items:
        yield (*path, number), item.start_mark.line + 1
        yield from composed_lines(item, (*path, number))
    for key, item in node.value if isinstance(node, yaml.MappingNode) else ():
        yield (*path, key.value), key.start_mark.line + 1
        yield from composed_lines(item, (*path, key.value))


def examine(text: str) -> None:
    """Problems have a line of the text and one line of words; without errors the specification is sound."""
    problems = check_text(text, "spec.yaml")
    last = len(text.splitlines()) + 1
    for problem in problems:
        assert 1 <= problem.line <= last, problem
        assert "\n" not in str(problem)
        assert str(problem).startswith(f"spec.yaml:{problem.line}: ")
    if any(problem.severity == "error" for problem in problems):
        with pytest.raises(SpecificationError, match=r"^spec\.yaml:\d+: "):
            parse_specification(text, name="spec.yaml")
    else:
        loaded = parse_specification(text, name="spec.yaml")
        assert load_canonical(loaded.canonical) == loaded.specification
        assert canonical_form(loaded.specification) == loaded.canonical
        SCHEMA.validate(yaml.safe_load(text))


@given(st.sampled_from(PLACES), JUNK)
@settings(max_examples=200)
def test_junk_in_place_of_any_value(place: tuple[str, tuple[Any, ...]], junk: Any) -> None:
    values, container = changed(*place)
    container[place[1][-1]] = junk
    examine(yaml.safe_dump(values, sort_keys=False))


@given(st.sampled_from(PLACES), st.text(max_size=12), JUNK)
@settings(max_examples=100)
def test_junk_beside_any_key(place: tuple[str, tuple[Any, ...]], key: str, junk: Any) -> None:
    values, container = changed(*place)
    if isinstance(container, dict):
        container[key] = junk
    else:
        container.append(junk)
    examine(yaml.safe_dump(values, sort_keys=False))


@pytest.mark.parametrize("kind", ["digits", "table"])
def test_without_any_one_key(kind: str) -> None:
    for path in paths(VALUES[kind]):
        values, container = changed(kind, path)
        del container[path[-1]]
        examine(yaml.safe_dump(values, sort_keys=False))


@given(st.sampled_from(KINDS), st.lists(st.tuples(st.floats(0, 1), st.integers(0, 30), PIECES), min_size=1, max_size=4))
@settings(max_examples=200)
def test_damaged_text(kind: str, cuts: list[tuple[float, int, str]]) -> None:
    text = template(kind)
    for where, length, piece in cuts:
        start = int(where * len(text))
        text = text[:start] + piece + text[start + length :]
    problems = check_text(text, "spec.yaml")
    assert all(1 <= problem.line <= text.count("\n") + text.count("\r") + 2 for problem in problems)
    if any(problem.severity == "error" for problem in problems):
        with pytest.raises(SpecificationError, match=r"^spec\.yaml:\d+: "):
            parse_specification(text, name="spec.yaml")


@given(st.sampled_from(PLACES), st.sampled_from([[[]], {"zzzz": 1}, [{}, {}]]))
@settings(max_examples=100)
def test_a_value_of_an_impossible_type_is_named_at_its_own_line(place: tuple[str, tuple[Any, ...]], junk: Any) -> None:
    kind, path = place
    values, container = changed(kind, path)
    container[path[-1]] = junk
    text = yaml.safe_dump(values, sort_keys=False)
    errors = [problem for problem in check_text(text) if problem.severity == "error"]
    assert errors
    lines = dict(composed_lines(yaml.compose(text, Loader=yaml.SafeLoader)))
    end = min((line for line in lines.values() if line > lines[path]), default=text.count("\n") + 1)
    end = max([end, *(line + 1 for other, line in lines.items() if other[: len(path)] == path)])
    assert any(lines[path] <= problem.line < end for problem in errors), [str(problem) for problem in errors]
