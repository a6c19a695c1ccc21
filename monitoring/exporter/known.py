"""What is known of immutable documents: each is read once, and what could not be shown is tried again now and then."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from monitoring.exporter.invalid import Invalid, InvalidError, Kind
from monitoring.exporter.listing import Names
from monitoring.exporter.readers import Readers
from robustcert.errors import StorageError
from robustcert.storage.addresses import DamagedError
from robustcert.storage.store import Store

Fact = TypeVar("Fact")

# Invalid objects that one scan reads again: somebody may have restored them. Many bad ones slow no scan down.
RECHECKS = 100
# After so many failures in a row it is the store that is down, not a document that can't be read.
MOST_FAILURES = 20

logger = logging.getLogger(__name__)


class Known(Generic[Fact]):
    """Facts by the names of the documents that they are read from."""

    def __init__(self, kind: Kind, read: Callable[[Store, Names], Fact], *, readers: Readers) -> None:
        self._kind, self._read, self._readers = kind, read, readers
        self._found: dict[Names, Fact | Invalid] = {}
        self._lock, self._failures = threading.Lock(), 0

    def look(self, wanted: Iterable[Names], *, most: int | None = None) -> dict[Names, Fact | Invalid]:
        """What is known of each; what is new is read first, `most` of them at one time. The rest is left out.

        StorageError where the store is down.
        """
        asked = list(wanted)
        fresh = [names for names in asked if names not in self._found][:most]
        self._failures = 0
        self._readers.each([*fresh, *self._to_recheck(asked)], self._take)
        return {names: self._found[names] for names in asked if names in self._found}

    def unknown(self, wanted: Iterable[Names]) -> int:
        """How many of these are still to be read."""
        return sum(names not in self._found for names in wanted)

    def refused(self, names: Iterable[Names]) -> dict[Names, Fact | Invalid]:
        """Those of these that were read and are not shown."""
        return {each: found for each in names if isinstance(found := self._found.get(each), Invalid)}

    def forget_all_but(self, names: Iterable[Names]) -> None:
        """Forgets what is not in the store any more."""
        keep = set(names)
        self._found = {each: found for each, found in self._found.items() if each in keep}

    def doubt(self, names: Iterable[Names]) -> None:
        """Reads these again at the next look, but for what was invalid already and has its turn anyway."""
        for each in names:
            if not isinstance(self._found.get(each), Invalid):
                self._found.pop(each, None)

    def _to_recheck(self, asked: Iterable[Names]) -> list[Names]:
        """Those that were read longest ago: what is read again goes to the end."""
        wanted = set(asked)
        bad = [names for names, found in self._found.items() if _is_bad(found) and names in wanted]
        return bad[:RECHECKS]

    def _take(self, store: Store, names: Names) -> None:
        try:
            found: Fact | Invalid = self._read(store, names)
        except InvalidError as error:
            found = error.found
        except DamagedError:
            found = Invalid(self._kind, "damaged")
        except StorageError as error:
            found = self._unreadable(names, error)
        else:
            self._failures = 0
        with self._lock:
            self._found.pop(names, None)
            self._found[names] = found

    def _unreadable(self, names: Names, error: StorageError) -> Invalid:
        self._failures += 1
        if self._failures >= MOST_FAILURES:
            raise error
        logger.warning("%s: %s", names[0], error)
        return Invalid(self._kind, "unreadable")


def _is_bad(found: object) -> bool:
    return isinstance(found, Invalid) or getattr(found, "wrong", None) is not None
