"""Courses of samples, fed by hand. Oracles: the boundaries of the plans themselves, and the numbers that were fed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from robustcert.errors import ValidityError
from robustcert.smoothing.adaptive_pilot import pilot_draws
from robustcert.smoothing.decisions import looks_of, plans_of
from robustcert.smoothing.noise import Stream
from robustcert.smoothing.sample_runs import SampleFacts, SampleRun, new_run, resumed
from robustcert.smoothing.tallies import Piece
from robustcert.specification import Certification

MakeCertification = Callable[..., Certification]
METHODS: list[dict[str, Any]] = [
    {},
    {"candidate": "label"},
    {"candidate": "most-voted"},
    {"method": "group-sequential"},
    {"method": "group-sequential", "candidate": "label"},
    {"method": "adaptive-pilot"},
    {"method": "adaptive-pilot", "candidate": "label", "bounds": 2},
]
NAMES = ["-".join(map(str, method.values())) or "fixed-n" for method in METHODS]


def begun(certification: Certification, label: int = 1) -> SampleRun:
    facts = SampleFacts(sample=7, input_sha256="0" * 64, label=label)
    return new_run(facts, certification=certification, n_classes=3)


class Votes:
    """Votes of class 1 with probability p, fixed draw by draw: pieces of any cut add up to the same."""

    def __init__(self, p: float, *, seed: int = 0) -> None:
        generator = np.random.default_rng(seed)
        self._vote = {stream: np.where(generator.random(50_000) < p, 1, 2) for stream in Stream}

    def of(self, piece: Piece) -> list[int]:
        return np.bincount(self._vote[piece.stream][piece.first : piece.first + piece.draws], minlength=3).tolist()


def feed(run: SampleRun, votes: Votes, *, sizes: Iterator[int] | None = None) -> list[Piece]:
    """Tells all that is wanted, cut into `sizes`; the pieces."""
    told = []
    while (piece := run.wanted()) is not None:
        told.append(piece.cut(next(sizes)) if sizes else piece)
        run.tell(told[-1], votes.of(told[-1]), 0)
    return told


def random_sizes(seed: int) -> Iterator[int]:
    generator = np.random.default_rng(seed)
    while True:
        yield int(generator.integers(1, 300))


@pytest.mark.parametrize("method", METHODS, ids=NAMES)
@pytest.mark.parametrize("p", [0.4, 0.8, 0.995])
def test_a_row_depends_on_the_votes_only_however_they_are_cut_and_wherever_it_was_resumed(
    make_certification: MakeCertification, method: dict[str, Any], p: float
) -> None:
    certification = make_certification(n=3000, radii=(0.25, 0.5), **method)
    whole, votes = begun(certification), Votes(p)
    feed(whole, votes)
    for seed in range(3):
        run, sizes = begun(certification), random_sizes(seed)
        while (piece := run.wanted()) is not None:
            piece = piece.cut(next(sizes))
            run.tell(piece, votes.of(piece), 0)
            again = resumed(begun(certification), json.loads(json.dumps(run.state())))
            assert (again.wanted(), again.state()) == (run.wanted(), run.state())
            run = again
        assert run.row() == whole.row()


def test_fixed_n_takes_its_votes_and_no_more(make_certification: MakeCertification) -> None:
    run = begun(make_certification(n0=64, n=1000))
    assert feed(run, Votes(0.9)) == [
        Piece(stream=Stream.SELECTION, first=0, draws=64),
        Piece(stream=Stream.ESTIMATION, first=0, draws=1000),
    ]
    assert (run.row()["n0"], run.row()["n"], run.drawn) == (64, 1000, 1064)


@pytest.mark.parametrize("p", [0.05, 0.55, 0.72, 0.8, 0.9, 1.0])
def test_group_sequential_stops_at_the_first_look_that_decides_every_target(
    make_certification: MakeCertification, p: float
) -> None:
    """Oracle: c_k and d_k of each plan, walked look by look; a target is open until it, or a smaller one, is shut."""
    certification = make_certification(n=3000, radii=(0.25, 0.5), method="group-sequential", candidate="label")
    run, votes, plans = begun(certification), Votes(p), plans_of(certification)
    feed(run, votes)
    certified, given_up, path = 0, False, []
    for k, look in enumerate(looks_of(certification)):
        path.append(look - votes.of(Piece(stream=Stream.ESTIMATION, first=0, draws=look))[1])
        certified_now = [any(path[i] <= plan.certify_at[i] for i in range(k + 1)) for plan in plans]
        certified = next((i for i, done in enumerate(certified_now) if not done), len(plans))
        given_up = certified < len(plans) and any(path[i] >= plans[certified].give_up_at[i] for i in range(k + 1))
        if given_up or certified == len(plans):
            break
    row = run.row()
    assert (row["path"], row["n"]) == (path, looks_of(certification)[len(path) - 1])
    assert row["radius"] == ("0", "0.25", "0.5")[certified]
    assert (row["decision"] == "certified") == (certified > 0)


def test_the_draws_ahead_are_those_of_the_looks_that_follow(make_certification: MakeCertification) -> None:
    certification = make_certification(n=3000, method="group-sequential")
    run = begun(certification)
    ahead = list(run.upcoming())
    assert ahead[0] == run.wanted() == Piece(stream=Stream.SELECTION, first=0, draws=100)
    ends = [piece.first + piece.draws for piece in ahead[1:]]
    assert tuple(ends) == looks_of(certification)
    assert all(piece.stream is Stream.ESTIMATION for piece in ahead[1:])


def test_an_adaptive_pilot_looks_at_its_votes_only_where_it_planned_to(make_certification: MakeCertification) -> None:
    certification = make_certification(n=20_000, method="adaptive-pilot")
    run, votes = begun(certification), Votes(0.97)
    told = feed(run, votes, sizes=iter([7] * 10_000))
    pilot = [piece for piece in told if piece.stream is Stream.PILOT]
    drawn, step = 0, pilot_draws(None, 0, alpha=0.001, n_max=20_000)
    while step.more:
        drawn += step.more
        failures = drawn - votes.of(Piece(stream=Stream.PILOT, first=0, draws=drawn))[1]
        step = pilot_draws(failures, drawn, alpha=0.001, n_max=20_000)
    assert sum(piece.draws for piece in pilot) == drawn
    assert {piece.stream for piece in told} == {Stream.PILOT, Stream.ESTIMATION}
    assert (run.row()["n0"], run.row()["n"]) == (drawn, step.n)


def test_a_pilot_without_a_majority_abstains_without_a_main_sample(make_certification: MakeCertification) -> None:
    run = begun(make_certification(n=20_000, method="adaptive-pilot", candidate="label"), label=0)
    assert all(piece.stream is Stream.PILOT for piece in feed(run, Votes(0.9)))
    assert (run.row()["n"], run.row()["counts"], run.row()["decision"]) == (0, [], "abstain")


@pytest.mark.parametrize(
    "piece",
    [
        Piece(stream=Stream.ESTIMATION, first=0, draws=50),
        Piece(stream=Stream.PILOT, first=0, draws=50),
        Piece(stream=Stream.SELECTION, first=1, draws=50),
        Piece(stream=Stream.SELECTION, first=0, draws=101),
    ],
    ids=["estimated before selected", "of a pilot", "not from where it ended", "beyond what is wanted"],
)
def test_votes_that_were_not_asked_for_are_refused(make_certification: MakeCertification, piece: Piece) -> None:
    run = begun(make_certification())
    with pytest.raises(ValidityError, match="draw each once, in the order wanted"):
        run.tell(piece, [piece.draws, 0, 0], 0)


def test_a_finished_run_takes_no_vote_and_an_unfinished_one_gives_no_row(make_certification: MakeCertification) -> None:
    run = begun(make_certification(n=100))
    with pytest.raises(ValidityError, match="draw as the registered method plans"):
        run.row()
    feed(run, Votes(0.9))
    with pytest.raises(ValidityError, match="expected votes of None"):
        run.tell(Piece(stream=Stream.ESTIMATION, first=100, draws=1), [1, 0, 0], 0)


@pytest.mark.parametrize("method", METHODS, ids=NAMES)
@pytest.mark.parametrize(
    "change",
    [
        lambda state: state.pop("selection"),
        lambda state: state["estimation"][0].append([9, 1]),
        lambda state: state["estimation"].__setitem__(0, [[1, 10_000_000]]),
        lambda state: state.__setitem__("estimation", "x"),
        lambda state: state["estimation"].__setitem__(1, -3),
    ],
    ids=["no selection", "a class that is none", "too many votes", "no votes", "votes below nought"],
)
def test_a_state_that_no_run_was_in_is_begun_anew(
    make_certification: MakeCertification, method: dict[str, Any], change: Callable[[Any], object]
) -> None:
    certification = make_certification(n=2000, **method)
    run = begun(certification)
    feed(run, Votes(0.9))
    state = json.loads(json.dumps(run.state()))
    change(state)
    assert resumed(begun(certification), state).state() == begun(certification).state()
    assert resumed(begun(certification), run.state()).wanted() is None


def test_a_path_that_is_not_that_of_the_votes_is_begun_anew(make_certification: MakeCertification) -> None:
    certification = make_certification(n=2000, method="group-sequential")
    run = begun(certification)
    feed(run, Votes(0.75))
    for path in (
        [],
        run.state()["path"][:-1],
        [*run.state()["path"], 900],
        [900] * len(run.path),
        [-5] * len(run.path),
    ):
        state = run.state() | {"path": path}
        assert resumed(begun(certification), state).drawn == 0


def test_a_state_of_another_method_is_begun_anew(make_certification: MakeCertification) -> None:
    certification = make_certification(n=2000, method="adaptive-pilot")
    run = begun(certification)
    feed(run, Votes(0.9))
    for pilot in (None, "100", 1.5, True):
        assert resumed(begun(certification), run.state() | {"pilot": pilot}).drawn == 0
    without = {name: value for name, value in run.state().items() if name != "pilot"}
    assert resumed(begun(certification), without).drawn == 0
