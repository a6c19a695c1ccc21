"""The known word that somebody probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

MAX_COMPARED = 80
LEAST_LIKENESS = 0.7


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word nearest to `word`, whatever its case, '-' and '_'; None when none is near.

    >>> nearest("intended_use", ("intendedUse", "claim"))
    'intendedUse'
    """
    plain = {_plain(candidate): candidate for candidate in known}
    found = difflib.get_close_matches(_plain(word[:MAX_COMPARED]), plain, n=1, cutoff=LEAST_LIKENESS)
    return plain[found[0]] if found else None


def did_you_mean(word: str, known: Iterable[str], *, otherwise: str) -> str:
    """The remedy for an unknown word."""
    meant = nearest(word, known)
    return otherwise if meant is None else f"did you mean '{meant}'?"


def _plain(word: str) -> str:
    return word.replace("-", "").replace("_", "").casefold()
