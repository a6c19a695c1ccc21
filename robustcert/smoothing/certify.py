"""Certification of samples by randomized smoothing: Cohen, Rosenfeld and Kolter (2019), Algorithm 1, with fixed n.

n0 noisy votes select a candidate class; n others, of another stream, bound its probability; the radius follows from
their counts (`robustcert.smoothing.confidence`). The certificate is of the smoothed classifier, majority vote and
abstentions included, not of the model that votes. A row depends on the model, its sample, the key and the
configuration, and on nothing else: not on other samples, their order, shards, or processes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from torch import nn

from robustcert.data.dataset import Dataset
from robustcert.data.digests import sample_sha256
from robustcert.data.splits import SPLITS
from robustcert.errors import DataError, ValidityError, expected
from robustcert.smoothing.certified_accuracy import ABSTAIN, CERTIFIED
from robustcert.smoothing.confidence import certified_radius
from robustcert.smoothing.noise import Stream
from robustcert.smoothing.probe import probe
from robustcert.smoothing.votes import GridNoise, Votes, count_votes
from robustcert.specification import Certification

Row = dict[str, Any]
Progress = Callable[[int, int], None]

CLAIM_SPLIT = "test"


class Subject(Protocol):
    """What is certified: a LoadedModel, or anything else that holds the module."""

    @property
    def module(self) -> nn.Module: ...


def certify(
    model: Subject,
    dataset: Dataset,
    *,
    certification: Certification,
    key0: int,
    progress: Progress | None = None,
) -> list[Row]:
    """Evidence rows of all samples of `dataset`, by ascending sample id; `progress` is told (done, total).

    Raises DataError for samples outside the test split or where no coordinate may change, ModelError for a model that
    can't be certified (`robustcert.smoothing.probe`).
    """
    _refuse_other_splits(dataset)
    noise = grid_noise(dataset, certification, key0=key0)
    rows: list[Row] = []
    for index in np.argsort(dataset.sample_ids):
        if not rows:
            _probe(model.module, dataset, index, noise=noise, certification=certification)
        rows.append(_certify_sample(model.module, dataset, index, noise=noise, certification=certification))
        if progress is not None:
            progress(len(rows), len(dataset))
    return rows


def grid_noise(dataset: Dataset, certification: Certification, *, key0: int) -> GridNoise:
    """The noise of a certification on the data set's grid; DataError where it would leave every coordinate alone."""
    steps = certification.sigma * dataset.perturbation_scale(certification.unit) / dataset.unit
    if not steps.any():
        remedy = "mark at least one feature as perturbable"
        raise DataError(expected("a coordinate that may change", got="none", remedy=remedy))
    return GridNoise(key0=key0, sigma_steps=steps, unit=dataset.unit)


def evidence_row(
    selection: Votes, estimation: Votes, *, label: int, input_sha256: str, certification: Certification
) -> Row:
    """The row that the two counts amount to; ValidityError unless they are independent and complete."""
    _refuse_dependent(selection, estimation, certification)
    candidate = selection.winner()
    radius = certified_radius(
        estimation.counts[candidate], estimation.draws, alpha=certification.alpha, sigma=certification.sigma
    )
    return {
        "sample": estimation.sample_id,
        "input": input_sha256,
        "label": label,
        "candidate": candidate,
        "n0": selection.draws,
        "selection": _sparse(selection.counts),
        "selectionFragile": selection.fragile,
        "n": estimation.draws,
        "counts": _sparse(estimation.counts),
        "fragile": estimation.fragile,
        "decision": ABSTAIN if radius is None else CERTIFIED,
        "radius": "0" if radius is None else radius,
    }


def _certify_sample(
    module: nn.Module, dataset: Dataset, index: int, *, noise: GridNoise, certification: Certification
) -> Row:
    x_int, sample_id = dataset.x_int[index], int(dataset.sample_ids[index])

    def votes(stream: Stream, draws: int) -> Votes:
        return count_votes(
            module,
            x_int,
            noise=noise,
            sample_id=sample_id,
            stream=stream,
            draws=draws,
            n_classes=dataset.n_classes,
        )

    return evidence_row(
        votes(Stream.SELECTION, certification.n0),
        votes(Stream.ESTIMATION, certification.n),
        label=int(dataset.y[index]),
        input_sha256=sample_sha256(x_int),
        certification=certification,
    )


def _probe(module: nn.Module, dataset: Dataset, index: int, *, noise: GridNoise, certification: Certification) -> None:
    probe(
        module,
        dataset.x_int[index],
        noise=noise,
        sample_id=int(dataset.sample_ids[index]),
        sigma=certification.sigma,
        scale=dataset.perturbation_scale(certification.unit),
        n_classes=dataset.n_classes,
    )


def _refuse_other_splits(dataset: Dataset) -> None:
    """Sigma, checkpoint and seed are chosen on the other splits, so that a certificate of theirs proves less."""
    outside = np.flatnonzero(dataset.split != SPLITS.index(CLAIM_SPLIT))
    if len(outside):
        got = f"sample {dataset.sample_ids[outside[0]]} of split {SPLITS[dataset.split[outside[0]]]}"
        raise DataError(expected("samples of the test split", got=got, remedy="select('test') first"))


def _refuse_dependent(selection: Votes, estimation: Votes, certification: Certification) -> None:
    drawn = ((votes.stream, votes.draws, votes.sample_id) for votes in (selection, estimation))
    sample_id = estimation.sample_id
    wanted = (
        (Stream.SELECTION, certification.n0, sample_id),
        (Stream.ESTIMATION, certification.n, sample_id),
    )
    if tuple(drawn) != wanted:
        what = f"{certification.n0} selection votes and {certification.n} estimation votes of streams of their own"
        got = f"{selection.draws} of {selection.stream.name} and {estimation.draws} of {estimation.stream.name}"
        raise ValidityError(expected(what, got=got, remedy="draw each stream once, in full, for one sample"))


def _sparse(counts: Sequence[int]) -> list[list[int]]:
    return [[label, count] for label, count in enumerate(counts) if count]
