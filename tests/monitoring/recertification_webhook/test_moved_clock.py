"""The wall clock jumps: what was planned by the wrong time moves along, in one process and over restarts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from monitoring.recertification_webhook.moved_clock import MovedClock, boot_id
from tests.monitoring.recertification_webhook.office import START, Office

HOUR = timedelta(hours=1)


class Clocks:
    """A wall clock and a monotonic one that tests move."""

    def __init__(self) -> None:
        self.wall, self.steady = datetime(2026, 6, 1, tzinfo=UTC), 100.0

    def go(self, by: timedelta, *, jump: timedelta = timedelta(0)) -> None:
        self.steady += by.total_seconds()
        self.wall += by + jump

    def moved(self, boot: str = "one") -> MovedClock:
        return MovedClock(lambda: self.wall, monotonic=lambda: self.steady, boot=boot)


@pytest.mark.parametrize("jump", [30 * HOUR, -30 * HOUR, timedelta(seconds=30), timedelta(seconds=-30)])
def test_a_jump_is_seen_whatever_time_went_by(jump: timedelta) -> None:
    clocks = Clocks()
    moved = clocks.moved()
    clocks.go(5 * HOUR, jump=jump)
    assert moved.look() == clocks.wall
    assert (moved.owed, moved.jumps) == (jump, 1)


def test_time_that_goes_by_and_small_corrections_are_no_jumps() -> None:
    clocks = Clocks()
    moved = clocks.moved()
    for _ in range(100):
        clocks.go(HOUR, jump=timedelta(seconds=29))
        moved.look()
    assert (moved.owed, moved.jumps) == (timedelta(0), 0)


def test_jumps_that_were_not_carried_over_add_up() -> None:
    clocks = Clocks()
    moved = clocks.moved()
    for jump in (HOUR, -3 * HOUR):
        clocks.go(HOUR, jump=jump)
        moved.look()
    assert moved.owed == -2 * HOUR


@pytest.mark.parametrize(("boot", "seen"), [("one", HOUR), ("two", timedelta(0)), ("", timedelta(0))])
def test_the_next_process_sees_a_jump_too_unless_the_machine_was_booted(boot: str, seen: timedelta) -> None:
    clocks = Clocks()
    stamp = clocks.moved("one").stamp()
    clocks.go(5 * HOUR, jump=HOUR)
    after = clocks.moved(boot)
    after.resume(stamp)
    after.look()
    assert after.owed == seen


def test_this_machine_tells_its_boot() -> None:
    assert boot_id() == boot_id() != ""


@pytest.mark.parametrize("jump", [timedelta(days=3), timedelta(days=-3)])
@pytest.mark.parametrize("restart", [False, True])
def test_deadlines_and_waiting_times_move_along(office: Office, jump: timedelta, restart: bool) -> None:
    going = office.offer()
    office.passes()
    office.now += jump
    if restart:
        office.restart()
    office.passes()
    view = office.view(going.request_id)
    assert view.deadline is not None
    assert abs(view.deadline - (START + jump + office.settings.run_deadline)) < timedelta(seconds=10)
    assert (view.state, office.backend.cancelled) == ("running", [])
    assert office.controller.figures().clock_jumps == 1


@pytest.mark.parametrize("jump", [timedelta(days=3), timedelta(days=-3)])
def test_a_request_that_waits_waits_as_long_as_it_should(office: Office, jump: timedelta) -> None:
    first = office.offer()
    office.passes()
    office.certify(first.request_id)
    office.backend.end("id-0", "succeeded")
    office.passes()
    waiting = office.offer()
    assert waiting.result == "delayed"
    office.now += jump
    office.passes()
    office.passes(later=office.settings.cool_down - HOUR)
    assert office.view(waiting.request_id).state == "queued"
    office.passes(later=HOUR)
    assert office.view(waiting.request_id).state == "running"


def test_one_that_was_due_is_due_after_a_jump_back(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    offer = office.offer()
    office.now -= timedelta(days=3)
    office.passes()
    assert office.view(offer.request_id).state == "running"


def test_a_time_that_no_rule_could_have_set_is_no_reason_to_wait(office: Office) -> None:
    """As after a restart on another machine whose clock was far ahead."""
    offer = office.offer()
    office.controller._database.write(
        lambda transaction: transaction.run("UPDATE request SET not_before = not_before + 86400000 * 300")
    )
    office.passes()
    assert office.view(offer.request_id).state == "running"
