"""Fine cells put together: groups of about equal mass, and sparse groups merged.

A chi-square law needs several expected counts in every group; Cochran, Biometrics 10 (1954) 417-451, asks for five.
Which cells go together depends on the reference's or on the pooled counts, never on how reference and window differ.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LEAST_EXPECTED = 5.0

Counts = NDArray[np.int64]
Levels = NDArray[np.float64]


def grouped(a_K: Counts, b_K: Counts, group_K: NDArray[np.int64]) -> tuple[Counts, Counts]:
    """Both counts summed over the cells of each group, groups ascending; groups that nothing fell into are left out."""
    _, place_K = np.unique(group_K, return_inverse=True)
    a_G = np.bincount(place_K, weights=a_K).astype(np.int64)
    b_G = np.bincount(place_K, weights=b_K).astype(np.int64)
    held_G = a_G + b_G > 0
    return a_G[held_G], b_G[held_G]


def by_mass(counts_K: Counts, levels_L: Levels) -> NDArray[np.int64]:
    """The group of each cell: how many of the ascending `levels_L` the middle of its cumulated share has passed."""
    middle_K = (np.cumsum(counts_K) - counts_K / 2) / max(1, counts_K.sum())
    return np.asarray(np.searchsorted(levels_L, middle_K, side="right"))


def equal_levels(groups: int) -> Levels:
    """Between `groups` groups of equal mass."""
    return np.arange(1, groups) / groups


def tail_levels(groups: int) -> Levels:
    """Between groups that get finer towards both tails, as the variance of a cumulated share does: sin^2(pi i / 2G)."""
    return np.asarray(np.sin(np.pi * np.arange(1, groups) / (2 * groups)) ** 2)


def merge_neighbours(a_G: Counts, b_G: Counts, *, least: float = LEAST_EXPECTED) -> tuple[Counts, Counts]:
    """Ordered groups, merged left to right until either sample expects at least `least` in each."""
    rows, kept = _pooled_needed(int(a_G.sum()), int(b_G.sum()), least), [0]
    total_G = a_G + b_G
    for place in range(1, len(total_G)):
        if total_G[kept[-1] : place].sum() >= rows:
            kept.append(place)
    if len(kept) > 1 and total_G[kept[-1] :].sum() < rows:
        kept.pop()
    return np.add.reduceat(a_G, kept), np.add.reduceat(b_G, kept)


def merge_rare(
    a_G: Counts, b_G: Counts, *, rest: tuple[int, int] = (0, 0), least: float = LEAST_EXPECTED
) -> tuple[Counts, Counts]:
    """Unordered groups; those of which either sample expects fewer than `least` become one, together with `rest`.

    `rest` are rows of both samples that no group holds. Where all those are still too few, the rarest other group joins
    them, but two groups are left.
    """
    total_G = a_G + b_G
    order = np.argsort(total_G, kind="stable")
    rows = _pooled_needed(int(a_G.sum()) + rest[0], int(b_G.sum()) + rest[1], least)
    rare = int((total_G < rows).sum())
    merged = int(total_G[order[:rare]].sum()) + sum(rest)
    if 0 < merged < rows and rare < len(order) - 1:
        rare += 1
    if not sum(rest) and rare < 2:
        return a_G, b_G
    kept, gone = np.sort(order[rare:]), order[:rare]
    a_M, b_M = (np.append(x_G[kept], x_G[gone].sum() + more) for x_G, more in zip((a_G, b_G), rest, strict=True))
    return a_M, b_M


def _pooled_needed(n: int, m: int, least: float) -> float:
    """The pooled count of a group of which the smaller sample expects `least`."""
    return least * (n + m) / max(1, min(n, m))
