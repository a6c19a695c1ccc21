import tracemalloc

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from robustcert.data.near_duplicates import has_near_duplicate


def found(queries: np.ndarray, references: np.ndarray, *, distance: float) -> np.ndarray:
    rows = np.vstack([queries, references])
    index = np.arange(len(rows))
    return has_near_duplicate(index[: len(queries)], index[len(queries) :], rows=lambda i: rows[i], distance=distance)


def by_scipy(queries: np.ndarray, references: np.ndarray, *, distance: float) -> np.ndarray:
    """All pairs, by scipy's direct differences."""
    return (cdist(queries, references) / np.sqrt(queries.shape[1]) <= distance).any(axis=1)


@pytest.mark.parametrize("dimension", [1, 2, 7, 100])
@pytest.mark.parametrize("distance", [0.0, 0.003, 0.03, 0.3, 3.0])
def test_the_search_finds_what_all_pairs_find(dimension: int, distance: float) -> None:
    rng = np.random.default_rng(dimension)
    references = rng.uniform(size=(3000, dimension)) * rng.uniform(0, 1, dimension)
    near = references[:900] + rng.normal(size=(900, dimension)) * rng.choice([0, 0.001, 0.01, 0.1], size=(900, 1))
    queries = np.vstack([near, rng.uniform(size=(400, dimension))])
    expected = by_scipy(queries, references, distance=distance)
    assert found(queries, references, distance=distance).tolist() == expected.tolist()
    assert expected.any()


def test_distances_just_inside_and_just_outside_the_limit_are_told_apart() -> None:
    rng = np.random.default_rng(0)
    references = 1e3 + rng.uniform(size=(500, 60))
    directions = rng.normal(size=(500, 60))
    directions /= np.sqrt((directions**2).mean(axis=1, keepdims=True))
    for factor, inside in ((1 - 1e-9, True), (1 + 1e-9, False)):
        queries = references + 0.01 * factor * directions
        assert found(queries, references, distance=0.01).tolist() == [inside] * 500


def test_exact_copies_are_found_at_distance_0_and_nothing_else() -> None:
    references = np.random.default_rng(0).uniform(size=(300, 784))
    queries = np.vstack([references[:40], references[40:80] + 1e-12])
    assert found(queries, references, distance=0.0).tolist() == [True] * 40 + [False] * 40


def test_rows_that_are_all_the_same_are_all_found() -> None:
    assert found(np.full((2000, 3), 0.5), np.full((5000, 3), 0.5), distance=0.01).all()
    assert not found(np.full((2000, 3), 0.5), np.full((5000, 3), 0.6), distance=0.01).any()


@pytest.mark.parametrize(("queries", "references"), [(0, 5), (5, 0), (0, 0)])
def test_nothing_is_near_to_nothing(queries: int, references: int) -> None:
    assert found(np.zeros((queries, 3)), np.zeros((references, 3)), distance=1.0).tolist() == [False] * queries


def test_memory_does_not_grow_with_the_number_of_pairs() -> None:
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 256, size=(24_000, 64), dtype=np.uint8)
    index = np.arange(24_000)
    tracemalloc.start()
    near = has_near_duplicate(index[:8000], index[8000:], rows=lambda i: rows[i] / 255.0, distance=0.01)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert not near.any()
    assert peak < 200e6 < 8000 * 16_000 * 8
