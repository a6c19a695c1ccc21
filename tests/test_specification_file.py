"""Reading, hashing and refusing specification files."""

import hashlib
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robustcert.errors import SpecificationError
from robustcert.specification_file import (
    ProblemsError,
    canonical_form,
    check_text,
    decimal,
    load_canonical,
    parse_specification,
    read_specification,
    recorded_specification,
)
from robustcert.specification_template import KINDS, template


def written(folder: Path, text: str) -> Path:
    path = folder / "spec.yaml"
    path.write_bytes(text.encode())
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_is_read_with_the_digests_of_its_bytes_and_of_its_canonical_form(kind: str, tmp_path: Path) -> None:
    path = written(tmp_path, template(kind))
    loaded = read_specification(path)
    assert loaded.text_sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert loaded.canonical_sha256 == hashlib.sha256(loaded.canonical).hexdigest()
    assert loaded.text == template(kind)
    assert loaded.warnings == ()


@pytest.mark.parametrize("kind", KINDS)
def test_the_canonical_form_is_read_back_exactly(kind: str) -> None:
    loaded = parse_specification(template(kind))
    for form in (loaded.canonical, json.loads(loaded.canonical)):
        again = load_canonical(form)
        assert again == loaded.specification
        assert canonical_form(again) == loaded.canonical


def test_layout_comments_and_written_defaults_leave_the_canonical_form_alone() -> None:
    text = template("digits")
    plain = "\n".join(line.partition("  # ")[0] for line in text.splitlines() if not line.strip().startswith("#"))
    other = plain.replace("epsilon: 0.1", "epsilon: 1.0e-1").replace("epochs: 40", "epochs: 40\n  batchSize: 128")
    windows = other.replace("\n", "\r\n")
    forms = {parse_specification(variant).canonical_sha256 for variant in (text, plain, other, windows)}
    assert len(forms) == 1
    assert len({parse_specification(variant).text_sha256 for variant in (text, plain, other, windows)}) == 4


def test_a_byte_order_mark_is_no_part_of_the_specification(tmp_path: Path) -> None:
    loaded = read_specification(written(tmp_path, "\ufeff" + template("digits")))
    assert loaded.specification == parse_specification(template("digits")).specification
    assert loaded.text_sha256 != parse_specification(template("digits")).text_sha256


def test_criteria_that_change_change_the_canonical_digest() -> None:
    text = template("digits")
    changed = text.replace("threshold: 0.95", "threshold: 0.92")
    assert parse_specification(text).canonical_sha256 != parse_specification(changed).canonical_sha256


def test_the_canonical_form_holds_defaults_and_no_floats_and_no_absent_values() -> None:
    form = parse_specification(template("digits")).canonical
    values = json.loads(form, parse_float=lambda text: pytest.fail(f"a float: {text}"))
    assert values["training"]["batchSize"] == 128
    assert values["certification"]["radii"] == ["0", "0.1", "0.25", "0.5"]
    assert values["threatModels"][0]["epsilon"] == "0.1"
    assert b"null" not in form
    assert form == json.dumps(values, sort_keys=True, separators=(",", ":")).encode()


def test_the_digest_of_the_first_released_form_never_changes() -> None:
    """Recorded: certificates name this digest. A field added within v1 must leave it alone."""
    minimal = (Path(__file__).parent / "specification_checks" / "recorded.yaml").read_text()
    assert (
        parse_specification(minimal).canonical_sha256
        == "b4c9abf777452664046159a9467ec07cd84cfa2596a912493883539d1473210c"
    )


def test_one_part_of_the_canonical_form_is_had_by_its_key() -> None:
    loaded = parse_specification(template("digits"))
    assert loaded.canonical_part("validity") == {"days": 90}
    assert loaded.canonical_part("seed") == 0
    assert loaded.canonical_part("nothing") is None


@pytest.mark.parametrize(
    ("form", "message"),
    [
        (b"{}", "Field required"),
        (b"[1]", "valid dictionary"),
        (b"\xff", "codec can't decode"),
        (b'{"a": ', "Expecting value"),
        (b"[" * 100_000, "recursion"),
        ({"a": 0.5}, "decimal string"),
    ],
)
def test_what_is_no_canonical_form_is_refused(form: bytes, message: str) -> None:
    with pytest.raises(SpecificationError, match=f"expected the canonical form of a specification, got .*{message}"):
        load_canonical(form)


