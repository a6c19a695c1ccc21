"""The controller as the HTTP side sees it: threads, lists, interventions, figures, and restarts."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from monitoring.recertification_webhook.audit import AuditError, verify_audit
from monitoring.recertification_webhook.controller import Controller, utc_now
from monitoring.recertification_webhook.requests import ConflictError, UnknownRequestError
from monitoring.recertification_webhook.trigger import Trigger
from robustcert.certificate.keys import new_key, write_key_pair
from robustcert.errors import KeyFileError, StorageError
from tests.monitoring.recertification_webhook.fake_backend import FakeBackend
from tests.monitoring.recertification_webhook.office import START, Office, settings_in
from tests.monitoring.recertification_webhook.small_store import SmallStore, version_of

MakeOffice = Callable[..., Office]


def test_a_started_controller_starts_a_run_at_once_and_stops_whole(tmp_path: Path) -> None:
    """With its real threads and clock; the run begins long before the next pass would come."""
    small = SmallStore(tmp_path)
    small.issue("digits")
    backend = FakeBackend()
    settings = settings_in(tmp_path, small, reconcile_interval=timedelta(minutes=10))
    controller = Controller(settings, backend)
    controller.start()
    try:
        trigger = Trigger(
            source="manual", model="digits", episode="key", reason="manual", text="now", received_at=utc_now()
        )
        end = time.monotonic() + 20
        while controller.readiness().loop_age_seconds > 600:
            assert time.monotonic() < end, "no pass of the loop"
        (offer,) = controller.offer([trigger])
        while not backend.orders:
            assert time.monotonic() < end, "the run never began"
        assert offer.result == "queued"
        assert controller.readiness().database_writable
        assert controller.readiness().loop_age_seconds < 60
    finally:
        controller.stop()
    assert verify_audit(settings.audit_log).entries >= 2
    assert {thread.name for thread in threading.enumerate()} & {"database", "reconcile"} == set()


def test_offers_from_many_threads_share_commits(make_office: MakeOffice) -> None:
    names = tuple(f"model-{number}" for number in range(40))
    office = make_office(models=names)
    with ThreadPoolExecutor(16) as pool:
        offers = list(pool.map(lambda name: office.offer(name, episode=name), names * 5))
    assert sorted({offer.request_id for offer in offers}) == sorted(
        {office.offer(n, episode=n).request_id for n in names}
    )
    assert office.controller.figures().triggers == {("alert", "queued"): 40, ("alert", "duplicate"): 200}


def test_requests_are_listed_newest_first_page_by_page(make_office: MakeOffice) -> None:
    names = tuple(f"model-{number}" for number in range(5))
    office = make_office(models=names)
    ids = [str(office.offer(name).request_id) for name in names]
    listed: list[str] = []
    after = None
    while page := office.controller.requests(after=after, limit=2):
        listed += [view.id for view in page]
        after = listed[-1]
    assert listed == ids[::-1]
    office.passes()
    assert [view.id for view in office.controller.requests(state="queued")] == [ids[4]]
    assert [view.id for view in office.controller.requests(model="model-2", state="running")] == [ids[2]]


@pytest.mark.parametrize("call", ["cancel", "retry", "history", "requests"])
def test_an_unknown_request_is_told_apart(office: Office, call: str) -> None:
    calls: dict[str, Callable[[], object]] = {
        "cancel": lambda: office.controller.cancel("nobody", by="x"),
        "retry": lambda: office.controller.retry("nobody", by="x"),
        "history": lambda: office.controller.history("nobody"),
        "requests": lambda: office.controller.requests(after="nobody"),
    }
    with pytest.raises(UnknownRequestError, match="expected the id of a request, got 'nobody'"):
        calls[call]()
    assert office.controller.request("nobody") is None


def test_a_cancelled_request_ends_its_run_before_another_may_start(office: Office) -> None:
    offer = office.offer()
    office.passes()
    view = office.controller.cancel(str(offer.request_id), by="ann")
    assert (view.state, view.outcome) == ("cancelled", "cancelled")
    other = office.offer(source="manual", reason="manual")
    assert other.request_id != offer.request_id
    office.controller._loop.start_due()
    assert office.view(other.request_id).state == "queued", "the cancelled run still goes"
    office.passes(2)
    assert office.backend.cancelled == ["id-0"]
    assert office.view(other.request_id).state == "running"
    assert office.controller.history(str(offer.request_id))[-1].actor == "person:ann"


def test_a_run_whose_submission_was_lost_is_ended_too_once_it_appears(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    from monitoring.recertification_webhook.backends.backend import BackendError

    monkeypatch.setattr(office.backend, "settle_seconds", 3600.0)
    lost = [BackendError("lost", transient=True, perhaps_done=True)]
    office.backend.fail = lambda operation: lost.pop() if operation == "submit" and lost else None
    offer = office.offer()
    office.passes()
    late, office.backend.runs = office.backend.runs, []
    office.controller.cancel(str(offer.request_id), by="ann")
    office.passes(2)
    office.backend.runs = late
    office.passes(2)
    assert office.backend.cancelled == ["id-0"]


def test_what_has_ended_can_not_be_cancelled_but_a_dead_letter_is_laid_aside(office: Office) -> None:
    offer = office.offer("nobody")
    assert office.controller.cancel(str(offer.request_id), by="ann").outcome == "laid-aside"
    assert office.controller.figures().dead == ()
    with pytest.raises(ConflictError, match="expected an open or dead request, got cancelled"):
        office.controller.cancel(str(offer.request_id), by="ann")


def test_a_dead_letter_is_tried_again_with_as_many_runs_as_a_new_one(office: Office) -> None:
    offer = office.offer()
    request_id = str(offer.request_id)
    for number in range(3):
        office.passes(2, later=timedelta(minutes=10))
        office.backend.end(f"id-{number}", "failed")
    office.passes()
    assert office.view(request_id).state == "dead"
    assert office.controller.retry(request_id, by="ann").state == "queued"
    assert office.controller.figures().dead == ()
    for number in range(3, 6):
        office.passes(2, later=timedelta(minutes=10))
        office.backend.end(f"id-{number}", "failed")
    office.passes()
    assert (office.view(request_id).state, office.view(request_id).attempts) == ("dead", 6)
    assert len({order.run_id for order in office.backend.orders}) == 6


def test_only_a_dead_request_is_tried_again_and_not_beside_an_open_one(office: Office) -> None:
    offer = office.offer()
    with pytest.raises(ConflictError, match="expected a dead request, got queued"):
        office.controller.retry(str(offer.request_id), by="ann")
    office.passes()
    office.backend.end("id-0", "failed", refused=True)
    office.passes()
    other = office.offer(source="manual", reason="manual")
    with pytest.raises(ConflictError, match=str(other.request_id)):
        office.controller.retry(str(offer.request_id), by="ann")


def test_a_restart_forgets_nothing(office: Office) -> None:
    offer = office.offer(episode="a")
    before = office.controller.request(str(offer.request_id)), office.controller.figures().triggers
    office.close()
    office.controller = Controller(office.settings, office.backend, lambda: office.now)
    office.controller._database.open()
    assert (office.controller.request(str(offer.request_id)), office.controller.figures().triggers) == before


def test_a_controller_that_starts_while_the_store_is_down_knows_its_models(office: Office) -> None:
    (office.folder / "store").rename(office.folder / "away")
    (office.folder / "store").write_text("no folder")
    office.close()
    (office.folder / "store").unlink()
    office.controller = Controller(office.settings, office.backend, lambda: office.now)
    (office.folder / "store").write_text("no folder")
    office.settings = office.settings.model_copy(update={"reconcile_interval": timedelta(hours=1)})
    office.controller.start()
    try:
        assert office.offer().result == "queued"
    finally:
        office.controller._loop.stop()
        (office.folder / "store").unlink()
        (office.folder / "away").rename(office.folder / "store")


def test_a_tampered_audit_log_keeps_the_controller_from_starting(office: Office) -> None:
    office.offer(text="one thing")
    office.close()
    log = office.settings.audit_log
    log.write_bytes(log.read_bytes().replace(b"one thing", b"two thing"))
    with pytest.raises(AuditError, match="as the database has it"):
        office.opened()
    log.write_bytes(log.read_bytes().replace(b"two thing", b"one thing"))
    office.controller = office.opened()


def test_wrong_keys_show_when_it_is_made(office: Office, tmp_path: Path) -> None:
    wrong = office.settings.model_copy(update={"trusted_keys": tmp_path / "none.pub"})
    with pytest.raises(KeyFileError, match=r"none\.pub"):
        Controller(wrong, office.backend)


def test_a_database_that_refuses_shows_in_readiness(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(lines: object) -> None:
        raise StorageError("disk full")

    monkeypatch.setattr(office.controller._database._file, "append", full)
    office.offer()
    with pytest.raises(StorageError, match="disk full"):
        office.offer()
    readiness = office.controller.readiness()
    assert (readiness.database_writable, readiness.error) == (False, "disk full")


def test_the_figures_tell_everything(office: Office) -> None:
    offer = office.offer(episode="a")
    office.offer(episode="a")
    office.later(timedelta(seconds=45))
    office.passes()
    office.certify(offer.request_id)
    office.backend.end("id-0", "succeeded")
    office.passes()
    office.offer("nobody")
    found = office.controller.figures()
    assert found.triggers == {("alert", "queued"): 1, ("alert", "duplicate"): 1, ("alert", "escalated"): 1}
    assert found.requests == {"queued": 0, "submitting": 0, "running": 0, "succeeded": 1, "dead": 1, "cancelled": 0}
    assert found.finished == {("succeeded", "recertified"): 1, ("dead", "unknown-model"): 1}
    assert (sum(found.durations.counts), found.durations.counts[2], found.durations.total_seconds) == (1, 1, 45.0)
    assert (found.oldest_request_at, found.last_reconcile_at) == (None, office.now.timestamp())
    assert (found.dead, found.ineffective) == ((("nobody", ""),), ())
    assert (found.suspensions_pending, found.audit_entries_pending, found.clock_jumps) == (0, 0, 0)
    office.offer(source="manual", reason="manual", version=version_of("digits"))
    assert office.controller.figures().oldest_request_at == START.timestamp() + 45


def test_a_key_for_suspensions_that_we_would_not_trust_ourselves_is_refused(tmp_path: Path) -> None:
    small = SmallStore(tmp_path)
    write_key_pair(tmp_path / "other", new_key("ed25519"), passphrase=None)
    settings = settings_in(tmp_path, small, status_key=tmp_path / "other")
    with pytest.raises(KeyFileError, match=r"as statusKey one of which .* has the public half, got '.*other', whose"):
        Controller(settings, FakeBackend())
