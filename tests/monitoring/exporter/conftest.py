"""A store in a folder, who fills it, and a scanner that trusts who signed."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitoring.exporter.readers import Readers
from monitoring.exporter.scan import Scanner
from tests.monitoring.exporter.fleet import Fleet, Unflushed


@pytest.fixture
def store(tmp_path: Path) -> Unflushed:
    return Unflushed(tmp_path / "store")


@pytest.fixture
def fleet(store: Unflushed) -> Fleet:
    return Fleet(store=store)


@pytest.fixture
def scanner(fleet: Fleet) -> Scanner:
    return Scanner(Readers(lambda: fleet.store, count=1), keys=fleet.keys)
