"""Repetition of a recorded row by a verifier, and what may differ between two machines.

On an equal environment a row is repeated bit for bit. Elsewhere logits may differ in their last bits, by less than half
of the fragile gap: every clear vote then stays what it is, or becomes fragile. So a class can gain no more votes than
were fragile in the recorded run, and lose no more than are fragile in the repeated one; anything beyond is a failure.
Nor may many more be fragile here than were there: those are votes of a small gap, nearly the same on both. A model
whose every gap is small would otherwise explain whatever votes were recorded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from robustcert.data.dataset import Dataset
from robustcert.models.canonical_execution import canonical_execution
from robustcert.smoothing.adaptive_pilot import GROWTH
from robustcert.smoothing.certify import Row, Subject, certify, facts_of, vote_counter
from robustcert.smoothing.decisions import candidate_stream, looks_of, pilot_step, sparse
from robustcert.smoothing.noise import Stream
from robustcert.smoothing.rounds import Rounds
from robustcert.smoothing.sample_runs import SampleRun
from robustcert.smoothing.tallies import Piece, rest
from robustcert.specification import Certification

FACTS = ("sample", "input", "label", "n0", "n")
VOTES = (("selection", "selectionFragile"), ("counts", "fragile"))
FRAGILE_FACTOR, FRAGILE_FEW = 2, 5  # more fragile votes than these of the recorded ones, and these, are not explained


def replay_sample(
    model: Subject,
    dataset: Dataset,
    sample_id: int,
    *,
    certification: Certification,
    key0: int,
    recorded: Mapping[str, Any] | None = None,
) -> Row:
    """The row of one sample, made anew by the code that certified it; DataError for an unknown sample.

    With the row that was `recorded`, whose decision was recomputed before, as many votes are drawn as it has, and its
    decision is taken over: where a fragile vote falls otherwise, a method might stop at another look.
    """
    samples = dataset.rows([sample_id])
    if recorded is None:
        return certify(model, samples, certification=certification, key0=key0)[0]
    run = RecordedRun(
        facts=facts_of(samples, 0),
        certification=certification,
        n_classes=dataset.n_classes,
        recorded=recorded,
    )
    rounds = Rounds([0], begin=lambda _: run)
    counter = vote_counter(model.module, samples, certification=certification, key0=key0)
    with canonical_execution(), torch.inference_mode():
        while run.wanted() is not None:
            list(rounds.next_round(counter.count))
    return run.row()


@dataclass(kw_only=True)
class RecordedRun(SampleRun):
    """As many draws as a recorded row has, its candidate's failures counted at its looks.

    A pilot is looked at where it might have ended sooner: longer ones plan other numbers of votes, of which an issuer
    could take the best.
    """

    recorded: Mapping[str, Any]
    pilot_ended: int | None = field(init=False, default=None)

    def upcoming(self) -> Iterator[Piece]:
        """What is left of the selection or pilot, then from look to look, then up to the last draw."""
        stream = candidate_stream(self.certification) or Stream.SELECTION
        selected = self.selection.draws
        for size in (*self._pilots, int(self.recorded["n0"])):
            yield from rest(stream, selected, size)
            selected = max(selected, size)
        drawn = self.estimation.draws
        for look in (*self._looks[len(self.path) :], int(self.recorded["n"])):
            yield from rest(Stream.ESTIMATION, drawn, look)
            drawn = max(drawn, look)

    def row(self) -> Row:
        """The recorded row with the votes that were counted now; `n0` is where the pilot ends by them."""
        return {
            **self.recorded,
            "n0": self.recorded["n0"] if self.pilot_ended is None else self.pilot_ended,
            "sample": self.facts.sample,
            "input": self.facts.input_sha256,
            "label": self.facts.label,
            "selection": sparse(self.selection.counts),
            "selectionFragile": self.selection.fragile,
            "counts": sparse(self.estimation.counts),
            "fragile": self.estimation.fragile,
            **({"path": list(self.path)} if "path" in self.recorded else {}),
        }

    @property
    def _looks(self) -> tuple[int, ...]:
        wanted = len(self.recorded.get("path", ()))
        return looks_of(self.certification)[:wanted] if wanted else ()

    @property
    def _pilots(self) -> tuple[int, ...]:
        """Sizes at which the pilot was looked at before it ended."""
        if candidate_stream(self.certification) is not Stream.PILOT:
            return ()
        sizes = [pilot_step(None, 0, self.certification).more]
        while sizes[-1] < int(self.recorded["n0"]):
            sizes.append(-(-GROWTH[0] * sizes[-1] // GROWTH[1]))
        return tuple(sizes[:-1])

    def _told(self) -> None:
        if self.pilot_ended is None and not self.estimation.draws and self.selection.draws in self._pilots:
            self._look_at_pilot()
        if self.estimation.draws in self._looks[len(self.path) : len(self.path) + 1]:
            self.path.append(self.estimation.draws - self.estimation.counts[int(self.recorded["candidate"])])

    def _look_at_pilot(self) -> None:
        """Whether it ends here, whichever fragile votes fell otherwise when it was recorded."""
        drawn = self.selection.draws
        failures = drawn - self.selection.counts[self.candidate]
        fewest, most = failures - self.selection.fragile, failures + int(self.recorded["selectionFragile"])
        steps = (pilot_step(some, drawn, self.certification) for some in range(fewest, min(most, drawn) + 1))
        if not any(step.more for step in steps):
            self.pilot_ended = drawn

    def _require_course(self) -> None:
        """Never resumed."""


def rows_agree(recorded: Mapping[str, Any], replayed: Mapping[str, Any], *, bit_exact: bool) -> str | None:
    """The first disagreement in words, or None; `bit_exact` only where both environments are equal.

    Otherwise votes may move as far as fragile votes explain. Candidate, decision and radius follow from the counts,
    which is checked by recomputing them, not here.
    """
    for name in tuple(sorted(recorded.keys() | replayed.keys())) if bit_exact else FACTS:
        if recorded.get(name) != replayed.get(name):
            return _sentence(recorded, f"{name} {recorded.get(name)!r}, repeated {replayed.get(name)!r}")
    return next(
        (reason for votes, fragile in VOTES if (reason := _unexplained(recorded, replayed, votes, fragile))),
        _unexplained_path(recorded, replayed),
    )


def _unexplained(recorded: Mapping[str, Any], replayed: Mapping[str, Any], votes: str, fragile: str) -> str | None:
    before, after = dict(map(tuple, recorded[votes])), dict(map(tuple, replayed[votes]))
    if len(before) != len(recorded[votes]) or min(before.values(), default=0) < 0:
        return _sentence(recorded, f"{votes} {recorded[votes]!r}, expected each class once")
    gained = sum(max(0, after[label] - before.get(label, 0)) for label in after)
    lost = sum(max(0, before[label] - after.get(label, 0)) for label in before)
    if gained > recorded[fragile]:
        return _sentence(recorded, f"{votes} gained {gained}, more than the {recorded[fragile]} fragile votes recorded")
    if lost > replayed[fragile]:
        return _sentence(recorded, f"{votes} lost {lost}, more than the {replayed[fragile]} fragile votes repeated")
    if replayed[fragile] > FRAGILE_FACTOR * recorded[fragile] + FRAGILE_FEW:
        return _sentence(
            recorded, f"{fragile} {recorded[fragile]}, repeated {replayed[fragile]}: no rounding does that"
        )
    return None


def _unexplained_path(recorded: Mapping[str, Any], replayed: Mapping[str, Any]) -> str | None:
    """Failures at a look grow by what became fragile, and shrink by what was, as the votes do."""
    before, after = recorded.get("path", []), replayed.get("path", [])
    grown = [again - once for once, again in zip(before, after, strict=False)]
    explained = all(-recorded["fragile"] <= more <= replayed["fragile"] for more in grown)
    if len(before) != len(after) or not explained:
        return _sentence(recorded, f"path {before!r}, repeated {after!r}")
    return None


def _sentence(recorded: Mapping[str, Any], difference: str) -> str:
    return f"sample {recorded['sample']}: recorded {difference}"
