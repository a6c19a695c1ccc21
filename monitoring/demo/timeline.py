"""What happened when, printed as it happens: seconds since the start, who, what, and where to look."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from rich.console import Console

WIDTH = 14


@dataclass(frozen=True, kw_only=True)
class Event:
    """One line; `at` is in seconds since the timeline began."""

    at: float
    who: str
    what: str


@dataclass(kw_only=True)
class Timeline:
    """Collects and prints events; a file holds the same lines."""

    console: Console
    clock: Callable[[], float] = time.monotonic
    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._began = self.clock()

    def say(self, who: str, what: str) -> Event:
        """Prints one event now and returns it."""
        event = Event(at=self.clock() - self._began, who=who, what=what)
        self.events.append(event)
        self.console.print(line(event), highlight=False, soft_wrap=True)
        return event

    def text(self) -> str:
        """All lines so far."""
        return "".join(f"{line(event)}\n" for event in self.events)


def line(event: Event) -> str:
    """The event as it is printed.

    >>> line(Event(at=12.345, who="alert", what="RobustcertInputsDrifted fires"))
    '   12.3 s  alert           RobustcertInputsDrifted fires'
    """
    return f"{event.at:7.1f} s  {event.who:<{WIDTH}}  {event.what}"
