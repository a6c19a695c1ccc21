"""Requests in the database: a move says from which state, so that a person and the loop never both have their way."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from monitoring.recertification_webhook.request_rows import finish, move, next_day, row_of
from monitoring.recertification_webhook.requests import DURATION_BUCKETS, OPEN, RESULTS, STATES, Result, State
from monitoring.recertification_webhook.transaction import Transaction
from tests.monitoring.recertification_webhook.office import Office


def test_only_the_state_that_was_named_is_left(office: Office) -> None:
    request_id = str(office.offer().request_id)

    def work(transaction: Transaction) -> list[bool]:
        return [
            move(transaction, request_id, before="running", to="queued"),
            move(transaction, request_id, before="queued", to="submitting", run_name="n"),
            finish(transaction, request_id, before="queued", to="dead", outcome="stuck"),
        ]

    assert office.controller._database.write(work) == [False, True, False]
    view = office.view(request_id)
    assert (view.state, view.run_name, view.outcome) == ("submitting", "n", "")
    assert office.controller.figures().finished == {}


@pytest.mark.parametrize(("seconds", "bucket"), [(0, 0), (10, 0), (10.001, 1), (259_200, 11), (259_201, 12)])
def test_durations_fall_into_their_bucket(office: Office, seconds: float, bucket: int) -> None:
    request_id = str(office.offer().request_id)
    office.later(timedelta(seconds=seconds))
    office.controller._database.write(
        lambda transaction: finish(transaction, request_id, before="queued", to="succeeded", outcome="recertified")
    )
    counts = office.controller.figures().durations.counts
    assert [index for index, count in enumerate(counts) if count] == [bucket]
    assert len(counts) == len(DURATION_BUCKETS) + 1


def test_an_id_starts_with_its_time_and_names_no_two_requests(office: Office) -> None:
    ids = [str(office.offer("nobody", version=f"{number:012x}").request_id) for number in range(50)]
    assert len(set(ids)) == 50
    assert {one[:17] for one in ids} == {"20260601T120000Z-"}


def test_the_next_day_begins_at_midnight_of_utc() -> None:
    assert next_day(datetime(2026, 12, 31, 23, 59, 59, 5, tzinfo=UTC)) == datetime(2027, 1, 1, tzinfo=UTC)


def test_the_lists_of_words_are_those_of_the_types() -> None:
    from typing import get_args

    assert (get_args(State), get_args(Result)) == (STATES, RESULTS)
    assert set(OPEN) < set(STATES)


def test_a_row_that_is_not_there_is_none(office: Office) -> None:
    assert office.controller._database.write(lambda transaction: row_of(transaction, "nobody")) is None
