"""A trigger holds only texts that may stand in names, labels and logs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, get_args

import pytest

from monitoring.recertification_webhook.trigger import SOURCES, Source, Trigger, one_line
from robustcert.errors import InputError

SOUND: dict[str, Any] = {
    "source": "alert",
    "model": "digits",
    "version": "0123456789ab",
    "episode": "a1b2@2026-06-01T12:00:00Z",
    "reason": "input-drift",
    "text": "inputs drifted",
    "received_at": datetime(2026, 6, 1, tzinfo=UTC),
}


def test_every_source_of_the_type_is_accepted() -> None:
    assert get_args(Source) == SOURCES
    assert [Trigger(**{**SOUND, "source": source}).source for source in SOURCES] == list(SOURCES)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("source", "email", "a known source"),
        ("model", "", "a certificate's name"),
        ("model", "Digits", "a certificate's name"),
        ("model", "a/../../b", "a certificate's name"),
        ("model", "a" * 64, "a certificate's name"),
        ("model", "digits\n", "a certificate's name"),
        ("version", "0123456789AB", "12 hexadecimal digits"),
        ("version", "0123456789abc", "12 hexadecimal digits"),
        ("episode", "", "1 to 200 printable"),
        ("episode", "a b", "1 to 200 printable"),
        ("episode", "a" * 201, "1 to 200 printable"),
        ("episode", "é", "1 to 200 printable"),
        ("condition", "a b", "a fingerprint"),
        ("reason", "because", "one of input-drift"),
        ("text", "two\nlines", "one line"),
        ("text", "a" * 401, "one line"),
        ("received_at", datetime(2026, 6, 1), "a time with its zone"),  # noqa: DTZ001
    ],
)
def test_what_is_not_of_its_form_is_refused(field: str, value: object, said: str) -> None:
    with pytest.raises(InputError, match=said) as refusal:
        Trigger(**{**SOUND, field: value})
    assert len(str(refusal.value)) < 400


def test_a_senders_text_becomes_one_printable_line_of_bounded_length() -> None:
    assert one_line("  a\x00b\r\n\tc  ") == "a b c"
    assert one_line("x" * 1000) == "x" * 400
