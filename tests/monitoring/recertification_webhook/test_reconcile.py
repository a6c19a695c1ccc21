"""The loop: one request's trouble is not another's, and nothing ends the loop."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from monitoring.recertification_webhook import reconcile
from monitoring.recertification_webhook.backends.backend import BackendError
from monitoring.recertification_webhook.controller import Controller
from robustcert.errors import StorageError
from tests.monitoring.recertification_webhook.fake_backend import FakeBackend
from tests.monitoring.recertification_webhook.office import Office, settings_in
from tests.monitoring.recertification_webhook.small_store import SmallStore

MakeOffice = Callable[..., Office]


def test_a_request_that_is_refused_does_not_keep_the_others(make_office: MakeOffice) -> None:
    office = make_office(models=("a", "b"))
    offers = [office.offer("a"), office.offer("b")]
    refusals = [BackendError("400", transient=False)]
    office.backend.fail = lambda operation: refusals.pop() if refusals else None
    office.passes()
    assert [office.view(offer.request_id).state for offer in offers] == ["dead", "running"]


def test_errors_are_counted_by_what_was_being_done(office: Office) -> None:
    office.offer()
    for operation in ("submit", "look"):
        office.backend.fail = lambda asked, operation=operation: (
            BackendError("down", transient=True) if asked == operation else None
        )
        office.passes()
        office.backend.fail = lambda _: None
        office.passes(later=timedelta(minutes=2))
    assert office.controller.figures().backend_errors == {"submit": 1, "look": 1}


@pytest.mark.parametrize("mistake", [ZeroDivisionError("ours"), StorageError("disk full")])
def test_nothing_ends_the_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, mistake: Exception
) -> None:
    """The second pass fails, whatever the cause; the third one comes all the same."""
    small = SmallStore(tmp_path)
    small.issue("digits")
    passes: list[int] = []
    plain = reconcile.Loop.start_due

    def once_wrong(loop: reconcile.Loop) -> None:
        passes.append(len(passes))
        if len(passes) == 2:
            raise mistake
        plain(loop)

    monkeypatch.setattr(reconcile.Loop, "start_due", once_wrong)
    caplog.set_level(logging.CRITICAL)
    controller = Controller(settings_in(tmp_path, small, reconcile_interval=timedelta(milliseconds=20)), FakeBackend())
    controller.start()
    end = time.monotonic() + 20
    while len(passes) < 4 and time.monotonic() < end:
        time.sleep(0.01)
    figures = controller.figures()
    controller.stop()
    assert len(passes) >= 4
    assert figures.backend_errors == {"loop": 1}


def test_the_store_is_read_no_more_often_than_asked_for(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[str] = []
    plain = office.small.store.list_documents
    store = office.controller._context.store
    monkeypatch.setattr(store, "list_documents", lambda prefix: reads.append(prefix) or plain(prefix))
    for _ in range(5):
        office.controller._loop.once()
    assert reads == []
    office.passes()
    assert reads[0] == "published/"


def test_a_store_that_is_unmounted_decides_nothing_and_heals(office: Office) -> None:
    offer, store, away = office.offer(), office.folder / "store", office.folder / "away"
    store.rename(away)
    store.mkdir()
    office.passes(2)
    assert office.offer("digits").result == "merged", "the model is known still"
    view = office.view(offer.request_id)
    assert (view.state, office.backend.orders) == ("queued", [])
    assert "expected a store with published certificates, as before" in view.last_error
    assert office.controller._context.errors["store"] >= 1
    store.rmdir()
    away.rename(store)
    office.passes()
    assert office.view(offer.request_id).state == "running"
