"""From queued to running: whatever is lost on the way, one run bears the name that was committed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from monitoring.recertification_webhook import submission
from monitoring.recertification_webhook.backends.backend import BackendError, BackendRun
from monitoring.recertification_webhook.submission import standing
from tests.monitoring.recertification_webhook.office import START, Office

MakeOffice = Callable[..., Office]
LOST = BackendError("timed out", transient=True, perhaps_done=True)
BUSY = BackendError("429", transient=True)
REFUSED = BackendError("400 no such input", transient=False)


def failing_once(error: BackendError, *, at: str = "submit") -> Callable[[str], BackendError | None]:
    """Fails the first call of an operation."""
    left = [error]
    return lambda operation: left.pop() if operation == at and left else None


def test_the_order_says_what_to_recertify_and_why(office: Office) -> None:
    offer = office.offer(reason="accuracy", text="below 0.9")
    office.offer(reason="abstention")
    office.passes()
    (order,) = office.backend.orders
    assert order.certificate_sha256 == office.certificates["digits"]
    assert (order.run_id, order.name) == (f"{offer.request_id}-1", f"recertification-digits-{offer.request_id}-1")
    assert order.reason == "accuracy, abstention: below 0.9"
    view = office.view(offer.request_id)
    assert (view.state, view.run_id, view.run_url, view.attempts) == ("running", "id-0", "http://ui", 1)
    assert view.deadline == START + office.settings.run_deadline


def test_the_name_is_committed_before_the_backend_is_asked(office: Office) -> None:
    offer = office.offer()
    seen: list[tuple[str, str]] = []

    def look(operation: str) -> None:
        view = office.view(offer.request_id)
        seen.append((view.state, view.run_name))

    office.backend.fail = look
    office.passes()
    assert seen[0] == ("submitting", f"recertification-digits-{offer.request_id}-1")


def test_a_run_whose_answer_was_lost_is_adopted(office: Office) -> None:
    offer = office.offer()
    office.backend.fail = failing_once(LOST)
    office.passes()
    assert office.view(offer.request_id).state == "submitting"
    assert office.view(offer.request_id).last_error == "timed out"
    office.passes()
    assert (office.view(offer.request_id).state, len(office.backend.runs)) == ("running", 1)
    assert office.actions(offer.request_id)[-1] == "run-adopted"


def test_a_crash_between_the_call_and_its_record_adopts_the_run(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer = office.offer()

    def crash(*_: Any, **__: Any) -> None:
        raise SystemExit

    monkeypatch.setattr(submission, "adopt", crash)
    with pytest.raises(SystemExit):
        office.passes()
    monkeypatch.undo()
    office.restart()
    assert (office.view(offer.request_id).state, len(office.backend.orders)) == ("running", 1)


def test_a_run_that_never_appeared_is_asked_for_again_after_the_grace_and_not_before(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wait is by the monotonic clock: neither a restart nor a jump of the wall clock shortens it."""
    steady = [1000.0]
    monkeypatch.setattr("monitoring.recertification_webhook.submission.time.monotonic", lambda: steady[0])
    monkeypatch.setattr(office.backend, "settle_seconds", 90.0)
    offer = office.offer()
    office.backend.fail = failing_once(LOST)
    office.passes()
    office.backend.runs.clear()
    office.backend.fail = lambda _: None
    steady[0] += 89
    office.now += timedelta(days=3)
    office.restart()
    office.passes()
    assert (office.view(offer.request_id).state, office.backend.runs) == ("submitting", [])
    steady[0] += 1
    office.passes()
    assert office.view(offer.request_id).state == "running"
    assert [order.name for order in office.backend.orders] == [office.backend.runs[0].name] * 2
    assert "run-asked-again" in office.actions(offer.request_id)


