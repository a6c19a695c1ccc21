"""The safe reading of YAML. The oracle for values is PyYAML's own safe loader where both mean the same."""

import json
import re
import time

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from robustcert.yaml_document import MAX_BYTES, read_yaml

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abcxyz- .", max_size=5), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


def problems(text: str) -> list[tuple[int, str]]:
    return [(problem.line, problem.message) for problem in read_yaml(text).problems]


@given(JSON_VALUES)
def test_every_json_value_is_read_as_json_reads_it(value: object) -> None:
    text = json.dumps(value, ensure_ascii=False)
    document = read_yaml(text)
    assert document.problems == ()
    assert document.value == json.loads(text)


@given(JSON_VALUES)
def test_block_style_is_read_as_the_safe_loader_reads_it(value: object) -> None:
    text = yaml.safe_dump(value, allow_unicode=True)
    document = read_yaml(text)
    assert document.problems == ()
    assert document.value == yaml.safe_load(text)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1e-3", 0.001),
        ("1E3", 1000.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("+7", 7),
        ("-0.25", -0.25),
        ("2030-12-31", "2030-12-31"),
        ("2030-12-31T10:00:00Z", "2030-12-31T10:00:00Z"),
        ("yes", "yes"),
        ("off", "off"),
        ("1_000", "1_000"),
        ("0x10", "0x10"),
        ("010", "010"),
        ("12:30", "12:30"),
        ("True", "True"),
        ("true", True),
        ("~", None),
        ("", None),
        ("'5'", "5"),
        ('".nan"', ".nan"),
    ],
)
def test_a_scalar_is_a_number_only_where_no_reader_can_doubt_it(written: str, value: object) -> None:
    read = read_yaml(f"key: {written}").value
    assert isinstance(read, dict)
    assert read["key"] == value
    assert type(read["key"]) is type(value)


def test_every_key_and_item_has_its_line() -> None:
    text = "# first\na:\n  b: 1\n\n  c:\n    - x\n    - {d: 2,\n       e: 3}\nf: >-\n  folded\n  text\ng: 4\n"
    lines = read_yaml(text).lines
    assert lines["a",] == 2
    assert lines["a", "b"] == 3
    assert lines["a", "c", 0] == 6
    assert lines["a", "c", 1] == 7
    assert lines["a", "c", 1, "d"] == 7
    assert lines["a", "c", 1, "e"] == 8
    assert lines["f",] == 9
    assert lines["g",] == 12


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a: 1\nb: &x 2\n", 2, "expected no anchors, got &x"),
        ("a: 1\nb: *x\n", 2, r"expected no aliases, got \*x"),
        (
            "a: 1\nb: !!python/object:os.system x\n",
            2,
            "expected no tags, got tag:yaml.org,2002:python/object:os.system",
        ),
        ("a: !!str 1\n", 1, "expected no tags"),
        ("a: ! 1\n", 1, "expected no tags"),
        ("a: 1\n--- \nb: 2\n", 2, "expected one document, got a second one"),
        ("%YAML 1.1\n---\na: 1\n", 1, "expected no % directives"),
        ("a: 1\nb: 2\na: 3\n", 3, "expected each key once, got it on lines 1 and 3"),
        ("a:\n  1: x\n", 2, "expected text as a key, got 1; put the key in quotes"),
        ("true: x\n", 1, "expected text as a key, got True"),
        ("? [a, b]\n: x\n", 1, "expected text as a key"),
        ("a: 1\n\tb: 2\n", 2, "expected spaces, got a tab"),
        ("a: 1\nb: .nan\n", 2, "expected a finite number, got .nan"),
        ("a: -.INF\n", 1, "expected a finite number, got -.INF"),
        ("a: 1e999\n", 1, "expected a shorter or smaller number"),
        (f"a: {'1' * 5000}\n", 1, "expected a shorter or smaller number"),
        ('a: 1\nb: "\\0"\n', 2, r"expected printable text, got U\+0000"),
        ('a: "\\ud800"\n', 1, r"expected printable text, got U\+D800"),
        ("a: 1\nb: \x07\n", 2, r"expected printable characters, got U\+0007"),
        ("a: [1, 2\nb: 3\n", 2, "expected YAML, got a mistake"),
        ("", 1, "expected a specification, got an empty file"),
        ("# nothing\n", 1, "got an empty file"),
        ("[" * 40, 1, "expected at most 32 levels"),
    ],
)
def test_what_is_not_plain_yaml_is_refused_with_its_line(text: str, line: int, message: str) -> None:
    found = problems(text)
    assert found, text
    assert found[0][0] == line
    assert re.search(message, found[0][1])


def test_all_problems_of_the_values_are_collected() -> None:
    assert [line for line, _ in problems("a: .nan\nb: &x 1\nc: !t 2\nc: 3\n")] == [1, 2, 3, 4]


def test_a_document_of_laughs_is_refused_in_linear_time() -> None:
    """The classic bomb (CVE-2003-1564): nine levels of nine aliases, a billion items once expanded."""
    levels = "".join(f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 9)}]\n" for i in range(1, 10))
    start = time.perf_counter()
    found = problems(f"l0: &l0 lol\n{levels}")
    assert found[0] == (1, "expected no anchors, got &l0; remove it")
    assert time.perf_counter() - start < 10


@pytest.mark.parametrize("text", ["[" * MAX_BYTES, "- " * (MAX_BYTES // 2), "{a: " * (MAX_BYTES // 4)])
def test_depth_is_refused_before_the_rest_is_read(text: str) -> None:
    start = time.perf_counter()
    assert "32 levels" in problems(text)[0][1]
    assert time.perf_counter() - start < 10


def test_size_and_number_of_values_have_limits() -> None:
    assert problems("#" * (MAX_BYTES + 1)) == [(1, "expected at most 1048576 bytes, got more; shorten the file")]
    assert "expected at most 50000 values" in problems("[" + "a," * 50_001 + "]")[0][1]


@given(st.text())
def test_no_text_raises(text: str) -> None:
    document = read_yaml(text)
    assert all(problem.line >= 1 for problem in document.problems)
