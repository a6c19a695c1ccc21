"""From counts to candidate, decision and radius, for every method: the one place, for engine, checkpoints and verifier.

What a method may do with counts is fixed before the first draw: how many votes of which stream select the candidate,
at which draws a sequential method looks, what it asks there, and how many votes a pilot may plan. A row that breaks its
own plan (stopped early or late, another number of draws) is refused here with the reason. No torch here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from robustcert.errors import ValidityError, expected
from robustcert.smoothing.adaptive_pilot import FIRST_PILOT, GROWTH, PilotStep, pilot_draws
from robustcert.smoothing.certified_accuracy import ABSTAIN, CERTIFIED
from robustcert.smoothing.confidence import certified_radius, most_voted_alpha
from robustcert.smoothing.group_sequential import GroupSequentialPlan, decide, looks, plan
from robustcert.smoothing.noise import Stream
from robustcert.smoothing.noise_kinds import KINDS, NoiseKind
from robustcert.smoothing.two_bounds import two_bound_radius
from robustcert.specification import Certification
from robustcert.specification_certification import WHEN_ABSENT
from robustcert.specification_file import decimal

Row = dict[str, Any]

FIXED_N = "fixed-n"
GROUP_SEQUENTIAL = "group-sequential"
ADAPTIVE_PILOT = "adaptive-pilot"
LOOK_MULTIPLE = 32
REMEDY = "draw as the registered method plans"


class Counted(Protocol):
    """Votes of one stream: per class (dense), fragile ones, and all of them."""

    @property
    def counts(self) -> Sequence[int]: ...
    @property
    def fragile(self) -> int: ...
    @property
    def draws(self) -> int: ...


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Votes read back from a row, or none at all."""

    counts: tuple[int, ...]
    fragile: int = 0
    draws: int = 0


def method_of(certification: Certification) -> str:
    """The method; fixed-n where a specification names none."""
    return certification.method or FIXED_N


def noise_of(certification: Certification) -> NoiseKind:
    """The kind of noise; Gaussian where a specification names none."""
    return KINDS[certification.noise or str(WHEN_ABSENT["noise"])]


def beta_of(certification: Certification) -> float:
    """Probability of giving up a radius that could be certified, at most; of a plan of `plans_of`."""
    return WHEN_ABSENT["beta"] if certification.beta is None else certification.beta


def tolerance_of(certification: Certification) -> float:
    """Share of the radius that n votes would give that a pilot may give up."""
    return WHEN_ABSENT["tolerance"] if certification.tolerance is None else certification.tolerance


def targets(certification: Certification) -> tuple[float, ...]:
    """Radii that a group-sequential certification asks about, ascending: the registered ones.

    Nested nulls: each is tested at level alpha, and nothing is paid for asking about several (Robustcert's rows certify
    the largest one below which all were shown). Radius 0 asks whether there is a majority; where it is not registered,
    a sample abstains that is not certified at the smallest radius. Asking it always would take half as many votes more.
    """
    return certification.radii


def looks_of(certification: Certification) -> tuple[int, ...]:
    """Draws after which a group-sequential certification looks at its counts; the last is `n`."""
    return looks(certification.n, multiple=LOOK_MULTIPLE)


def plans_of(certification: Certification) -> tuple[GroupSequentialPlan, ...]:
    """One plan for each of `targets`, each of level alpha."""
    kind, at = noise_of(certification), looks_of(certification)
    return tuple(
        plan(
            kind.failure_at(target, sigma=certification.sigma),
            alpha=certification.alpha,
            beta=beta_of(certification),
            looks=at,
        )
        for target in targets(certification)
    )


def candidate_stream(certification: Certification) -> Stream | None:
    """The stream whose votes are drawn before those that bound: selection, a pilot, or none."""
    if method_of(certification) == ADAPTIVE_PILOT:
        return Stream.PILOT
    return Stream.SELECTION if certification.candidate in (None, "selected") else None


def candidate_of(certification: Certification, *, label: int, selection: Counted, estimation: Counted) -> int:
    """The class that is certified; of classes with equally many votes, the first."""
    if certification.candidate == "label":
        return label
    votes = estimation if certification.candidate == "most-voted" else selection
    return most_voted(votes.counts)


def pilot_step(failures: int | None, drawn: int, certification: Certification) -> PilotStep:
    """What follows `drawn` votes of a pilot, `failures` of them not for its candidate: more, or the main sample."""
    return pilot_draws(
        failures,
        drawn,
        alpha=certification.alpha,
        n_max=certification.n,
        tolerance=tolerance_of(certification),
        kind=noise_of(certification),
    )


def most_voted(counts: Sequence[int]) -> int:
    """Class of most votes; of several, the first.

    >>> most_voted([3, 7, 7])
    1
    """
    return max(range(len(counts)), key=lambda label: (counts[label], -label))