def test_after_a_boot_the_wait_begins_anew(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(office.backend, "settle_seconds", 3600.0)
    offer = office.offer()
    office.backend.fail = failing_once(LOST)
    office.passes()
    office.backend.runs.clear()
    monkeypatch.setattr(submission, "boot_id", lambda: "another boot")
    monkeypatch.setattr("monitoring.recertification_webhook.submission.time.monotonic", lambda: 1e9)
    office.passes(3)
    assert office.view(offer.request_id).state == "submitting"


@pytest.mark.parametrize(("verdict", "state"), [("accepted", "succeeded"), ("rejected", "dead")])
def test_a_run_that_ended_and_was_collected_before_it_was_seen_is_not_asked_for_again(
    office: Office, verdict: str, state: str
) -> None:
    offer = office.offer()
    office.backend.fail = failing_once(LOST)
    office.passes()
    office.certify(offer.request_id, verdict=verdict)
    office.backend.runs.clear()
    office.passes(3)
    assert (office.view(offer.request_id).state, len(office.backend.orders)) == (state, 1)


def test_of_two_runs_of_one_name_one_is_kept_and_the_other_ended(office: Office) -> None:
    offer = office.offer()
    office.backend.fail = failing_once(LOST)
    office.passes()
    office.backend.runs.append(replace(office.backend.runs[0], run_id="twin"))
    office.passes()
    assert (office.view(offer.request_id).run_id, office.backend.cancelled) == ("id-0", ["twin"])


def test_an_outage_uses_up_no_attempts_and_waits_longer_each_time(office: Office) -> None:
    offer = office.offer()
    office.backend.fail = lambda operation: BUSY if operation == "submit" else None
    waits = []
    for _ in range(9):
        office.passes()
        view = office.view(offer.request_id)
        assert (view.state, view.attempts, view.last_error) == ("queued", 0, "429")
        waits.append(view.not_before - office.now)
        office.later(waits[-1])
    minutes = [wait / timedelta(minutes=1) for wait in waits]
    for found, wanted in zip(minutes, [1, 2, 4, 8, 16, 32, 60, 60, 60], strict=True):
        assert wanted <= found <= 1.1 * wanted
    office.backend.fail = lambda _: None
    office.passes()
    assert office.view(offer.request_id).state == "running"
    assert office.controller.figures().backend_errors == {"submit": 9}


def test_a_refusal_is_final_and_suspends(office: Office) -> None:
    offer = office.offer()
    office.backend.fail = failing_once(REFUSED)
    office.passes(2)
    view = office.view(offer.request_id)
    assert (view.state, view.outcome, view.last_error) == ("dead", "refused", "400 no such input")
    assert office.statuses() == [("suspended", "refused", offer.request_id)]


def test_no_more_run_at_once_than_are_allowed(make_office: MakeOffice) -> None:
    names = tuple(f"model-{number}" for number in range(5))
    office = make_office(models=names, most_running=2)
    offers = [office.offer(name) for name in names]
    office.passes(2)
    assert [office.view(offer.request_id).state for offer in offers] == ["running"] * 2 + ["queued"] * 3
    office.certify(offers[0].request_id, model=names[0])
    office.backend.end("id-0", "succeeded")
    office.passes()
    assert [office.view(offer.request_id).state for offer in offers] == ["succeeded"] + ["running"] * 2 + ["queued"] * 2


def test_a_backend_that_gives_no_answer_is_asked_once_a_pass(make_office: MakeOffice) -> None:
    names = tuple(f"model-{number}" for number in range(4))
    office = make_office(models=names)
    for name in names:
        office.offer(name)
    asked: list[str] = []

    def down(operation: str) -> BackendError:
        asked.append(operation)
        return BUSY

    office.backend.fail = down
    office.passes()
    assert asked == ["submit"]


def test_a_certificate_that_nobody_trusted_signed_is_not_recertified(office: Office, tmp_path: Any) -> None:
    (office.folder / "elsewhere").mkdir()
    from tests.monitoring.recertification_webhook.small_store import SmallStore

    stranger = SmallStore(office.folder / "elsewhere")
    stranger.store = office.small.store
    stranger.issue("forged", run_id="forged", certified_at=START)
    office.passes()
    (view,) = office.controller.requests(model="forged")
    assert (view.state, view.outcome, view.reasons) == ("dead", "certificate-refused", ("missing",))
    assert office.backend.orders == []


def test_a_revoked_certificate_is_recertified_for_a_person_alone(office: Office) -> None:
    office.revoke()
    offer = office.offer()
    office.passes()
    assert office.view(offer.request_id).outcome == "revoked"
    asked = office.offer(source="manual", reason="manual")
    office.passes()
    assert office.view(asked.request_id).state == "running"


def test_a_certificate_that_an_earlier_attempt_issued_after_all_is_taken(office: Office) -> None:
    offer = office.offer()
    office.passes()
    office.backend.end("id-0", "failed", error="out of memory")
    office.passes()
    assert office.view(offer.request_id).state == "queued"
    late = office.certify(offer.request_id)
    office.passes(later=timedelta(minutes=2))
    view = office.view(offer.request_id)
    assert (view.state, view.certificate, len(office.backend.orders)) == ("succeeded", late, 1)


def test_a_store_that_is_down_keeps_a_request_waiting(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    offer = office.offer()
    (office.folder / "store").rename(office.folder / "away")
    (office.folder / "store").write_text("no folder")
    office.controller._loop.once()
    assert office.view(offer.request_id).state == "queued"
    assert "expected" in office.view(offer.request_id).last_error
    (office.folder / "store").unlink()
    (office.folder / "away").rename(office.folder / "store")
    office.passes()
    assert office.view(offer.request_id).state == "running"


def test_a_run_that_succeeded_stands_before_an_active_one_and_that_before_a_failed_one() -> None:
    failed, active, well = (
        BackendRun(run_id=state, name="n", state=state)  # type: ignore[arg-type]
        for state in ("failed", "active", "succeeded")
    )
    assert standing([failed, active, well]) == well
    assert standing([failed, active]) == active
    assert standing([failed]) == failed
