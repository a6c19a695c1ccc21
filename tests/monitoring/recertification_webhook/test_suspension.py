"""Suspensions: wanted in the commit of the decision, written once, tried for ever, visible meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from monitoring.recertification_webhook.settings import DriftSettings
from robustcert.certificate.status import read_statuses, status_name
from tests.monitoring.recertification_webhook.office import Office
from tests.monitoring.recertification_webhook.small_store import model_sha256

MakeOffice = Callable[..., Office]


def test_what_cannot_be_written_is_tried_for_ever_and_seen(office: Office) -> None:
    offer = office.offer(suspend=True)
    statuses = office.folder / "store" / "statuses"
    statuses.write_text("in the way")
    office.passes(5)
    figures = office.controller.figures()
    assert (figures.suspensions_pending, figures.backend_errors["suspend"]) == (1, 5)
    assert not office.view(offer.request_id).suspended
    assert office.actions(offer.request_id).count("suspension-failed") == 1, "told once, counted each time"
    statuses.unlink()
    office.passes()
    assert office.statuses() == [("suspended", "input-drift", offer.request_id)]
    assert office.view(offer.request_id).suspended
    assert office.controller.figures().suspensions_pending == 0


def test_a_crash_between_the_store_and_the_database_repeats_nothing(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    from monitoring.recertification_webhook import suspension

    def crash(*_: object) -> None:
        raise SystemExit

    offer = office.offer(suspend=True)
    monkeypatch.setattr(suspension, "_note_done", crash)
    with pytest.raises(SystemExit):
        office.passes()
    monkeypatch.undo()
    office.restart()
    assert office.statuses() == [("suspended", "input-drift", offer.request_id)]
    assert office.view(offer.request_id).suspended


def test_a_suspension_survives_a_restart_before_it_was_written(office: Office) -> None:
    offer = office.offer(suspend=True)
    office.restart()
    assert office.statuses() == [("suspended", "input-drift", offer.request_id)]


def test_one_that_is_not_active_is_left_as_it_is(office: Office) -> None:
    office.revoke()
    office.offer(suspend=True)
    office.passes()
    assert [status for status, _, _ in office.statuses()] == ["revoked"]
    assert office.controller.figures().suspensions_pending == 0


def test_the_statement_names_cause_and_evidence(office: Office) -> None:
    """SEEDS 152: what changed, why, on what evidence."""
    offer = office.offer()
    office.passes()
    run_id = f"{offer.request_id}-1"
    office.small.window("digits", run_id=run_id, certificate="0" * 64, holds=False)
    office.backend.end("id-0", "failed")
    office.passes(2)
    keys = (office.small.key.public_key(),)
    (said,) = read_statuses(office.small.store, office.certificates["digits"], keys=keys)
    assert (said.reason, said.cause) == ("claim-failed", "recertification ended dead: claim-failed")
    assert said.evidence == (f"windows/{run_id}/{model_sha256('digits')}.json",)
    assert said.decided_by == "recertification controller"


@pytest.mark.parametrize(
    "changes", [{"status_key": None}, {"drift": DriftSettings(suspend_on_gross=False)}], ids=["no key", "policy"]
)
def test_nothing_is_suspended_on_drift_without_a_key_or_against_the_policy(
    make_office: MakeOffice, changes: dict[str, object]
) -> None:
    office = make_office(**changes)
    office.offer(suspend=True)
    office.passes()
    assert office.statuses() == []


@pytest.mark.parametrize("changes", [{"status_key": None}, {"suspend_on_failure": False}], ids=["no key", "policy"])
def test_nothing_is_suspended_on_failure_without_a_key_or_against_the_policy(
    make_office: MakeOffice, changes: dict[str, object]
) -> None:
    office = make_office(**changes)
    office.offer()
    office.passes()
    office.backend.end("id-0", "failed", refused=True)
    office.passes(2)
    assert office.statuses() == []


def test_a_chain_that_was_tampered_with_is_not_written_to(office: Office, tmp_path: Path) -> None:
    office.small.store.write_document(status_name(office.certificates["digits"], 1), b"{}\n")
    office.offer(suspend=True)
    office.passes()
    assert office.controller.figures().suspensions_pending == 1
