"""Log lines: JSON, whatever happens, without the texts of foreign exceptions."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from monitoring.recertification_webhook.log import LOGGER, JsonLines, tell
from robustcert.errors import InputError


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    LOGGER.addHandler(handler)
    before = LOGGER.level
    LOGGER.setLevel(logging.INFO)
    yield stream
    LOGGER.setLevel(before)
    LOGGER.removeHandler(handler)


def read(lines: io.StringIO) -> dict[str, Any]:
    (line,) = lines.getvalue().splitlines()
    return dict(json.loads(line))


def test_a_line_is_an_object_with_its_fields(lines: io.StringIO) -> None:
    tell("delivery", source="alert\nx", count=3)
    told = read(lines)
    assert told.pop("time").endswith("+00:00")
    assert told == {"level": "info", "event": "delivery", "source": "alert\nx", "count": 3}


def test_a_foreign_exception_is_told_by_type_and_place_alone(lines: io.StringIO) -> None:
    try:
        json.loads('{"planted-secret": }')
        int("planted-secret")
    except ValueError as error:
        tell("failed", level=logging.ERROR, error=error)
    told = read(lines)
    assert told["error"] == "JSONDecodeError"
    assert told["where"][0].startswith("test_log.py:")
    assert "planted-secret" not in lines.getvalue()


def test_our_own_errors_are_told_in_words(lines: io.StringIO) -> None:
    tell("failed", error=InputError("expected a, got b; do c"))
    assert read(lines)["error"] == "InputError: expected a, got b; do c"


def test_credentials_in_an_address_are_left_out(lines: io.StringIO) -> None:
    tell("asked https://ann:planted-secret@example.org")
    assert read(lines)["event"] == "asked https://***@example.org"


def test_other_libraries_lines_are_objects_too() -> None:
    record = logging.LogRecord("uvicorn.error", logging.INFO, __file__, 1, "port %d", (80,), sys.exc_info())
    assert json.loads(JsonLines().format(record))["event"] == "port 80"
