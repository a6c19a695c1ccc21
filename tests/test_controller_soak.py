"""A few kills of the controller's soak; the program does two hundred."""

from __future__ import annotations

from pathlib import Path

from tests.controller_soak import Soak
from tests.monitoring.recertification_webhook.soak_oracle import check


def test_a_controller_that_is_killed_again_and_again_loses_and_doubles_nothing(tmp_path: Path) -> None:
    soak = Soak(tmp_path, seed=5, disk="limit", models=6)
    try:
        list(soak.run(3))
    finally:
        soak.end()
    found = check(soak)
    assert found["kills"] == 4, "three, and the last one once everything had ended"
    assert found["acknowledged"] > 20
    assert found["runs"] >= 3
    assert found["certificates"] >= 1
    assert sum(count for what, count in found.items() if what.startswith("met ")) > 0
