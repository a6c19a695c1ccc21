"""Certification without a plan: draws go on until the caller says stop, and whenever that is, the radii hold.

For a deadline, a budget, a person who watches. The bound (`robustcert.smoothing.anytime`) holds at all moments at once,
so that the moment may be chosen by looking at the votes of all samples. That costs some of the radius; and no
certificate is made of such rows, since nobody could verify why they end where they do.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from robustcert.data.dataset import Dataset
from robustcert.errors import InputError, expected
from robustcert.models.canonical_execution import canonical_execution
from robustcert.smoothing.anytime import failure_upper_bound
from robustcert.smoothing.certified_accuracy import ABSTAIN, CERTIFIED
from robustcert.smoothing.certify import Row, Subject, facts_of, probed_counter, refuse_other_splits
from robustcert.smoothing.confidence import ABSTAIN_FROM, largest_radius, radius, rounded_radius
from robustcert.smoothing.decisions import noise_of, sparse
from robustcert.smoothing.rounds import ROWS, Count, Draws
from robustcert.smoothing.sample_runs import FixedNRun
from robustcert.specification import Certification

DRAWS_EACH = 32  # of a sample in one batch, so that all samples advance together


def certify_anytime(
    model: Subject, dataset: Dataset, *, certification: Certification, key0: int, until: Callable[[], bool]
) -> list[Row]:
    """Rows as of method fixed-n, by ascending sample id, with `n` as far as each came when `until` first said so.

    It is asked before every batch; all end at the latest with the n draws of `certification`, whose method, bounds and
    looks play no part. Raises as `certify`, and InputError for candidate most-voted, which no such bound is for.
    """
    refuse_other_splits(dataset)
    if certification.candidate == "most-voted":
        remedy = "take candidate selected or label"
        raise InputError(expected("a candidate chosen by other votes", got="most-voted", remedy=remedy))
    counter = probed_counter(model.module, dataset, certification=certification, key0=key0)
    runs = {place: _run(dataset, place, certification) for place in dataset.sample_ids.argsort().tolist()}
    with canonical_execution(), torch.inference_mode():
        _draw(runs, counter.count, until)
    return [_row(run, certification) for run in runs.values()]


def _run(dataset: Dataset, place: int, certification: Certification) -> FixedNRun:
    wanted = certification.model_copy(update={"method": None})
    return FixedNRun(facts=facts_of(dataset, place), certification=wanted, n_classes=dataset.n_classes)


def _draw(runs: dict[int, FixedNRun], count: Count, until: Callable[[], bool]) -> None:
    """Batch after batch, a few draws of each sample in turn."""
    while under_way := [place for place, run in runs.items() if run.wanted() is not None]:
        for first in range(0, len(under_way), ROWS // DRAWS_EACH):
            if until():
                return
            drawn = []
            for place in under_way[first : first + ROWS // DRAWS_EACH]:
                if (piece := runs[place].wanted()) is not None:
                    some = piece.cut(DRAWS_EACH)
                    drawn.append(Draws(place=place, sample_id=runs[place].facts.sample, piece=some))
            for draws, (*counts, fragile) in zip(drawn, count(drawn).tolist(), strict=True):
                runs[draws.place].tell(draws.piece, counts, fragile)


def _row(run: FixedNRun, certification: Certification) -> Row:
    votes = run.estimation
    bound = _radius(votes.draws - votes.counts[run.candidate], votes.draws, certification) if votes.draws else None
    return {
        "sample": run.facts.sample,
        "input": run.facts.input_sha256,
        "label": run.facts.label,
        "candidate": run.candidate,
        "n0": run.selection.draws,
        "selection": sparse(run.selection.counts),
        "selectionFragile": run.selection.fragile,
        "n": votes.draws,
        "counts": sparse(votes.counts),
        "fragile": votes.fragile,
        "decision": ABSTAIN if bound is None else CERTIFIED,
        "radius": "0" if bound is None else bound,
    }


def _radius(failures: int, n: int, certification: Certification) -> str | None:
    failure = float(failure_upper_bound(failures, n, alpha=certification.alpha))
    if failure >= ABSTAIN_FROM:
        return None
    kind, sigma = noise_of(certification), certification.sigma
    largest = largest_radius(n, alpha=certification.alpha, sigma=sigma, kind=kind)
    return rounded_radius(radius(failure, sigma=sigma, kind=kind), n=n, largest=largest)