@pytest.mark.parametrize(
    ("old", "new"), [(b'"0.25"', b'"0.250"'), (b'"0.25"', b"0.25"), (b'"seed":0', b'"seed":"0"'), (b",", b", ")]
)
def test_another_form_of_the_same_values_is_refused(old: bytes, new: bytes) -> None:
    form = parse_specification(template("digits")).canonical
    with pytest.raises(SpecificationError, match="another form of the same values"):
        load_canonical(form.replace(old, new))


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_decimal_reads_back_as_the_same_number_and_has_no_exponent(value: float) -> None:
    text = decimal(value)
    assert float(text) == value
    assert set(text) <= set("-.0123456789")
    assert not text.endswith(".0")


def test_an_error_names_file_line_and_path_and_counts_the_rest(tmp_path: Path) -> None:
    text = template("digits").replace("threshold: 0.95", "threshold: 95").replace("days: 90", "days: 0")
    path = written(tmp_path, text)
    with pytest.raises(ProblemsError) as caught:
        read_specification(path)
    line = next(number for number, row in enumerate(text.splitlines(), 1) if "threshold: 95" in row)
    first = f"{path}:{line}: acceptance[0].threshold: expected a number from 0 to 1, got 95; write 0.95 for 95 %"
    assert str(caught.value) == f"{first} (and 1 more)"
    assert caught.value.report().splitlines()[0] == first
    assert len(caught.value.problems) == 2
    assert isinstance(caught.value, SpecificationError)


def test_warnings_do_not_refuse_and_travel_along(tmp_path: Path) -> None:
    loaded = read_specification(written(tmp_path, template("digits").replace("epochs: 40", "epochs: 41")))
    (warning,) = loaded.warnings
    assert warning.path == "training.epochs"
    assert warning.severity == "warning"


def test_an_error_among_warnings_comes_first_in_the_text_of_the_exception() -> None:
    text = template("digits").replace("epochs: 40", "epochs: 41").replace("radius: 0.25\n", "radius: 0.3\n")
    with pytest.raises(
        ProblemsError, match=r"^specification:\d+: acceptance\[2\]\.radius: expected a radius"
    ) as caught:
        parse_specification(text)
    assert [problem.severity for problem in caught.value.problems] == ["warning", "error"]


def test_a_recorded_specification_is_held_to_types_and_references_alone() -> None:
    unwise = template("digits").replace("On handwritten digits", "Unhackable: on handwritten digits")
    with pytest.raises(SpecificationError, match="'unhackable'"):
        parse_specification(unwise)
    assert recorded_specification(unwise).canonical == canonical_form(recorded_specification(unwise).specification)
    with pytest.raises(SpecificationError, match=r"did you mean 'linf-0\.1'"):
        recorded_specification(unwise.replace("threatModel: linf-0.1", "threatModel: linf-0.2"))


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SpecificationError, match=r"^expected a specification file, got no file '.*'; .*init$"):
        read_specification(tmp_path / "nothing.yaml")


def test_a_folder_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SpecificationError, match=r"^expected a specification file, got '.*', a folder; "):
        read_specification(tmp_path)


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SpecificationError, match="no regular file"):
        read_specification(tmp_path / "pipe")


def test_a_file_that_the_system_refuses_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SpecificationError, match=r"which can't be read \(File name too long\); name a readable file"):
        read_specification(tmp_path / ("x" * 300))


def test_bytes_that_are_no_utf8_are_named_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_bytes(b"name: a\nclaim: \xe4\n")
    with pytest.raises(SpecificationError, match=r"spec.yaml:2: expected UTF-8 text, got byte 0xe4; save the file as"):
        read_specification(path)


def test_a_huge_file_is_refused_without_reading_all_of_it(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    with path.open("wb") as file:
        file.truncate(1 << 34)
    with pytest.raises(SpecificationError, match="expected at most 1048576 bytes"):
        read_specification(path)


def test_an_empty_file_says_how_to_start() -> None:
    (problem,) = check_text("", "spec.yaml")
    assert str(problem) == "spec.yaml:1: expected a specification, got an empty file; write one with robustcert init"
