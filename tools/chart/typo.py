"""Patterns of names that are written nearly right, for the question "did you mean?" in the chart's schema.

Nearly right is: one letter too many, too few, another one, or two neighbours exchanged (Damerau-Levenshtein's distance
of 1), or the words in another form (nodeselector, NodeSelector, node_selector, node-selector). A pattern leaves a
window of the name open and demands the rest. The wider the window, the more it takes and the less time Helm needs, so
the widest is chosen that never takes a misspelling of another name that stands in the same place. Name and pattern
match too. What is used of regular expressions means the same to RE2 (Helm), ECMA-262 (editors) and Python.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

SHARES = (2, 3, 4, 6)  # parts of a name, of which one is open
LEAST_LETTERS = 6  # of a name with a window


def pattern(name: str, *, siblings: Collection[str] = ()) -> str:
    """The cheapest pattern of what is nearly `name` and not nearly one of its siblings.

    >>> [bool(re.search(pattern("port"), word)) for word in ("prot", "ports", "pot", "Port", "part", "fort", "x")]
    [True, True, True, True, True, True, False]
    >>> pattern("annotations"), pattern("annotations", siblings=["tolerations"])  # doctest: +NORMALIZE_WHITESPACE
    ('^(?:.{5,7}tions|annot.{5,7})$',
     '^(?:.{2,4}otations|an.{2,4}ations|anno.{2,4}ions|annota.{2,4}ns|annotati.{2,4})$')
    """
    others = [sibling for sibling in siblings if abs(len(sibling) - len(name)) <= 3]
    misspelt = [word for other in others for word in _misspellings(other, letters=name)]
    patterns = (_windows(name, len(name) // share + 1) for share in SHARES if len(name) >= LEAST_LETTERS)
    return next((one for one in patterns if not any(map(re.compile(one).search, misspelt))), _one_letter(name))


def _windows(name: str, size: int) -> str:
    """A window of that size somewhere; two overlap by a letter, so that any two neighbours are in one."""
    places = range(0, len(name) - 1, size - 1)
    opened = [f"{name[:place]}{_open(min(size, len(name) - place))}{name[place + size :]}" for place in places]
    several = len(re.findall("[A-Z]", name)) > 1  # else the window takes the one word in another form
    return _any_of(*opened, *([_words(name)] if several else []))


def _one_letter(name: str) -> str:
    """Distance of 1 and nothing more."""
    changed = (f"{name[:place]}(?:.?|.{letter}){name[place + 1 :]}" for place, letter in enumerate(name))
    exchanged = (_exchanged(name, place) for place in range(len(name) - 1) if name[place] != name[place + 1])
    return _any_of(*changed, f"{name}.", *exchanged, _words(name))


def _misspellings(name: str, *, letters: str) -> Iterator[str]:
    """All words at a distance of 1 that are written with these letters, and with z for any other."""
    yield from (name[:place] + name[place + 1 :] for place in range(len(name)))
    yield from (_exchanged(name, place) for place in range(len(name) - 1))
    for letter in sorted({*letters, "z"}):
        yield from (name[:place] + letter + name[place + 1 :] for place in range(len(name)))
        yield from (name[:place] + letter + name[place:] for place in range(len(name) + 1))


def _exchanged(name: str, place: int) -> str:
    return name[:place] + name[place + 1] + name[place] + name[place + 2 :]


def _words(name: str) -> str:
    """The words of a lowerCamelCase name in any usual form."""
    first = f"[{name[0]}{name[0].upper()}]"
    return first + re.sub("[A-Z]", lambda found: f"[-_]?[{found[0].lower()}{found[0]}]", name[1:])


def _open(size: int) -> str:
    return f".{{{size - 1},{size + 1}}}"


def _any_of(*patterns: str) -> str:
    return f"^(?:{'|'.join(patterns)})$"
