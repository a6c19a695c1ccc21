"""A controller in a folder of its own for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.monitoring.recertification_webhook.office import Office


@pytest.fixture
def make_office(tmp_path: Path) -> Iterator[Callable[..., Office]]:
    """Makes the test's controller with other settings than usual."""
    made: list[Office] = []

    def make(**changes: Any) -> Office:
        made.append(Office(tmp_path, **changes))
        return made[-1]

    yield make
    for office in made:
        office.close()


@pytest.fixture
def office(make_office: Callable[..., Office]) -> Office:
    """A controller of the usual settings."""
    return make_office()
