"""Rounds over runs whose votes are fixed draw by draw. Oracle: the same runs, fed one at a time in whole pieces."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from robustcert.smoothing.forecast import most_draws
from robustcert.smoothing.rounds import ROWS, Draws, Rounds
from robustcert.smoothing.sample_runs import SampleFacts, SampleRun, new_run
from robustcert.specification import Certification

MakeCertification = Callable[..., Certification]
CLASSES = 3
METHODS: list[dict[str, Any]] = [{}, {"method": "group-sequential"}, {"method": "adaptive-pilot"}]


def vote(sample: int, stream: int, draw: int) -> int:
    """A class that depends on the draw alone; samples have probabilities of their own."""
    mixed = (sample * 1_000_003 + stream * 7919 + draw * 2_654_435_761) % (1 << 32)
    mixed = (mixed ^ (mixed >> 15)) * 2_246_822_519 % (1 << 32)
    return 1 if (mixed ^ (mixed >> 13)) / (1 << 32) < (0.45, 0.75, 0.95, 1.0)[sample % 4] else 2


class Counter:
    """Counts votes and remembers every batch."""

    def __init__(self) -> None:
        self.batches: list[list[Draws]] = []

    def __call__(self, drawn: Sequence[Draws]) -> Any:
        self.batches.append(list(drawn))
        votes_PK = np.zeros((len(drawn), CLASSES + 1), dtype=np.int64)
        for row, draws in zip(votes_PK, drawn, strict=True):
            for draw in range(draws.piece.first, draws.piece.first + draws.piece.draws):
                row[vote(draws.sample_id, draws.piece.stream, draw)] += 1
        return votes_PK

    @property
    def sizes(self) -> list[int]:
        return [sum(draws.piece.draws for draws in batch) for batch in self.batches]


def begun(place: int, certification: Certification) -> SampleRun:
    facts = SampleFacts(sample=place, input_sha256="0" * 64, label=1)
    return new_run(facts, certification=certification, n_classes=CLASSES)


def rows(certification: Certification, places: Sequence[int], counter: Counter, *, batches: int = 64) -> dict[int, Any]:
    rounds, found = Rounds(places, begin=lambda place: begun(place, certification)), {}
    while len(found) < len(places):
        found |= {place: run.row() for place, run in rounds.next_round(counter, batches=batches)}
    assert not rounds.active
    return found


def alone(certification: Certification, place: int) -> Any:
    run, counter = begun(place, certification), Counter()
    while (piece := run.wanted()) is not None:
        (votes,) = counter([Draws(place=place, sample_id=place, piece=piece)])
        run.tell(piece, votes[:-1].tolist(), int(votes[-1]))
    return run.row()


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.get("method", "fixed-n"))
def test_rows_are_those_of_each_sample_alone_in_any_order_and_company(
    make_certification: MakeCertification, method: dict[str, Any]
) -> None:
    certification = make_certification(n=1000, **method)
    wanted = {place: alone(certification, place) for place in range(24)}
    generator = np.random.default_rng(1)
    for batches in (1, 5, 64):
        places = generator.permutation(24).tolist()
        assert rows(certification, places, Counter(), batches=batches) == wanted
        half = rows(certification, places[:12], Counter()) | rows(certification, places[12:], Counter())
        assert half == wanted


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.get("method", "fixed-n"))
def test_batches_are_full_but_for_the_last_draws_of_all(
    make_certification: MakeCertification, method: dict[str, Any]
) -> None:
    counter, certification = Counter(), make_certification(n=1000, **method)
    found = rows(certification, range(40), counter)
    counted = sum(row["n0"] + row["n"] for row in found.values())
    assert max(counter.sizes) == ROWS
    assert counted <= sum(counter.sizes) <= counted + 4 * ROWS
    assert sum(size < ROWS for size in counter.sizes) <= (10 if method.get("method") == "adaptive-pilot" else 1)


def test_no_draw_is_made_twice_and_those_ahead_of_a_decision_are_not_counted(
    make_certification: MakeCertification,
) -> None:
    counter, certification = Counter(), make_certification(n=1000, method="group-sequential")
    found = rows(certification, range(8), counter)
    drawn = [
        (draws.sample_id, draws.piece.stream, draw)
        for batch in counter.batches
        for draws in batch
        for draw in range(draws.piece.first, draws.piece.first + draws.piece.draws)
    ]
    assert len(drawn) == len(set(drawn))
    assert len(drawn) > sum(row["n0"] + row["n"] for row in found.values())


def test_a_sample_is_begun_only_when_those_under_way_do_not_fill_a_batch(make_certification: MakeCertification) -> None:
    """With 32 draws to the next look, ten samples and more fill two batches."""
    certification = make_certification(n=1000, n0=32, method="group-sequential")
    rounds = Rounds(range(10_000), begin=lambda place: begun(place, certification))
    counter, finished, most = Counter(), 0, 0
    for _ in range(50):
        finished += len(list(rounds.next_round(counter, batches=8)))
        most = max(most, len(rounds.active))
    assert finished > 100
    assert most <= 2 * ROWS / 32


def test_runs_that_are_resumed_at_their_end_are_finished_without_a_draw(make_certification: MakeCertification) -> None:
    certification, counter = make_certification(n=1000), Counter()
    done: dict[int, SampleRun] = {}
    rounds = Rounds(range(3), begin=lambda place: begun(place, certification))
    while len(done) < 3:
        done |= dict(rounds.next_round(counter))
    again = Rounds(range(3), begin=done.__getitem__)
    drawn = len(counter.batches)
    assert dict(again.next_round(counter)) == done
    assert len(counter.batches) == drawn


def test_most_draws_bounds_what_a_sample_takes(make_certification: MakeCertification) -> None:
    for method in METHODS:
        certification = make_certification(n=1000, **method)
        found = rows(certification, range(8), Counter())
        assert max(row["n0"] + row["n"] for row in found.values()) <= most_draws(certification)
