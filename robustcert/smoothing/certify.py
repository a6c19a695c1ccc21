"""Certification of samples by randomized smoothing (Cohen, Rosenfeld and Kolter 2019), by the registered method.

Which draws a sample takes and what its counts amount to is the method's (`sample_runs`, `decisions`); here they are
drawn, in rounds of full batches. The certificate is of the smoothed classifier, majority vote and abstentions included,
not of the model that votes. A row depends on the model, its sample, the key and the configuration, and on nothing else:
not on other samples, their order, batches, shards, processes or restarts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np
import torch
from torch import nn

from robustcert.data.dataset import Dataset
from robustcert.data.digests import sample_sha256
from robustcert.data.splits import SPLITS
from robustcert.errors import DataError, expected
from robustcert.models.allocator import keep_large_allocations
from robustcert.models.canonical_execution import canonical_execution
from robustcert.smoothing.decisions import Row, noise_of
from robustcert.smoothing.probe import PROBED, probe_votes
from robustcert.smoothing.rounds import Draws, Rounds
from robustcert.smoothing.sample_runs import SampleFacts, SampleRun, State, new_run, resumed
from robustcert.smoothing.votes import GridNoise, VoteCounter
from robustcert.specification import Certification

__all__ = ["Checkpoint", "Progress", "Row", "Subject", "certify", "facts_of", "grid_noise", "vote_counter"]

Progress = Callable[[int, int], None]

CLAIM_SPLIT = "test"


class Subject(Protocol):
    """What is certified: a LoadedModel, or anything else that holds the module."""

    @property
    def module(self) -> nn.Module: ...


class Checkpoint(Protocol):
    """Where the votes so far are kept: {sample id as text: state of its run}, as JSON without floats."""

    def load(self) -> Mapping[str, State] | None:
        """What was saved last, by this process or an earlier one; None for nothing."""

    def save(self, states: Mapping[str, State]) -> None:
        """Called after every round but the last."""


class Unkept:
    """The checkpoint of a caller that wants none."""

    def load(self) -> None:
        """Nothing."""

    def save(self, states: Mapping[str, State]) -> None:
        """Forgets them."""


def certify(
    model: Subject,
    dataset: Dataset,
    *,
    certification: Certification,
    key0: int,
    progress: Progress | None = None,
    checkpoint: Checkpoint | None = None,
) -> list[Row]:
    """Evidence rows of all samples of `dataset`, by ascending sample id; `progress` is told (done, total).

    With a `checkpoint` of the same model, samples and configuration, what was drawn before is not drawn again,
    unless it is no state of a sample's run.
    Raises DataError for samples outside the test split or where no coordinate may change, ModelError for a model that
    can't be certified (`robustcert.smoothing.probe`).
    """
    refuse_other_splits(dataset)
    course = _Course(dataset, certification, checkpoint=checkpoint or Unkept(), progress=progress)
    counter = probed_counter(model.module, dataset, certification=certification, key0=key0)
    if len(dataset):
        with canonical_execution(), torch.inference_mode():
            course.run(counter)
    return [course.rows[place] for place in course.places]


def vote_counter(module: nn.Module, dataset: Dataset, *, certification: Certification, key0: int) -> VoteCounter:
    """Counts votes of `module` on the samples of `dataset` as the certification has it."""
    keep_large_allocations()
    return VoteCounter(
        module,
        dataset.x_int,
        noise=grid_noise(dataset, certification, key0=key0),
        n_classes=dataset.n_classes,
        precision=certification.precision or "float32",
    )


def probed_counter(module: nn.Module, dataset: Dataset, *, certification: Certification, key0: int) -> VoteCounter:
    """A `vote_counter` of a module that passed the probe, on the first sample by id."""
    counter = vote_counter(module, dataset, certification=certification, key0=key0)
    if len(dataset):
        place = int(np.argmin(dataset.sample_ids))
        probe_votes(
            counter,
            Draws(place=place, sample_id=int(dataset.sample_ids[place]), piece=PROBED),
            sigma=certification.sigma,
            scale=dataset.perturbation_scale(certification.unit),
        )
    return counter


def facts_of(dataset: Dataset, place: int) -> SampleFacts:
    """What a row says of the sample at `place`."""
    return SampleFacts(
        sample=int(dataset.sample_ids[place]),
        input_sha256=sample_sha256(dataset.x_int[place]),
        label=int(dataset.y[place]),
    )


def grid_noise(dataset: Dataset, certification: Certification, *, key0: int) -> GridNoise:
    """The noise of a certification on the data set's grid; DataError where it would leave every coordinate alone."""
    steps = certification.sigma * dataset.perturbation_scale(certification.unit) / dataset.unit
    if not steps.any():
        remedy = "mark at least one feature as perturbable"
        raise DataError(expected("a coordinate that may change", got="none", remedy=remedy))
    return GridNoise(key0=key0, sigma_steps=steps, unit=dataset.unit, kind=noise_of(certification).name)


def refuse_other_splits(dataset: Dataset) -> None:
    """Sigma, checkpoint and seed are chosen on the other splits, so that a certificate of theirs proves less."""
    outside = np.flatnonzero(dataset.split != SPLITS.index(CLAIM_SPLIT))
    if len(outside):
        got = f"sample {dataset.sample_ids[outside[0]]} of split {SPLITS[dataset.split[outside[0]]]}"
        raise DataError(expected("samples of the test split", got=got, remedy="select('test') first"))


class _Course:
    """One call of `certify`: rows so far, and the votes that a checkpoint keeps."""

    def __init__(
        self, dataset: Dataset, certification: Certification, *, checkpoint: Checkpoint, progress: Progress | None
    ) -> None:
        self._dataset, self._certification, self._checkpoint = dataset, certification, checkpoint
        self._progress = progress or (lambda done, total: None)
        self.places = np.argsort(dataset.sample_ids).tolist()
        self.rows: dict[int, Row] = {}
        self._states: dict[str, State] = {}

    def run(self, counter: VoteCounter) -> None:
        before = self._checkpoint.load() or {}
        rounds = Rounds(self.places, begin=lambda place: self._begun(place, before))
        while len(self.rows) < len(self.places):
            for place, run in rounds.next_round(counter.count):
                self.rows[place] = run.row()
                self._states[str(run.facts.sample)] = run.state()
                self._progress(len(self.rows), len(self.places))
            if rounds.active:
                under_way = {str(run.facts.sample): run.state() for run in rounds.active.values()}
                self._checkpoint.save({**before, **self._states, **under_way})

    def _begun(self, place: int, before: Mapping[str, State]) -> SampleRun:
        run = new_run(
            facts_of(self._dataset, place),
            certification=self._certification,
            n_classes=self._dataset.n_classes,
        )
        return resumed(run, before.get(str(run.facts.sample)))
