"""The course of one sample through a certification: which draws it wants next, until its row is due.

Whoever draws asks for `wanted()` (a stream, first draw, how many) or, to fill a batch, for what is `upcoming()` if
nothing is decided before; draws, counts, and tells the counts in that order. What is asked for depends on the counts
told and on nothing else, so that batches, their order, shards and restarts change no row. A run ends where its method
says so, and takes no vote from then on: votes drawn ahead are dropped, never counted. No torch here.

K classes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import pairwise
from typing import Any

from robustcert.errors import InputError, ValidityError, expected
from robustcert.smoothing.decisions import (
    ADAPTIVE_PILOT,
    GROUP_SEQUENTIAL,
    Row,
    candidate_stream,
    finished_row,
    looks_of,
    method_of,
    most_voted,
    pilot_step,
    plans_of,
    sparse,
)
from robustcert.smoothing.group_sequential import GroupSequentialPlan, decide
from robustcert.smoothing.noise import Stream
from robustcert.smoothing.tallies import Piece, Tally, rest, tally_of
from robustcert.specification import Certification

State = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class SampleFacts:
    """What a row says of its sample: id, digest of its grid point, and label."""

    sample: int
    input_sha256: str
    label: int


@dataclass(kw_only=True)
class SampleRun(ABC):
    """One sample on its way to its row."""

    facts: SampleFacts
    certification: Certification
    n_classes: int
    selection: Tally = field(init=False)
    estimation: Tally = field(init=False)
    path: list[int] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.selection = Tally(counts=[0] * self.n_classes)
        self.estimation = Tally(counts=[0] * self.n_classes)
        self._n0 = self.certification.n0 if candidate_stream(self.certification) is Stream.SELECTION else 0

    @abstractmethod
    def upcoming(self) -> Iterator[Piece]:
        """The draws wanted, in order, as far as they are known now; none when the row is due."""

    def wanted(self) -> Piece | None:
        """The next draws, all of which are needed before anything is decided; None when the row is due."""
        return next(self.upcoming(), None)

    def tell(self, piece: Piece, counts: Sequence[int], fragile: int) -> None:
        """Adds the votes of the first draws wanted; ValidityError for others, so that no vote counts twice.

        Selection votes never bound a probability: streams are tallied apart, and each is drawn from its draw 0 on.
        """
        wanted = self.wanted()
        if wanted is None or piece != wanted.cut(piece.draws):
            got = f"{piece.draws} draws of {piece.stream.name} from {piece.first} on"
            raise ValidityError(expected(f"votes of {wanted}", got=got, remedy="draw each once, in the order wanted"))
        tally = self.estimation if piece.stream is Stream.ESTIMATION else self.selection
        tally.add(counts, fragile, draws=piece.draws)
        self._told()

    def row(self) -> Row:
        """The row that the votes amount to; ValidityError before it is due."""
        return finished_row(
            sample=self.facts.sample,
            input_sha256=self.facts.input_sha256,
            label=self.facts.label,
            selection=self.selection,
            estimation=self.estimation,
            path=self.path,
            certification=self.certification,
            n_classes=self.n_classes,
        )

    def state(self) -> State:
        """All votes told so far, as JSON."""
        return {
            "selection": [sparse(self.selection.counts), self.selection.fragile],
            "estimation": [sparse(self.estimation.counts), self.estimation.fragile],
            "path": list(self.path),
        }

    def resume(self, state: Mapping[str, Any]) -> None:
        """Goes on from what `state` gave; ValidityError for votes that this run can't have been told."""
        try:
            self.selection = tally_of(state["selection"], n_classes=self.n_classes)
            self.estimation = tally_of(state["estimation"], n_classes=self.n_classes)
            self.path = [int(failures) for failures in state["path"]]
            self._require_course()
        except (InputError, LookupError, TypeError, ValueError) as error:
            got = f"a state that is none ({error})"
            raise ValidityError(expected("the votes of a run", got=got, remedy="draw the sample anew")) from error

    @property
    def drawn(self) -> int:
        """Draws told so far, of all streams."""
        return self.selection.draws + self.estimation.draws

    @property
    def candidate(self) -> int:
        """The class that is certified: the label, or the one that the selection votes for."""
        by_label = self.certification.candidate == "label"
        return self.facts.label if by_label else most_voted(self.selection.counts)

    @abstractmethod
    def _told(self) -> None:
        """What the method does after votes were added."""

    @abstractmethod
    def _require_course(self) -> None:
        """ValidityError where the votes are not those of some moment of this method."""

    def _selecting(self) -> Iterator[Piece]:
        return rest(Stream.SELECTION, self.selection.draws, self._n0)


