"""How far two words are from each other: the oracle for what a misspelt name means."""

from __future__ import annotations

import re


def distance(one: str, other: str) -> int:
    """Damerau-Levenshtein's distance by its recurrence (optimal string alignment)."""
    rows = [list(range(len(other) + 1))]
    for i, letter in enumerate(one, 1):
        row = [i]
        for j, there in enumerate(other, 1):
            best = min(rows[-1][j] + 1, row[-1] + 1, rows[-1][j - 1] + (letter != there))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == there:
                best = min(best, rows[-2][j - 2] + 1)
            row.append(best)
        rows.append(row)
    return rows[-1][-1]


def forms(name: str) -> set[str]:
    """The name in other usual forms."""
    words = re.findall("[A-Z]?[a-z]+", name)
    return {name.lower(), "_".join(words).lower(), "-".join(words).lower(), "_".join(words), "-".join(words)}
