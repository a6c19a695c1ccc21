"""Each model's newest drift record that verifies, as robustcert.drift.record.newest_record finds it for one model.

One that was evaluated in the future is passed over: a wrong clock would hide every later record.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from monitoring.exporter.drift_facts import DriftFacts
from monitoring.exporter.invalid import Invalid
from monitoring.exporter.known import Known
from monitoring.exporter.listing import Listing, Model, Names

# Windows that one scan goes back in search of a valid record of a model; those known to be invalid are not among them,
# so that whoever can write names into the store hides no record by any number of them.
MOST_WINDOWS = 10
# Records that one scan reads. After a start there may be thousands to read: certificates are shown before that.
MOST_FRESH = 1000


@dataclass(frozen=True, kw_only=True)
class Found:
    """Records by model, what was invalid on the way, and how many models have a newer record that is still unread."""

    newest: dict[Model, DriftFacts]
    invalid: Counter[Invalid]
    unread: int


class NewestDrift:
    """Looks for records again and again; what was read is known."""

    def __init__(self, known: Known[DriftFacts]) -> None:
        self._known = known

    def find(self, listing: Listing, models: Iterable[Model], *, latest: float) -> Found:
        """The newest of each model until `latest`; where that is not read yet, the newest that is known."""
        looked: dict[Names, DriftFacts | Invalid] = {}
        left = {model: self._worth_a_look(listing.windows(model), looked) for model in models}
        newest: dict[Model, DriftFacts] = {}
        unread: set[Model] = set()
        room = MOST_FRESH
        for _ in range(2 * MOST_WINDOWS):
            windows = {model: window for model, names in left.items() if (window := next(names, None))}
            wanted = [names for window in windows.values() for names in window]
            fresh = self._known.unknown(wanted)
            looked |= self._known.look(wanted, most=room)
            room = max(0, room - fresh)
            unread |= {model for model, window in windows.items() if not all(names in looked for names in window)}
            newest |= {model: found for model, window in windows.items() if (found := _newest(window, looked, latest))}
            left = {model: left[model] for model in windows if model not in newest}
            if not left:
                break
        self._known.forget_all_but(looked)
        invalid = Counter(wrong for found in looked.values() if (wrong := _wrong(found, latest)))
        return Found(newest=newest, invalid=invalid, unread=len(unread | left.keys()))

    def _worth_a_look(
        self, windows: Iterator[list[Names]], looked: dict[Names, DriftFacts | Invalid]
    ) -> Iterator[list[Names]]:
        """The windows without older ones that are known to be invalid, which count as looked at."""
        for place, window in enumerate(windows):
            refused = self._known.refused(window)
            if place < MOST_WINDOWS or len(refused) < len(window):
                yield window
            else:
                looked |= refused


def _newest(window: list[Names], looked: dict[Names, DriftFacts | Invalid], latest: float) -> DriftFacts | None:
    found = [
        facts for names in window if isinstance(facts := looked.get(names), DriftFacts) and not _wrong(facts, latest)
    ]
    return max(found, key=lambda facts: facts.evaluated_at, default=None)


def _wrong(found: DriftFacts | Invalid, latest: float) -> Invalid | None:
    if isinstance(found, Invalid):
        return found
    return Invalid("drift", "early") if found.evaluated_at > latest else None
