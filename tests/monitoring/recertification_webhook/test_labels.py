"""From labels to a trigger: what of them may stand in a name or a text."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as some

from monitoring.recertification_webhook.labels import Alert, Skipped, known_reason, moment, one_line, trigger_of
from monitoring.recertification_webhook.trigger import EPISODE, LONGEST_TEXT, Trigger
from robustcert.recertification import REASONS

AT = datetime(2026, 11, 21, 13, 5, 11, tzinfo=UTC)
TEXTS = some.dictionaries(
    some.sampled_from(["model", "version", "action", "reason", "alertname", "summary"]),
    some.one_of(some.text(), some.sampled_from(["digits", "recertify", "suspend", "0123456789ab", *REASONS])),
)


@given(labels=TEXTS, annotations=TEXTS)
def test_whatever_the_labels_are_a_trigger_is_well_formed_or_there_is_none(
    labels: dict[str, str], annotations: dict[str, str]
) -> None:
    alert = Alert(labels=labels, annotations=annotations, fingerprint="ab", starts_at=AT, resolved=False)
    found = trigger_of(alert, source="alert", received_at=AT)
    if isinstance(found, Skipped):
        assert found.result == ("refused" if labels.get("action") in ("recertify", "suspend") else "ignored")
    else:
        assert isinstance(found, Trigger)
        assert EPISODE.fullmatch(found.episode)
        assert 0 < len(found.text) <= LONGEST_TEXT
        assert found.text.isprintable()


def test_every_code_of_the_library_is_a_reason_and_no_other() -> None:
    assert [known_reason(code) for code in REASONS] == list(REASONS)
    with pytest.raises(ValueError, match=r"a code of robustcert/recertification\.py"):
        known_reason("boredom")


def test_one_instant_is_one_text() -> None:
    texts = ("2026-11-21T13:05:11Z", "2026-11-21T14:05:11+01:00", "2026-11-21T05:05:11.000000-08:00")
    assert {moment(datetime.fromisoformat(text)) for text in texts} == {"2026-11-21T13:05:11.000000Z"}


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_an_instant_outside_of_the_years_of_utc_is_a_text_of_its_own(text: str) -> None:
    assert moment(datetime.fromisoformat(text)) == text
    assert EPISODE.fullmatch(f"ab:{text}")


def test_credentials_and_control_characters_are_kept_out_of_texts() -> None:
    assert one_line("a\x00b\u2028c s3://key:word@host/x") == "a b c s3://***@host/x"
    assert len(one_line("x" * 10**6)) == LONGEST_TEXT
