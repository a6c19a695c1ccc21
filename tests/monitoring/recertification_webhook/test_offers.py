"""What becomes of a trigger: one run for each episode and model version, and nothing dropped."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest

from monitoring.recertification_webhook.requests import OPEN
from robustcert.errors import StorageError
from tests.monitoring.recertification_webhook.office import START, Office
from tests.monitoring.recertification_webhook.small_store import model_sha256, version_of

MakeOffice = Callable[..., Office]
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def succeeded(office: Office, **changes: object) -> str:
    """A request that ended well a moment ago."""
    offer = office.offer(**changes)
    office.passes()
    office.certify(offer.request_id)
    office.backend.end(office.backend.runs[-1].run_id, "succeeded")
    office.passes()
    assert office.view(offer.request_id).state == "succeeded"
    return str(offer.request_id)


def test_the_same_episode_is_a_duplicate_however_often_it_comes(office: Office) -> None:
    first = office.offer(episode="a")
    again = [office.offer(episode="a") for _ in range(3)]
    assert (first.result, [one.result for one in again]) == ("queued", ["duplicate"] * 3)
    assert {one.request_id for one in again} == {first.request_id}


def test_other_episodes_merge_into_the_open_request_with_their_reasons(office: Office) -> None:
    first = office.offer(reason="input-drift")
    other = office.offer(reason="accuracy", version=version_of("digits"))
    assert (other.result, other.request_id) == ("merged", first.request_id)
    assert office.view(first.request_id).reasons == ("input-drift", "accuracy")


def test_models_and_versions_are_kept_apart(make_office: MakeOffice) -> None:
    office = make_office(models=("digits", "wine"))
    retrained = office.small.issue("digits", model=model_sha256("digits-2"), run_id="r2", certified_at=START)
    office.passes()
    offers = [
        office.offer("digits", version=version_of("digits")),
        office.offer("digits", version=version_of("digits-2")),
        office.offer("wine"),
    ]
    assert [offer.result for offer in offers] == ["queued"] * 3
    assert office.view(offers[1].request_id).certificate_sha256 == retrained
    assert office.offer("digits").request_id == offers[1].request_id, "without a version the newest is meant"


def test_sources_are_kept_apart(office: Office) -> None:
    assert office.offer(source="manual", episode="key").result == "queued"
    assert office.offer(source="alert", episode="key").result == "merged"


def test_a_cool_down_delays_and_never_drops(office: Office) -> None:
    succeeded(office)
    office.later(HOUR)
    offer = office.offer(reason="accuracy")
    assert offer.result == "delayed"
    assert office.view(offer.request_id).not_before == START + office.settings.cool_down
    office.passes()
    assert office.view(offer.request_id).state == "queued"
    office.passes(later=office.settings.cool_down - HOUR)
    assert office.view(offer.request_id).state == "running"


def test_a_person_does_not_wait_for_the_cool_down(office: Office) -> None:
    succeeded(office)
    assert office.offer(source="manual", reason="manual").result == "queued"


def test_a_person_who_joins_a_delayed_request_ends_its_delay(office: Office) -> None:
    first = office.offer()
    office.passes()
    office.certify(first.request_id)
    office.backend.end("id-0", "succeeded")
    office.passes()
    delayed = office.offer()
    assert delayed.result == "delayed"
    assert office.offer(source="manual", reason="input-drift").request_id == delayed.request_id
    office.passes()
    assert office.view(delayed.request_id).state == "running"


def test_a_budget_that_is_spent_delays_to_the_next_day(make_office: MakeOffice) -> None:
    office = make_office(budget_per_day=2, cool_down=timedelta(0))
    for _ in range(2):
        succeeded(office, source="manual", reason="manual")
    third = office.offer(source="manual", reason="manual")
    assert third.result == "delayed"
    assert office.view(third.request_id).not_before == START.replace(hour=0) + DAY
    assert [entry.detail.get("why") for entry in office.controller.history(str(third.request_id))] == ["budget"]


def test_the_budget_of_the_next_day_counts_what_was_moved_there(make_office: MakeOffice) -> None:
    office = make_office(budget_per_day=1)
    for model in ("digits-2", "digits-3"):
        office.small.issue("digits", model=model_sha256(model), run_id=model, certified_at=START - HOUR)
    office.passes()
    starts = [
        office.view(office.offer(version=version_of(model)).request_id).not_before
        for model in ("digits", "digits-2", "digits-3")
    ]
    midnight = START.replace(hour=0)
    assert starts == [START, midnight + DAY, midnight + 2 * DAY]


def test_an_alert_that_fires_on_after_a_success_goes_to_people_once_and_starts_nothing(office: Office) -> None:
    request_id = succeeded(office, episode="a")
    assert office.offer(episode="a").result == "duplicate", "it had no time yet to end"
    office.later(office.settings.ineffective_after)
    assert [office.offer(episode="a").result for _ in range(3)] == ["escalated", "duplicate", "duplicate"]
    assert office.controller.figures().ineffective == (("digits", version_of("digits")),)
    assert "trigger-escalated" in office.actions(request_id)
    office.passes(3)
    assert len(office.backend.orders) == 1
    assert office.offer(episode="a", resolved=True).result == "resolved"
    assert office.controller.figures().ineffective == ()


def test_an_alert_that_nobody_hears_of_any_more_is_no_longer_ineffective(office: Office) -> None:
    succeeded(office, episode="a")
    office.later(HOUR)
    assert office.offer(episode="a").result == "escalated"
    office.later(office.settings.forget_after)
    assert office.controller.figures().ineffective == ()


@pytest.mark.parametrize("source", ["cloudevent", "manual", "schedule"])
def test_what_is_told_once_does_not_escalate_when_it_is_delivered_again(office: Office, source: str) -> None:
    succeeded(office, episode="a", source=source)
    office.later(DAY)
    assert office.offer(episode="a", source=source).result == "duplicate"


def test_the_same_alert_that_fires_anew_within_the_hysteresis_goes_to_people(office: Office) -> None:
    request_id = succeeded(office, episode="a@1", condition="a")
    office.offer(episode="a@1", condition="a", resolved=True)
    office.later(office.settings.hysteresis - MINUTE)
    flapped = office.offer(episode="a@2", condition="a")
    assert (flapped.result, flapped.request_id) == ("escalated", request_id)
    assert office.offer(episode="b@1", condition="b").result == "delayed", "another alert is none of that"


def test_after_the_hysteresis_the_same_alert_counts_as_new(office: Office) -> None:
    succeeded(office, episode="a@1", condition="a")
    office.later(office.settings.hysteresis + MINUTE)
    assert office.offer(episode="a@2", condition="a").result == "delayed"


def test_a_resolution_is_recorded_and_stops_nothing(office: Office) -> None:
    offer = office.offer(episode="a")
    resolved = office.offer(episode="a", resolved=True)
    assert (resolved.result, resolved.request_id) == ("resolved", offer.request_id)
    office.passes()
    assert office.view(offer.request_id).state == "running"


def test_a_resolution_that_overtakes_its_alert_costs_no_run_and_never_escalates(office: Office) -> None:
    assert office.offer(episode="a", resolved=True).request_id is None
    late = office.offer(episode="a")
    assert late.result == "queued"
    assert office.offer(episode="a").result == "duplicate"
    office.passes()
    office.certify(late.request_id)
    office.backend.end("id-0", "succeeded")
    office.passes()
    office.later(DAY)
    assert office.offer(episode="a").result == "duplicate"


@pytest.mark.parametrize(("model", "version"), [("nobody", ""), ("digits", "0" * 12)])
def test_an_unknown_model_is_a_dead_letter_at_once_and_lives_when_its_certificate_comes(
    office: Office, model: str, version: str
) -> None:
    offer = office.offer(model, version=version)
    assert (offer.result, offer.state) == ("escalated", "dead")
    assert office.offer(model, version=version).request_id == offer.request_id, "one dead letter, not one an alert"
    assert office.controller.figures().dead == ((model, version),)
    assert office.controller.figures().triggers == {("alert", "escalated"): 2}
    known = version + "1" * (64 - len(version)) if version else model_sha256(model)
    office.small.issue(model, model=known, run_id="late", certified_at=START)
    office.passes()
    view = office.view(offer.request_id)
    assert (view.state, view.version) == ("running", known[:12])
    assert office.controller.figures().dead == ()


def test_an_unknown_model_whose_request_is_open_by_then_joins_it(office: Office) -> None:
    unknown = office.offer("wine", episode="a")
    office.small.issue("wine", run_id="w", certified_at=START)
    office.controller._loop._scanned = -float("inf")
    office.controller._context.fleet = office.controller._loop._scan.fleet()
    opened = office.offer("wine", episode="b")
    office.passes()
    assert office.offer("wine", episode="a").request_id == opened.request_id
    assert office.controller.figures().dead == ()
    assert unknown.request_id != opened.request_id


def test_a_dead_letter_that_another_run_would_not_help_gathers_alerts(office: Office) -> None:
    offer = office.offer()
    office.passes()
    office.small.window("digits", run_id=f"{offer.request_id}-1", certificate="0" * 64, holds=False)
    office.backend.end("id-0", "failed")
    office.passes()
    assert office.view(offer.request_id).outcome == "claim-failed"
    office.later(2 * DAY)
    again = office.offer()
    assert (again.result, again.request_id) == ("escalated", offer.request_id)
    assert office.offer(source="manual", reason="manual").result == "queued", "a person knows better"


def test_before_the_store_was_ever_read_the_sender_is_told_to_try_again(office: Office) -> None:
    office.controller._context.fleet = None
    with pytest.raises(StorageError, match="expected a store that was read once"):
        office.offer()


def test_a_batch_is_placed_whole(office: Office) -> None:
    batch = [office.trigger(episode="a"), office.trigger(episode="a"), office.trigger(episode="b")]
    assert [offer.result for offer in office.controller.offer(batch)] == ["queued", "duplicate", "merged"]


def test_gross_drift_suspends_at_once_where_the_policy_says_so(make_office: MakeOffice) -> None:
    office = make_office()
    offer = office.offer(suspend=True)
    office.passes()
    assert office.statuses() == [("suspended", "input-drift", offer.request_id)]
    assert office.view(offer.request_id).suspended


def test_an_alert_that_merges_may_suspend_too(office: Office) -> None:
    offer = office.offer()
    office.offer(suspend=True, reason="accuracy")
    office.passes()
    assert office.statuses() == [("suspended", "accuracy", offer.request_id)]


def test_ten_thousand_deliveries_in_any_order_end_in_one_run_per_model(make_office: MakeOffice) -> None:
    """Duplicates, resolutions, two senders and restarts; the oracle is the set of episodes that were sent."""
    names = tuple(f"model-{number}" for number in range(20))
    office = make_office(models=names, most_running=100)
    drawn = random.Random(7)
    deliveries = [
        office.trigger(name, episode=f"{name}-{episode}", version=drawn.choice(("", version_of(name))), resolved=late)
        for name in names
        for episode in range(5)
        for late in [False] * 80 + [True] * 20
    ]
    drawn.shuffle(deliveries)
    seen: Counter[str] = Counter()
    for start in range(0, len(deliveries), 500):
        seen.update(offer.result for offer in office.controller.offer(deliveries[start : start + 500]))
        if start % 2500 == 0:
            office.passes()
            office.restart()
    office.passes()
    assert seen["queued"] == len(names)
    assert Counter(order.model for order in office.backend.orders) == dict.fromkeys(names, 1)
    assert {view.state for view in office.controller.requests(limit=1000)} <= set(OPEN)
    firing = {(one.model, one.version, one.episode) for one in deliveries if not one.resolved}
    statement = "SELECT model, version, episode FROM episode WHERE request_id IS NOT NULL"
    kept = office.controller._database.read(lambda one: {tuple(row) for row in one.execute(statement)})
    assert kept == firing
