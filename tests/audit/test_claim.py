"""What is claimed of a log: numbers, ids and curves, as a person writes them."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from robustcert.audit.claim import Claim, number, parse_curve, parse_ids, parse_radii, readable
from robustcert.errors import InputError


@pytest.mark.parametrize("text", ["", "x", "1_0", "\u0661", "1e-400", "1e400", "snan", "0" * 41, "1e-999999999999"])
def test_what_is_no_ordinary_decimal_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="expected a radius, got"):
        number(text, what="a radius")


def test_decimals_are_read_as_written() -> None:
    assert number(" 0.0829 ", what="a radius") == Decimal("0.0829")
    assert number("1e-5", what="a radius") == Decimal("0.00001")
    assert number("nan", what="a radius").is_nan()
    assert number("0.000", what="a radius") == 0


def test_ids_are_a_range_or_a_file(tmp_path: Path) -> None:
    assert parse_ids("0:10000:20") == range(0, 10000, 20)
    assert parse_ids("3:7") == range(3, 7)
    (tmp_path / "ids").write_text("4\n8\n15\n")
    assert parse_ids(str(tmp_path / "ids")) == {4, 8, 15}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("5:1", "first < end"),
        ("0:9:0", "step > 0"),
        ("a:b", "expected ids as first:end:step"),
        ("0:1:2:3", "expected ids as first:end:step"),
        ("0:999999999999", "100000000 ids at most"),
        ("nothing", "file of ids, got No such file or directory: nothing"),
    ],
)
def test_ids_that_are_none_are_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_ids(text)


def test_a_file_of_other_things_than_ids_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ids").write_text("4\n-8\n")
    with pytest.raises(InputError, match="expected an id, got '-8' at place 2 of ids"):
        parse_ids(str(tmp_path / "ids"))


def test_a_curve_is_pairs_or_a_file(tmp_path: Path) -> None:
    wanted = ((Decimal("0.25"), Decimal("0.55")), (Decimal("0.5"), Decimal("0.41")))
    assert parse_curve("0.25=0.55,0.5=0.41") == wanted
    for delimiter in ",\t":
        rows = [("accuracy", "radius"), ("0.55", "0.25"), ("0.41", "0.5")]
        (tmp_path / "curve").write_text("".join(f"{delimiter.join(row)}\n" for row in rows))
        assert parse_curve(str(tmp_path / "curve")) == wanted


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0.5=41", "write accuracies as shares, not percentages"),
        ("0.5=-0.1", "accuracies in 0 ... 1"),
        ("-1=0.1", "radii of at least 0"),
        ("1=nan", "radii of at least 0|accuracies"),
        ("0.5=0.4,0.25=0.5", "ascending radii, each once"),
        ("0.5=x", "expected an accuracy of the curve"),
        ("nothing", "expected a curve such as"),
    ],
)
def test_a_curve_that_is_none_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_curve(text)


def test_a_curve_file_without_its_columns_is_refused(tmp_path: Path) -> None:
    (tmp_path / "curve").write_text("r,a\n1,2\n")
    with pytest.raises(InputError, match="expected the columns radius and accuracy, got"):
        parse_curve(str(tmp_path / "curve"))


@pytest.mark.parametrize("text", ["0.5,0.25", "0.5,0.5", "-1", "nan", "x", ""])
def test_radii_are_ascending_numbers(text: str) -> None:
    assert parse_radii("0,0.25,1") == (0, Decimal("0.25"), 1)
    with pytest.raises(InputError, match=r"expected (ascending )?radii"):
        parse_radii(text)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("sigma", 0.0, "a finite sigma above 0"),
        ("sigma", float("nan"), "a finite sigma above 0"),
        ("alpha", 0.5, "0 < alpha < 1/2"),
        ("n", 0, "n of at least 1"),
        ("samples", 0, "at least one claimed sample"),
    ],
)
def test_impossible_parameters_are_refused(field: str, value: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Claim(**{field: value})


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match=r"expected a file, got bytes that are no UTF-8: .*x; check the name"):
        readable(tmp_path / "x", what="a file")
