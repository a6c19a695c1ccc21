"""Pruning, merging and search against enumeration of all combinations of random boxes."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np

from robustcert.trees.combinations import Combinations, merged, merged_while_small, pruned, search

SIDE = 6


def random_combinations(seed: int, *, safe_from: int) -> Combinations:
    """4 trees over a 6 x 6 grid of cells: each cuts the grid by a line per axis at random, with random margins."""
    generator = np.random.default_rng(seed)
    group, first, last = [], [], []
    for tree in range(4):
        cuts = [sorted({0, SIDE, int(generator.integers(1, SIDE))}) for _ in range(2)]
        for columns in product(*(list(pairwise(axis)) for axis in cuts)):
            group.append(tree)
            first.append([low for low, _ in columns])
            last.append([high - 1 for _, high in columns])
    return Combinations(
        group=np.array(group),
        first=np.array(first, dtype=np.int32),
        last=np.array(last, dtype=np.int32),
        margin=generator.integers(-9, 10, size=len(group)),
        box_first=np.zeros(2, dtype=np.int32),
        box_last=np.full(2, SIDE - 1, dtype=np.int32),
        settled=3,
        safe_from=safe_from,
    )


def margins_of_all_cells(part: Combinations) -> np.ndarray:
    cells = np.array(list(product(range(SIDE), repeat=2)))
    inside = ((part.first <= cells[:, None]) & (cells[:, None] <= part.last)).all(axis=2)
    return inside @ part.margin + part.settled


def least_of(part: Combinations) -> int:
    return int(margins_of_all_cells(part).min())


def test_the_bound_is_never_above_the_least_margin_and_merging_tightens_it() -> None:
    tighter = 0
    for seed in range(40):
        part = random_combinations(seed, safe_from=10**6)
        pairs = merged(part, leaves=1000)
        one = merged(pairs, leaves=1000)
        assert part.least() <= pairs.least() <= one.least() == least_of(part)
        tighter += part.least() < one.least()
        assert len(one.starts()) == 1
    assert tighter > 20


def test_pairs_that_would_grow_too_large_are_left_alone() -> None:
    part = random_combinations(0, safe_from=10**6)
    assert len(merged(part, leaves=1).starts()) == len(part.starts()) == 4


def test_searching_finds_an_adversarial_cell_exactly_where_there_is_one() -> None:
    outcomes = {True: 0, False: 0}
    for seed in range(60):
        least = least_of(random_combinations(seed, safe_from=0))
        for safe_from in (least - 3, least, least + 1, least + 5):
            part = random_combinations(seed, safe_from=safe_from)
            exists = least < safe_from
            outcomes[exists] += 1
            for start in (part, pruned(part)):
                if start is None:
                    assert not exists
                    continue
                result = search(start, lambda first, last: True, most=1000)
                assert result.complete
                assert (result.found is not None) == exists
                if result.found is not None:
                    margins = margins_of_all_cells(part).reshape(SIDE, SIDE)
                    (a, b), (c, d) = result.found[0].tolist(), result.found[1].tolist()
                    assert (margins[a : c + 1, b : d + 1] < safe_from).all()
                    assert margins[a : c + 1, b : d + 1].size > 0
            assert (merged_while_small(part, leaves=10**6) is None) <= (not exists)
    assert min(outcomes.values()) >= 60


def test_pruning_keeps_every_adversarial_cell() -> None:
    for seed in range(60):
        part = random_combinations(seed, safe_from=least_of(random_combinations(seed, safe_from=0)) + 2)
        found = pruned(part)
        assert found is not None
        cells = np.array(list(product(range(SIDE), repeat=2)))
        adversarial = cells[margins_of_all_cells(part) < part.safe_from]
        assert len(adversarial)
        assert ((found.box_first <= adversarial) & (adversarial <= found.box_last)).all()


def test_what_is_judged_right_within_rounding_is_said_to_be_unsure() -> None:
    part = random_combinations(1, safe_from=least_of(random_combinations(1, safe_from=0)) + 1)
    result = search(part, lambda first, last: False, most=1000)
    assert (result.found, result.complete, result.unsure) == (None, True, True)
    short = search(part, lambda first, last: False, most=0)
    assert (short.found, short.complete) == (None, False)