def finished_row(
    *,
    sample: int,
    input_sha256: str,
    label: int,
    selection: Counted,
    estimation: Counted,
    path: Sequence[int] = (),
    certification: Certification,
    n_classes: int,
) -> Row:
    """The row that counts amount to; ValidityError where they are not what the registered method draws.

    `selection`: votes of `candidate_stream`, or `Counts` of none; `estimation`: votes of stream ESTIMATION; `path`: the
    candidate's failures at the looks made so far, cumulative, for group-sequential only.
    """
    for what, votes in (("selection", selection), ("estimation", estimation)):
        _require_complete(votes, what=what, n_classes=n_classes)
    candidate = candidate_of(certification, label=label, selection=selection, estimation=estimation)
    radius = _radius(candidate, selection, estimation, path, certification)
    row = {
        "sample": sample,
        "input": input_sha256,
        "label": label,
        "candidate": candidate,
        "n0": selection.draws,
        "selection": sparse(selection.counts),
        "selectionFragile": selection.fragile,
        "n": estimation.draws,
        "counts": sparse(estimation.counts),
        "fragile": estimation.fragile,
        "decision": ABSTAIN if radius is None else CERTIFIED,
        "radius": "0" if radius is None else radius,
    }
    return row if method_of(certification) == FIXED_N else {**row, "path": list(path)}


def sparse(counts: Sequence[int]) -> list[list[int]]:
    """[class, votes] of the classes that have votes, ascending.

    >>> sparse([0, 5, 1])
    [[1, 5], [2, 1]]
    """
    return [[label, count] for label, count in enumerate(counts) if count]


def dense(pairs: Sequence[Sequence[int]], *, fragile: int, draws: int, n_classes: int) -> Counts:
    """The votes of a row, as `sparse` wrote them.

    >>> dense([[1, 5]], fragile=2, draws=7, n_classes=3).counts
    (0, 5, 0)
    """
    votes = {pair[0]: pair[1] for pair in pairs}
    return Counts(counts=tuple(votes.get(label, 0) for label in range(n_classes)), fragile=fragile, draws=draws)


def _radius(
    candidate: int, selection: Counted, estimation: Counted, path: Sequence[int], certification: Certification
) -> str | None:
    method = method_of(certification)
    if method == ADAPTIVE_PILOT:
        _require(not path, "no path of looks", got=f"{len(path)} of them")
        wanted = _planned(selection, candidate, certification)
        _require(estimation.draws == wanted, f"{wanted} votes, as the pilot planned", got=estimation.draws)
        return _bounded(candidate, estimation, certification) if wanted else None
    n0 = certification.n0 if candidate_stream(certification) is Stream.SELECTION else 0
    _require(selection.draws == n0, f"{n0} votes that select the candidate", got=selection.draws)
    if method == GROUP_SEQUENTIAL:
        return _largest_target(candidate, estimation, path, certification)
    _require(not path, "no path of looks", got=f"{len(path)} of them")
    _require(estimation.draws == certification.n, f"{certification.n} votes", got=estimation.draws)
    return _bounded(candidate, estimation, certification)


def _largest_target(
    candidate: int, estimation: Counted, path: Sequence[int], certification: Certification
) -> str | None:
    """The largest target certified at the look that decided; ValidityError where the path is not that of these votes"""
    _require_path(candidate, estimation, path, looks_of(certification))
    reached = decide(plans_of(certification), path)
    _require(reached.decided, "votes until every radius is decided", got=f"{estimation.draws}, undecided")
    before = reached.looks == len(path)
    _require(before, "no votes after every radius is decided", got=f"{len(path)} looks, decided at {reached.looks}")
    return decimal(targets(certification)[reached.certified - 1]) if reached.certified else None


def _require_path(candidate: int, estimation: Counted, path: Sequence[int], at: Sequence[int]) -> None:
    known = 0 < len(path) <= len(at) and estimation.draws == at[len(path) - 1]
    _require(known, "one path entry for each look up to the last vote", got=f"{len(path)} at {estimation.draws} votes")
    steps = zip((0, *path), path, (0, *at), at, strict=False)
    fits = all(0 <= after - before <= later - sooner for before, after, sooner, later in steps)
    _require(fits, "failures that grow by no more than the votes drawn", got=f"{list(path)}"[:120])
    failures = estimation.draws - estimation.counts[candidate]
    _require(path[-1] == failures, f"a path that ends with the {failures} failures counted", got=path[-1])


def _planned(pilot: Counted, candidate: int, certification: Certification) -> int:
    """How many votes the pilot plans, 0 to abstain; ValidityError for a pilot of a size where no pilot ends."""
    size = pilot_step(None, 0, certification).more
    while size < pilot.draws:
        size = -(-GROWTH[0] * size // GROWTH[1])
    _require(size == pilot.draws, f"a pilot that grows by half from {FIRST_PILOT} votes", got=pilot.draws)
    step = pilot_step(pilot.draws - pilot.counts[candidate], pilot.draws, certification)
    _require(not step.more, f"a pilot of {pilot.draws + step.more} votes", got=pilot.draws)
    return step.n


def _bounded(candidate: int, votes: Counted, certification: Certification) -> str | None:
    alpha, sigma, counts = certification.alpha, certification.sigma, votes.counts
    if certification.bounds == 2:
        return two_bound_radius(counts, votes.fragile, candidate, alpha=alpha, sigma=sigma)
    share = most_voted_alpha(alpha) if certification.candidate == "most-voted" else alpha
    return certified_radius(counts[candidate], votes.draws, alpha=share, sigma=sigma, kind=noise_of(certification))


def _require_complete(votes: Counted, *, what: str, n_classes: int) -> None:
    counted = sum(votes.counts) + votes.fragile
    _require(len(votes.counts) == n_classes, f"{what} votes of {n_classes} classes", got=len(votes.counts))
    _require(counted == votes.draws, f"{votes.draws} {what} votes", got=counted)


def _require(condition: bool, what: str, *, got: object) -> None:
    if not condition:
        raise ValidityError(expected(what, got=got, remedy=REMEDY))
