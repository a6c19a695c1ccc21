"""From running to an end: the store decides what came of a run, the backend only whether it still goes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from robustcert.certificate.published import published
from tests.monitoring.recertification_webhook.office import START, Office
from tests.monitoring.recertification_webhook.small_store import model_sha256

MakeOffice = Callable[..., Office]


def running(office: Office) -> str:
    """A request whose first run goes."""
    offer = office.offer()
    office.passes()
    assert office.view(offer.request_id).state == "running"
    return str(offer.request_id)


@pytest.mark.parametrize("state", ["succeeded", "failed"])
@pytest.mark.parametrize("publish", [True, False])
def test_a_new_certificate_is_a_success_whatever_the_backend_says_and_is_published(
    office: Office, state: str, publish: bool
) -> None:
    request_id = running(office)
    new = office.certify(request_id, publish=publish)
    office.backend.end("id-0", state)  # type: ignore[arg-type]
    office.passes()
    view = office.view(request_id)
    assert (view.state, view.outcome, view.certificate) == ("succeeded", "recertified", new)
    assert [one.certificate_sha256 for one in published(office.small.store, name="digits")] == [new]
    assert office.statuses() == []


def test_a_model_that_was_trained_anew_counts_too(office: Office) -> None:
    request_id = running(office)
    new = office.small.issue(
        "digits", model=model_sha256("anew"), run_id=f"{request_id}-1", certified_at=START, publish=False
    )
    office.backend.end("id-0", "succeeded")
    office.passes()
    assert office.view(request_id).certificate == new


def test_a_run_that_the_backend_has_forgotten_is_looked_up_in_the_store(office: Office) -> None:
    request_id = running(office)
    new = office.certify(request_id)
    office.backend.runs.clear()
    office.passes()
    assert office.view(request_id).certificate == new


def test_a_forgotten_run_without_result_is_tried_again_once_it_stayed_gone(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    request_id = running(office)
    office.backend.runs.clear()
    monkeypatch.setattr(office.backend, "settle_seconds", 3600.0)
    office.passes(3)
    assert office.view(request_id).state == "running"
    monkeypatch.setattr(office.backend, "settle_seconds", 0.0)
    office.passes()
    assert office.view(request_id).state == "queued"
    assert "has forgotten the run" in office.view(request_id).last_error


def test_the_world_fails_three_times_and_then_people_are_told(office: Office) -> None:
    request_id = running(office)
    for number in range(3):
        assert office.view(request_id).attempts == number + 1
        office.backend.end(f"id-{number}", "failed", error="out of memory")
        office.passes()
        office.passes(later=timedelta(minutes=10))
    view = office.view(request_id)
    assert (view.state, view.outcome, view.last_error) == ("dead", "attempts-failed", "out of memory")
    assert [order.run_id for order in office.backend.orders] == [f"{request_id}-{number}" for number in (1, 2, 3)]
    assert office.statuses() == [("suspended", "attempts-failed", request_id)]
    assert office.controller.figures().finished == {("dead", "attempts-failed"): 1}
    assert office.view(request_id).suspended


def test_attempts_wait_longer_each_time(office: Office) -> None:
    request_id = running(office)
    waits = []
    for number in range(2):
        office.backend.end(f"id-{number}", "failed")
        office.passes()
        waits.append((office.view(request_id).not_before - office.now) / timedelta(minutes=1))
        office.passes(later=timedelta(minutes=10))
    assert 1 <= waits[0] <= 1.1
    assert 2 <= waits[1] <= 2.2


def test_a_rejection_on_the_test_data_is_final(office: Office) -> None:
    request_id = running(office)
    office.certify(request_id, verdict="rejected")
    office.backend.end("id-0", "failed")
    office.passes(2)
    view = office.view(request_id)
    assert (view.state, view.outcome) == ("dead", "claim-failed")
    assert "rejected on the certified test data" in view.last_error
    assert office.statuses() == [("suspended", "claim-failed", request_id)]
    assert len(office.backend.orders) == 1


def test_a_claim_that_fails_on_the_window_is_final(office: Office) -> None:
    request_id = running(office)
    office.small.window("digits", run_id=f"{request_id}-1", certificate="0" * 64, holds=False)
    office.backend.end("id-0", "failed", error="gate")
    office.passes(2)
    view = office.view(request_id)
    assert (view.outcome, len(office.backend.orders)) == ("claim-failed", 1)
    assert "clean_accuracy 0.01 is not >= 0.9" in view.last_error


def test_a_person_may_have_a_failed_claim_tested_again(office: Office) -> None:
    request_id = running(office)
    office.small.window("digits", run_id=f"{request_id}-1", certificate="0" * 64, holds=False)
    office.backend.end("id-0", "failed")
    office.passes()
    office.controller.retry(request_id, by="ann")
    office.passes()
    assert (office.view(request_id).state, len(office.backend.orders)) == ("running", 2)
    new = office.certify(request_id, attempt=2)
    office.backend.end("id-1", "succeeded")
    office.passes()
    assert office.view(request_id).certificate == new


@pytest.mark.parametrize(("tried_anew", "outcome"), [(False, ""), (True, "claim-failed")])
def test_where_training_anew_is_allowed_the_claim_fails_once_the_new_model_has_failed_too(
    make_office: MakeOffice, tried_anew: bool, outcome: str
) -> None:
    office = make_office()
    office.certificates["digits"] = office.small.issue("digits", run_id="allowed", certified_at=START, retrain=True)
    office.passes()
    request_id = running(office)
    run_id = f"{request_id}-1"
    office.small.window("digits", run_id=run_id, certificate="0" * 64, holds=False)
    if tried_anew:
        anew = model_sha256("anew")
        office.small.window("digits", run_id=run_id, certificate="0" * 64, holds=False, model=anew, second=1)
    office.backend.end("id-0", "failed", error="out of memory")
    office.passes()
    assert office.view(request_id).outcome == outcome


def test_wrong_input_is_final_since_another_run_would_say_the_same(office: Office) -> None:
    request_id = running(office)
    office.backend.end("id-0", "failed", error="the window breaks the contract", refused=True)
    office.passes()
    view = office.view(request_id)
    assert (view.outcome, view.last_error) == ("input-refused", "the window breaks the contract")


def test_a_success_without_a_certificate_is_none(office: Office) -> None:
    request_id = running(office)
    office.backend.end("id-0", "succeeded")
    office.passes()
    assert (office.view(request_id).state, office.view(request_id).last_error) == (
        "queued",
        "no certificate was issued",
    )


def test_another_requests_certificate_is_no_success(office: Office) -> None:
    request_id = running(office)
    office.small.issue("digits", run_id="somebody-elses", certified_at=START)
    office.backend.end("id-0", "succeeded")
    office.passes()
    assert office.view(request_id).state == "queued"


@pytest.mark.parametrize("name", ["wine", "digits"])
def test_a_record_that_names_a_foreign_certificate_proves_nothing(office: Office, name: str) -> None:
    """A record is not signed: whoever writes to the store could point it at any certificate."""
    request_id = running(office)
    office.small.issue(name, run_id="theirs", certified_at=START)
    record = (office.small.store.read_document("runs/theirs/record.json") or b"").replace(
        b"theirs", f"{request_id}-1".encode()
    )
    office.small.store.write_document(f"runs/{request_id}-1/record.json", record)
    office.backend.end("id-0", "succeeded")
    office.passes()
    view = office.view(request_id)
    assert (view.state, view.certificate) == ("running", "")
    assert f"expected a certificate of digits by run {request_id}-1" in view.last_error


def test_a_run_past_its_deadline_is_asked_to_end_and_the_next_waits_until_it_has(office: Office) -> None:
    request_id = running(office)
    keep_going = office.backend.cancel
    office.backend.cancel = lambda run_id: office.backend.cancelled.append(run_id)  # type: ignore[method-assign]
    office.passes(2, later=office.settings.run_deadline)
    assert (office.view(request_id).state, len(office.backend.orders)) == ("running", 1)
    assert set(office.backend.cancelled) == {"id-0"}
    office.backend.cancel = keep_going  # type: ignore[method-assign]
    office.passes()
    office.passes(2, later=timedelta(minutes=2))
    assert [order.run_id for order in office.backend.orders] == [f"{request_id}-1", f"{request_id}-2"]


def test_a_run_that_does_not_end_when_asked_goes_to_people(office: Office) -> None:
    request_id = running(office)
    end = office.backend.cancel
    office.backend.cancel = lambda run_id: None  # type: ignore[method-assign]
    office.passes(3, later=office.settings.run_deadline)
    view = office.view(request_id)
    assert (view.state, view.outcome) == ("dead", "stuck")
    assert office.offer().result == "escalated"
    office.controller.retry(request_id, by="ann")
    office.passes(3)
    assert len(office.backend.orders) == 1, "no second run beside the one that does not end"
    office.backend.cancel = end  # type: ignore[method-assign]
    office.passes(2)
    assert [order.run_id for order in office.backend.orders] == [f"{request_id}-1", f"{request_id}-2"]


def test_a_store_that_is_down_ends_nothing(office: Office) -> None:
    request_id = running(office)
    new = office.certify(request_id)
    office.backend.end("id-0", "succeeded")
    (office.folder / "store").rename(office.folder / "away")
    (office.folder / "store").write_text("no folder")
    office.passes(5)
    assert office.view(request_id).state == "running"
    (office.folder / "store").unlink()
    (office.folder / "away").rename(office.folder / "store")
    office.passes()
    assert office.view(request_id).certificate == new


def test_a_certificate_from_the_future_waits_for_the_clock(office: Office) -> None:
    """The controller's clock is behind: it can't publish what seems yet to come."""
    request_id = running(office)
    new = office.certify(request_id, certified_at=START + timedelta(hours=1), publish=False)
    office.backend.end("id-0", "succeeded")
    office.passes()
    assert office.view(request_id).state == "running"
    assert "yet to come" in office.view(request_id).last_error
    office.passes(later=timedelta(hours=1))
    assert office.view(request_id).certificate == new


def test_a_success_closes_the_dead_letters_of_its_version(office: Office) -> None:
    request_id = running(office)
    office.backend.end("id-0", "failed", refused=True)
    office.passes()
    assert office.controller.figures().dead != ()
    again = office.offer(source="manual", reason="manual")
    office.passes()
    office.certify(again.request_id)
    office.backend.end("id-1", "succeeded")
    office.passes()
    assert office.controller.figures().dead == ()
    assert office.view(request_id).state == "dead"
