"""Each model's newest drift record that verifies, as robustcert.drift.record.newest_record finds it for one model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from monitoring.exporter.drift_facts import DriftFacts
from monitoring.exporter.invalid import Invalid
from monitoring.exporter.known import Known
from monitoring.exporter.listing import Listing, Model, Names

# Windows that one scan goes back in search of a valid record of a model.
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

    def find(self, listing: Listing, models: Iterable[Model]) -> Found:
        """The newest of each model; where that is not read yet, the newest that is known."""
        left = {model: listing.windows(model) for model in models}
        looked: dict[Names, DriftFacts | Invalid] = {}
        newest: dict[Model, DriftFacts] = {}
        unread: set[Model] = set()
        room = MOST_FRESH
        for _ in range(MOST_WINDOWS):
            windows = {model: window for model, names in left.items() if (window := next(names, None))}
            wanted = [names for window in windows.values() for names in window]
            fresh = self._known.unknown(wanted)
            looked |= self._known.look(wanted, most=room)
            room = max(0, room - fresh)
            unread |= {model for model, window in windows.items() if not all(names in looked for names in window)}
            newest |= {model: found for model, window in windows.items() if (found := _newest(window, looked))}
            left = {model: left[model] for model in windows if model not in newest}
            if not left:
                break
        self._known.forget_all_but(looked)
        invalid = Counter(found for found in looked.values() if isinstance(found, Invalid))
        return Found(newest=newest, invalid=invalid, unread=len(unread))


def _newest(window: list[Names], looked: dict[Names, DriftFacts | Invalid]) -> DriftFacts | None:
    found = [facts for names in window if isinstance(facts := looked.get(names), DriftFacts)]
    return max(found, key=lambda facts: facts.evaluated_at, default=None)
