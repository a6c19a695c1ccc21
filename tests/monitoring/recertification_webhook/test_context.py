"""How long the loop has waited: by the monotonic clock, from when it first saw something."""

from __future__ import annotations

from monitoring.recertification_webhook.context import Waits


def test_a_wait_begins_when_it_is_first_asked_for_and_again_when_told() -> None:
    steady = [10.0]
    waits = Waits(lambda: steady[0])
    assert waits.seconds("run", "a") == 0.0
    steady[0] = 15.0
    assert (waits.seconds("run", "a"), waits.seconds("run", "b"), waits.seconds("other", "a")) == (5.0, 0.0, 0.0)
    waits.begin("run", "a")
    waits.end("run", "b")
    steady[0] = 16.0
    assert (waits.seconds("run", "a"), waits.seconds("run", "b")) == (1.0, 0.0)
