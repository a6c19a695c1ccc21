"""Ablation: keep k of d features and hide the rest; certifies against any change of r features, whatever their kind.

Levine and Feizi (2020), "Robustness certificates for sparse adversarial attacks by randomized ablation". Shapes: D = d
features of one sample, S = C(d, k) subsets, N draws, K classes.

r changed features are seen by N_r = C(d, k) - C(d - r, k) of the subsets, so no more votes than that can change. Where
every subset is evaluated this is exact: the first class keeps its lead wherever c1 - c2 > 2 N_r, in integers, strictly,
so that no rule about ties matters. Where subsets are drawn, the probability of failure q < 1/2 - N_r / C(d, k).

A hidden feature is NULL: its mask value, with a missingness flag beside every feature (NullEncoding), so that a
classifier can tell a hidden 0 from a seen one, and mixed tables need no value of their own to spare. The encoding is
part of the base classifier, which has to be trained with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations, islice
from math import comb

import numpy as np
from numpy.typing import NDArray

from robustcert.errors import InputError, expected
from robustcert.smoothing.confidence import failure_upper_bound
from robustcert.smoothing.noise import Stream
from robustcert.smoothing.philox_words import draw_words
from robustcert.smoothing.splitting_noise import BATCH, Classify, tally_of

MOST_SUBSETS = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Ablation:
    """`kept` = k of `features` = d features are seen at a time."""

    features: int
    kept: int

    def __post_init__(self) -> None:
        if not 1 <= self.kept <= self.features:
            got = f"{self.kept} of {self.features}"
            raise InputError(expected("1 <= kept <= features", got=got, remedy="keep at least one feature"))

    @property
    def subsets(self) -> int:
        """C(d, k), the number of subsets."""
        return comb(self.features, self.kept)

    def touched(self, changed: int) -> int:
        """N_r: how many subsets see at least one of `changed` features."""
        return self.subsets - comb(max(0, self.features - changed), self.kept)

    def share_touched(self, changed: int) -> Fraction:
        """Delta(r) = 1 - C(d - r, k) / C(d, k), exactly.

        >>> [round(float(Ablation(features=20, kept=3).share_touched(r)), 3) for r in (1, 2, 3)]
        [0.15, 0.284, 0.404]
        """
        return Fraction(self.touched(changed), self.subsets)

    def failure_at(self, changed: int) -> Fraction:
        """The failure probability below which `changed` features are certified; 0 or less: out of reach."""
        return Fraction(1, 2) - self.share_touched(changed)


@dataclass(frozen=True, kw_only=True)
class NullEncoding:
    """What stands for a hidden feature, one integer per feature (D,); a row becomes (values, flags), flag 1: hidden."""

    mask: tuple[int, ...]

    def rows(self, x_D: NDArray[np.integer], kept_ND: NDArray[np.bool_]) -> NDArray[np.int64]:
        """The ablated copies of one sample: int64 (N, 2 D)."""
        if not np.issubdtype(x_D.dtype, np.integer) or x_D.shape != (len(self.mask),):
            what = f"{len(self.mask)} integer features"
            remedy = "flatten the sample and pass its integers"
            raise InputError(expected(what, got=f"{x_D.dtype} {x_D.shape}", remedy=remedy))
        values_ND = np.where(kept_ND, x_D.astype(np.int64), np.array(self.mask, dtype=np.int64))
        return np.concatenate((values_ND, (~kept_ND).astype(np.int64)), axis=1)


def exact_votes(
    classify: Classify, x_D: NDArray[np.integer], *, ablation: Ablation, encoding: NullEncoding, n_classes: int
) -> tuple[tuple[int, ...], int]:
    """Votes per class (K,) and fragile ones over all C(d, k) subsets; InputError for more than a million of them."""
    if ablation.subsets > MOST_SUBSETS:
        remedy = "draw subsets instead, or keep fewer features"
        raise InputError(expected(f"at most {MOST_SUBSETS} subsets", got=ablation.subsets, remedy=remedy))
    tally = np.zeros(n_classes + 1, dtype=np.int64)
    for kept_ND in _all_subsets(ablation):
        tally += tally_of(classify(encoding.rows(x_D, kept_ND)), n_classes=n_classes)
    *counts, fragile = tally.tolist()
    return tuple(counts), fragile


def certified_features(counts: Sequence[int], fragile: int = 0, *, ablation: Ablation) -> int | None:
    """Most features whose change can't change the class of most votes of all subsets; None: no class has most.

    Fragile votes count for the rival. InputError unless every subset was counted once.

    >>> certified_features((1000, 140), ablation=Ablation(features=20, kept=3))
    2
    """
    if sum(counts) + fragile != ablation.subsets:
        got = f"{sum(counts) + fragile} votes"
        raise InputError(expected(f"{ablation.subsets} votes", got=got, remedy="count every subset once"))
    first, second = sorted(counts, reverse=True)[:2]
    lead = first - second - fragile
    return _most([lead > 2 * ablation.touched(changed) for changed in range(ablation.features + 1)])


def drawn_subsets(
    key0: int, *, sample_id: int, stream: Stream, first_draw: int, draws: int, ablation: Ablation
) -> NDArray[np.bool_]:
    """Kept features of draws `first_draw` ... of one sample, bool (N, D): those with the k smallest words of a draw.

    Equal words, of probability below d^2 / 2^65, go to the feature that comes first.
    """
    words_ND = draw_words(
        key0, sample_id=sample_id, stream=stream, first_draw=first_draw, draws=draws, coordinates=ablation.features
    )
    order_ND = np.argsort(words_ND, axis=1, kind="stable")
    kept_ND = np.zeros(words_ND.shape, dtype=np.bool_)
    np.put_along_axis(kept_ND, order_ND[:, : ablation.kept], True, axis=1)
    return kept_ND


def certified_features_drawn(successes: int, n: int, *, alpha: float, ablation: Ablation) -> int | None:
    """Most features certified by `successes` of `n` drawn votes, with confidence 1 - alpha; None: abstain."""
    failure = Fraction(failure_upper_bound(n - successes, n, alpha=alpha))
    return _most([failure < ablation.failure_at(changed) for changed in range(ablation.features + 1)])


def median_radius(radii: Sequence[int | None]) -> int | None:
    """Largest r certified on at least half of the samples, None (wrong or abstained) counted as certified nowhere.

    >>> median_radius([3, 1, None]), median_radius([None, None, 2])
    (1, None)
    """
    ordered = sorted((-1 if radius is None else radius for radius in radii), reverse=True)
    middle = ordered[(len(ordered) + 1) // 2 - 1]
    return None if middle < 0 else middle


def _most(certified: Sequence[bool]) -> int | None:
    """Largest r up to which all are certified; the condition is monotone in r."""
    count = next((changed for changed, holds in enumerate(certified) if not holds), len(certified))
    return count - 1 if count else None


def _all_subsets(ablation: Ablation) -> Iterator[NDArray[np.bool_]]:
    """Kept features (N, D) of all subsets in lexicographic order, 256 at a time."""
    subsets = combinations(range(ablation.features), ablation.kept)
    while part := list(islice(subsets, BATCH)):
        kept_ND = np.zeros((len(part), ablation.features), dtype=np.bool_)
        np.put_along_axis(kept_ND, np.array(part), True, axis=1)
        yield kept_ND
