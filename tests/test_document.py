"""The bases of typed documents: what a person writes is held strictly, what a program wrote may hold more."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from robustcert.document import (
    Date,
    Decimal,
    IssuedPart,
    Name,
    Positive,
    Ratio,
    Sha256,
    Text,
    Timestamp,
    WrittenPart,
)


class Written(WrittenPart):
    """A part that a person writes."""

    two_words: int
    share: float = 0.5


class Issued(IssuedPart):
    """A part that a program writes."""

    two_words: int
    share: float = 0.5


def accepts(kind: Any, value: object) -> bool:
    try:
        TypeAdapter(kind).validate_python(value, strict=True)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (Name, ["a", "digits", "linf-0.1", "a" * 63], ["", "A", "-a", "a-", ".a", "a b", "a_b", "a" * 64, "a\n"]),
        (Text, ["x", "x" * 4000], ["", "  ", "x" * 4001]),
        (Sha256, ["0" * 64, "ab" * 32], ["", "AB" * 32, "0" * 63, "0" * 65, "g" * 64, "0" * 64 + "\n"]),
        (Date, ["2026-01-31"], ["2026-1-31", "31.01.2026", "2026-01-31T00:00:00Z"]),
        (Timestamp, ["2026-01-31T00:00:00Z"], ["2026-01-31 00:00:00Z", "2026-01-31T00:00:00+00:00", "2026-01-31"]),
        (Decimal, ["0", "-1.5", "0.000001", "9" * 40], ["", ".5", "1.", "1e3", "+1", "NaN", "1,5", "9" * 41, "0x1"]),
        (Positive, [1e-300, 1.0], [0.0, -1.0, math.inf, math.nan, "1"]),
        (Ratio, [0.0, 0.5, 1.0], [-0.1, 1.1, math.nan, "0.5"]),
    ],
    ids=["Name", "Text", "Sha256", "Date", "Timestamp", "Decimal", "Positive", "Ratio"],
)
def test_a_value_has_its_form(kind: Any, good: list[object], bad: list[object]) -> None:
    assert [value for value in good if not accepts(kind, value)] == []
    assert [value for value in bad if accepts(kind, value)] == []


def test_surrounding_space_is_no_part_of_a_text() -> None:
    assert TypeAdapter(Text).validate_python("  what it is for\n") == "what it is for"


@pytest.mark.parametrize("kind", [Written, Issued])
def test_keys_are_camel_case_outside_and_numbers_are_not_made_from_text(kind: type[Written | Issued]) -> None:
    part = kind.model_validate_json('{"twoWords": 1}')
    assert json.loads(part.model_dump_json(by_alias=True)) == {"twoWords": 1, "share": 0.5}
    for wrong in ('{"twoWords": "1"}', '{"twoWords": 1.5}', '{"twoWords": true}', '{"twoWords": 1, "share": NaN}'):
        with pytest.raises(ValidationError):
            kind.model_validate_json(wrong)


@pytest.mark.parametrize("kind", [Written, Issued])
def test_a_part_never_changes(kind: type[Written | Issued]) -> None:
    part = kind.model_validate_json('{"twoWords": 1}')
    with pytest.raises(ValidationError, match="frozen"):
        part.two_words = 2


def test_an_unknown_key_is_refused_from_a_person_and_ignored_from_a_program() -> None:
    text = '{"twoWords": 1, "inventedLater": 2}'
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        Written.model_validate_json(text)
    assert Issued.model_validate_json(text) == Issued(two_words=1)


def test_a_person_writes_keys_in_one_way_only() -> None:
    with pytest.raises(ValidationError):
        Written.model_validate_json('{"two_words": 1}')
