"""Gross drift: the certificate is suspended at once, and the run waits for labelled rows of what drifted."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from monitoring.recertification_webhook.labels_wait import WAITING
from robustcert.certificate.status import read_statuses
from robustcert.document import rfc3339
from robustcert.drift.record import write_record
from tests.drift.records import drift_record
from tests.monitoring.recertification_webhook.office import Office
from tests.monitoring.recertification_webhook.small_store import model_sha256

SHA256 = "ef" * 32


def recorded(office: Office, *, verdict: str, labelled: int = 500) -> None:
    """A drift record of the digits model, evaluated now."""
    now = rfc3339(office.now)
    part = {"place": "s3://bucket/w.parquet", "sha256": SHA256, "labelled": labelled, "lastAt": now}
    window = drift_record().window.model_dump(by_alias=True) | part
    record = drift_record(modelSha256=model_sha256("digits"), window=window, verdict=verdict, evaluatedAt=now)
    write_record(office.small.store, record, key=office.small.key)


def gross(office: Office, **changes: Any) -> str:
    """The request of a gross drift, after a pass."""
    offer = office.offer(suspend=True, **changes)
    office.passes()
    assert office.statuses()[0][0] == "suspended"
    assert offer.request_id is not None
    return offer.request_id


def test_no_run_starts_before_labelled_rows_came(office: Office) -> None:
    request = gross(office)
    office.passes(5, later=timedelta(minutes=5))
    view = office.view(request)
    assert (view.state, view.attempts, view.last_error, office.backend.orders) == ("queued", 0, WAITING, [])
    assert office.actions(request).count("labels-awaited") == 1
    recorded(office, verdict="gross")
    office.passes(1, later=timedelta(minutes=5))
    (order,) = office.backend.orders
    assert (order.window_uri, order.window_sha256) == ("s3://bucket/w.parquet", SHA256)


def test_rows_that_were_clean_before_the_drift_are_not_those_that_are_waited_for(office: Office) -> None:
    recorded(office, verdict="clean")
    office.later(timedelta(minutes=5))
    request = gross(office)
    office.passes(2, later=timedelta(minutes=5))
    assert (office.view(request).state, office.backend.orders) == ("queued", [])
    recorded(office, verdict="clean")
    office.passes(1, later=timedelta(minutes=5))
    assert len(office.backend.orders) == 1


def test_rows_that_drifted_under_an_older_certificate_are_not_those_that_are_waited_for(office: Office) -> None:
    now, office.now = office.now, office.now - timedelta(days=2)
    recorded(office, verdict="gross")
    office.now = now
    request = gross(office)
    office.passes(2, later=timedelta(minutes=5))
    assert (office.view(request).state, office.backend.orders) == ("queued", [])


def test_late_labels_count_although_later_windows_have_none_yet(office: Office) -> None:
    request = gross(office)
    recorded(office, verdict="gross")
    office.later(timedelta(minutes=5))
    recorded(office, verdict="gross", labelled=0)
    office.passes(1, later=timedelta(minutes=5))
    assert [order.window_sha256 for order in office.backend.orders] == [SHA256]
    assert office.view(request).state == "running"


def test_a_dead_letter_without_labels_lets_no_other_trigger_undo_the_suspension(office: Office) -> None:
    request = gross(office)
    office.passes(2, later=office.settings.drift.labels_wait + timedelta(minutes=1))
    assert office.view(request).outcome == "no-labels"
    office.later(timedelta(days=1))
    offers = [office.offer(reason="output-drift"), office.offer(source="schedule", reason="schedule")]
    office.passes(2, later=timedelta(minutes=5))
    assert [(offer.result, offer.request_id) for offer in offers] == [("escalated", request)] * 2
    assert office.backend.orders == []


def test_unlabelled_rows_do_not_end_the_wait_and_time_does(office: Office) -> None:
    request = gross(office)
    recorded(office, verdict="gross", labelled=0)
    office.passes(1, later=office.settings.drift.labels_wait - timedelta(minutes=1))
    assert office.view(request).state == "queued"
    office.passes(2, later=timedelta(minutes=2))
    view = office.view(request)
    assert (view.state, view.outcome, office.backend.orders) == ("dead", "no-labels", [])
    assert "a retry certifies on the test data alone" in view.last_error


@pytest.mark.parametrize("reason", ["manual", "input-drift"])
def test_a_person_decides_to_go_without(office: Office, reason: str) -> None:
    request = gross(office)
    office.offer(source="manual", reason=reason, text="the feed was switched off")
    office.passes(1, later=timedelta(minutes=5))
    assert [order.window_uri for order in office.backend.orders] == [""]
    assert office.view(request).state == "running"


def statuses_of(office: Office, sha256: str) -> list[str]:
    keys = (office.small.key.public_key(),)
    return [one.status for one in read_statuses(office.small.store, sha256, keys=keys)]


def finished(office: Office, request: str | None) -> str:
    """The run of a request issues a certificate and ends well."""
    certificate = office.certify(request)
    office.backend.runs[-1] = replace(office.backend.runs[-1], state="succeeded")
    office.passes(2)
    assert office.view(request).state == "succeeded"
    return certificate


def test_a_run_that_was_under_way_when_drift_became_gross_does_not_undo_the_suspension(office: Office) -> None:
    request = office.offer().request_id
    office.passes()
    assert len(office.backend.orders) == 1
    office.offer(suspend=True)
    office.passes()
    office.later(timedelta(minutes=5))
    assert statuses_of(office, finished(office, request)) == ["suspended"]


def test_a_run_that_judged_the_labelled_rows_gives_a_certificate_that_counts(office: Office) -> None:
    request = gross(office)
    recorded(office, verdict="gross")
    office.passes(1, later=timedelta(minutes=5))
    assert statuses_of(office, finished(office, request)) == []


def test_the_next_request_for_a_suspended_certificate_waits_too(office: Office) -> None:
    first = gross(office)
    office.controller.cancel(first, by="ann")
    offer = office.offer(source="schedule", reason="schedule")
    office.passes(2, later=office.settings.cool_down)
    assert (office.view(offer.request_id).last_error, office.backend.orders) == (WAITING, [])


def test_an_alert_that_names_no_person_is_none(office: Office) -> None:
    offer = office.offer(suspend=True, reason="incident")
    office.offer(suspend=True)
    office.passes(2, later=timedelta(minutes=5))
    assert office.view(offer.request_id).state == "queued"


def test_a_retried_dead_letter_goes_without(office: Office) -> None:
    request = gross(office)
    office.passes(2, later=office.settings.drift.labels_wait + timedelta(minutes=1))
    office.controller.retry(request, by="ann")
    office.passes()
    assert [order.window_uri for order in office.backend.orders] == [""]


def test_moderate_drift_waits_for_nothing(office: Office) -> None:
    office.offer()
    office.passes()
    assert len(office.backend.orders) == 1
