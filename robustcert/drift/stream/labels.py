"""Label values that a metric may carry: few of them, short, and of harmless characters.

Whoever sends requests may choose a segment's name; without a cap, he could make a time series for each request.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

OTHER = "other"
MOST_SEGMENTS = 20
MOST_CLASSES = 50

_VALUE = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._/+-]{0,62}")


def usable(value: str) -> bool:
    """Whether a text may be the value of a label.

    >>> usable("clinic-7"), usable('x"} 1'), usable("")
    (True, False, False)
    """
    return _VALUE.fullmatch(value) is not None


def class_labels(classes: Sequence[str]) -> tuple[str, ...]:
    """The label value of each class, by its index: its name, its number where the name is unusable, or "other".

    >>> class_labels(("benign", "größer"))
    ('benign', '1')
    """
    named = [name if usable(name) else str(number) for number, name in enumerate(classes)]
    return tuple(name if number < MOST_CLASSES else OTHER for number, name in enumerate(named))


class Segments:
    """The segments seen so far: at most `most` of them keep their names; not for use by several threads at once."""

    def __init__(self, known: Sequence[str] = (), *, most: int = MOST_SEGMENTS) -> None:
        self._most = most
        self._known = {name for name in known if usable(name)}
        self._fixed = bool(self._known)

    def label(self, segment: str) -> str:
        """The label value of a segment: its name where it is known or there is room, else "other"."""
        if segment in self._known:
            return segment
        if self._fixed or len(self._known) >= self._most or not usable(segment):
            return OTHER
        self._known.add(segment)
        return segment
