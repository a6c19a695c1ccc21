"""A real store in a folder; a clock that the test turns."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from robustcert.steps.stored_rounds import StoredRounds
from robustcert.storage.store import Store, open_store

NAME = "steps/certification_rounds/" + "ab" * 32 + ".json"
STATES: dict[str, Any] = {"7": {"selection": [[[1, 5]], 0], "estimation": [[], 0], "path": []}}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(str(tmp_path / "store"))


def rounds(store: Store, *times: float) -> StoredRounds:
    return StoredRounds(store, NAME, clock=iter(times).__next__)


def test_states_come_back_in_another_process(store: Store) -> None:
    rounds(store, 0, 2, 2).save(STATES)
    assert rounds(store, 0).load() == STATES


def test_rounds_of_little_time_are_kept_as_one(store: Store) -> None:
    """At 1.9 s nothing is written, at 2.1 s it is, at 4 s not again."""
    kept = rounds(store, 0, 1.9, 2.1, 2.1, 4.0)
    kept.save(STATES)
    assert store.read_document(NAME) is None
    kept.save(STATES)
    assert rounds(store, 0).load() == STATES
    kept.save({})
    assert rounds(store, 0).load() == STATES


def test_nothing_saved_is_nothing(store: Store) -> None:
    assert rounds(store, 0).load() is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-9],
        lambda data: b"",
        lambda data: b"null",
        lambda data: b"[1]",
        lambda data: data.replace(b"5", b"6", 1),
        lambda data: json.dumps({"states": STATES}).encode(),
        lambda data: data.replace(b'"states"', b'"other"'),
    ],
)
def test_what_is_damaged_or_altered_is_taken_for_nothing(store: Store, damage: Callable[[bytes], bytes]) -> None:
    rounds(store, 0, 2, 2).save(STATES)
    document = store.read_document(NAME)
    assert document is not None
    store.write_document(NAME, damage(document))
    assert rounds(store, 0).load() is None
