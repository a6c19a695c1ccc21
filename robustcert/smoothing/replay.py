"""Repetition of a recorded row by a verifier, and what may differ between two machines.

On an equal environment a row is repeated bit for bit. Elsewhere logits may differ in their last bits, by less than half
of the fragile gap: every clear vote then stays what it is, or becomes fragile. So a class can gain no more votes than
were fragile in the recorded run, and lose no more than are fragile in the repeated one; anything beyond is a failure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from robustcert.data.dataset import Dataset
from robustcert.models.canonical_execution import canonical_execution
from robustcert.smoothing.certify import Row, Subject, certify, facts_of, vote_counter
from robustcert.smoothing.decisions import candidate_stream, looks_of, sparse
from robustcert.smoothing.noise import Stream
from robustcert.smoothing.rounds import Rounds
from robustcert.smoothing.sample_runs import SampleRun
from robustcert.smoothing.tallies import Piece, rest
from robustcert.specification import Certification

FACTS = ("sample", "input", "label", "n0", "n")
VOTES = (("selection", "selectionFragile"), ("counts", "fragile"))


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
    """As many draws as a recorded row has, its candidate's failures counted at its looks."""

    recorded: Mapping[str, Any]

    def upcoming(self) -> Iterator[Piece]:
        """What is left of the selection or pilot, then from look to look, then up to the last draw."""
        stream = candidate_stream(self.certification) or Stream.SELECTION
        yield from rest(stream, self.selection.draws, int(self.recorded["n0"]))
        drawn = self.estimation.draws
        for look in (*self._looks[len(self.path) :], int(self.recorded["n"])):
            yield from rest(Stream.ESTIMATION, drawn, look)
            drawn = max(drawn, look)

    def row(self) -> Row:
        """The recorded row with the votes that were counted now."""
        return {
            **self.recorded,
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

    def _told(self) -> None:
        if self.estimation.draws in self._looks[len(self.path) : len(self.path) + 1]:
            self.path.append(self.estimation.draws - self.estimation.counts[int(self.recorded["candidate"])])

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
    return None


def _unexplained_path(recorded: Mapping[str, Any], replayed: Mapping[str, Any]) -> str | None:
    """Failures at a look move by what was or became fragile, as the votes do."""
    before, after = recorded.get("path", []), replayed.get("path", [])
    moved = max((abs(a - b) for a, b in zip(before, after, strict=False)), default=0)
    if len(before) != len(after) or moved > recorded["fragile"] + replayed["fragile"]:
        return _sentence(recorded, f"path {before!r}, repeated {after!r}")
    return None


def _sentence(recorded: Mapping[str, Any], difference: str) -> str:
    return f"sample {recorded['sample']}: recorded {difference}"