class FixedNRun(SampleRun):
    """n0 votes select, n others bound."""

    def upcoming(self) -> Iterator[Piece]:
        """All that is left."""
        yield from self._selecting()
        yield from rest(Stream.ESTIMATION, self.estimation.draws, self.certification.n)

    def _told(self) -> None:
        """All was decided before the first draw."""

    def _require_course(self) -> None:
        early = self.estimation.draws and self.selection.draws < self._n0
        if early or self.selection.draws > self._n0 or self.estimation.draws > self.certification.n:
            got = f"{self.selection.draws} and {self.estimation.draws}"
            what = f"up to {self._n0} selection votes, then up to {self.certification.n}"
            raise ValidityError(expected(what, got=got, remedy="draw the sample anew"))


class GroupSequentialRun(SampleRun):
    """Failures are counted at looks that were fixed before; the first look that decides every target is the last."""

    _decided = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self._looks, self._plans = _plans(self.certification)

    def upcoming(self) -> Iterator[Piece]:
        """Up to the next look, then from look to look."""
        if self._decided:
            return
        yield from self._selecting()
        drawn = self.estimation.draws
        for look in self._looks[len(self.path) :]:
            yield from rest(Stream.ESTIMATION, drawn, look)
            drawn = look

    def _told(self) -> None:
        at, drawn = self._looks, self.estimation.draws
        if len(self.path) < len(at) and drawn == at[len(self.path)]:
            self.path.append(drawn - self.estimation.counts[self.candidate])
            self._decided = decide(self._plans, self.path).decided

    def _require_course(self) -> None:
        at, drawn = self._looks, self.estimation.draws
        looked = sum(look <= drawn for look in at)
        failures = drawn - self.estimation.counts[self.candidate]
        rising = all(before <= after for before, after in pairwise([*self.path, failures]))
        if len(self.path) != looked or not rising:
            got = f"{len(self.path)} looks with {failures} failures at last"
            raise ValidityError(expected(f"{looked} looks at {drawn} votes", got=got, remedy="draw the sample anew"))
        self._decided = bool(self.path) and decide(self._plans, self.path).decided


class AdaptivePilotRun(SampleRun):
    """A pilot plans how many votes bound; none of its own votes is among them."""

    _pilot = 0  # draws after which the pilot's votes are looked at next; between, they are not
    _main: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._told()

    def upcoming(self) -> Iterator[Piece]:
        """The pilot's next step, or what is left of the votes that it planned."""
        yield from rest(Stream.PILOT, self.selection.draws, self._pilot)
        if self._main is not None:
            yield from rest(Stream.ESTIMATION, self.estimation.draws, self._main)

    def state(self) -> State:
        """All votes told so far, and the size of the pilot, as JSON."""
        return {**super().state(), "pilot": self._pilot}

    def resume(self, state: Mapping[str, Any]) -> None:
        """As for every run."""
        pilot = state.get("pilot")
        if type(pilot) is not int:
            raise ValidityError(expected("the size of a pilot", got=repr(pilot)[:40], remedy="draw the sample anew"))
        self._pilot = pilot
        super().resume(state)

    def _told(self) -> None:
        drawn = self.selection.draws
        if self._main is not None or drawn < self._pilot:
            return
        failures = drawn - self.selection.counts[self.candidate]
        step = pilot_step(failures, drawn, self.certification)
        self._pilot = drawn + step.more
        self._main = None if step.more else step.n

    def _require_course(self) -> None:
        self._told()
        if self.selection.draws > self._pilot or self.estimation.draws > (self._main or 0):
            got = f"{self.selection.draws} of a pilot and {self.estimation.draws} more"
            raise ValidityError(expected("votes as the pilot planned", got=got, remedy="draw the sample anew"))


METHODS: dict[str, type[SampleRun]] = {GROUP_SEQUENTIAL: GroupSequentialRun, ADAPTIVE_PILOT: AdaptivePilotRun}


def new_run(facts: SampleFacts, *, certification: Certification, n_classes: int) -> SampleRun:
    """A run of the registered method that has drawn nothing yet."""
    method = METHODS.get(method_of(certification), FixedNRun)
    return method(facts=facts, certification=certification, n_classes=n_classes)


def resumed(run: SampleRun, state: Mapping[str, Any] | None) -> SampleRun:
    """A new `run` brought to `state`, or left where it was: without one, or with votes that it can't have been told."""
    if state is None:
        return run
    fresh = replace(run)
    try:
        run.resume(state)
    except ValidityError:
        return fresh
    return run


@lru_cache(maxsize=8)
def _plans(certification: Certification) -> tuple[tuple[int, ...], tuple[GroupSequentialPlan, ...]]:
    return looks_of(certification), plans_of(certification)
