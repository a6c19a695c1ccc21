"""Votes of a block between rounds, kept in the store: what was drawn before a kill is not drawn again.

One document per block, replaced whole after a round; it holds a digest of its content, and whatever does not match is
taken for nothing. Rounds that take less than SECONDS together are kept as one, so that keeping them costs little.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping

from robustcert.provenance.digests import canonical_json, sha256_bytes
from robustcert.smoothing.sample_runs import State
from robustcert.storage.addresses import DamagedError
from robustcert.storage.store import Store

SECONDS = 2.0


class StoredRounds:
    """A checkpoint for `robustcert.smoothing.certify`; a kill loses the last round, or SECONDS where that is more."""

    def __init__(self, store: Store, name: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._store, self._name, self._clock = store, name, clock
        self._saved = clock()

    def load(self) -> Mapping[str, State] | None:
        """The states that were saved last; None where there are none, or damaged ones."""
        try:
            document = json.loads(self._store.read_document(self._name) or b"null")
            states = document["states"]
            return dict(states) if document["checksum"] == _checksum(states) else None
        except (DamagedError, ValueError, TypeError, LookupError, RecursionError):
            return None

    def save(self, states: Mapping[str, State]) -> None:
        """Replaces the document, unless that was done just now."""
        if self._clock() - self._saved >= SECONDS:
            document = {"schemaVersion": "1", "states": dict(states), "checksum": _checksum(states)}
            self._store.write_document(self._name, canonical_json(document))
            self._saved = self._clock()


def _checksum(states: Mapping[str, State]) -> str:
    return sha256_bytes(canonical_json(dict(states)))
