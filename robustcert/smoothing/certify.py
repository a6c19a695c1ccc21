"""Certification of samples by randomized smoothing: Cohen, Rosenfeld and Kolter (2019), Algorithm 1, with fixed n.

n0 noisy votes select a candidate class; n others, of another stream, bound its probability; the radius follows from
their counts (`robustcert.smoothing.confidence`). The certificate is of the smoothed classifier, majority vote and
abstentions included, not of the model that votes. A row depends on the model, its sample, the key and the
configuration, and on nothing else: not on other samples, their order, shards, or processes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from torch import nn

from robustcert.data.dataset import Dataset, load_dataset
from robustcert.data.digests import sample_sha256
from robustcert.data.splits import SPLITS
from robustcert.errors import DataError, ValidityError, expected
from robustcert.models.files import load_model
from robustcert.models.model import LoadedModel
from robustcert.smoothing.certified_accuracy import ABSTAIN, CERTIFIED
from robustcert.smoothing.confidence import certified_radius
from robustcert.smoothing.noise import Stream
from robustcert.smoothing.probe import probe
from robustcert.smoothing.votes import GridNoise, Votes, count_votes
from robustcert.smoothing.workers import each_in_workers
from robustcert.specification import Certification

Row = dict[str, Any]
Progress = Callable[[int, int], None]

DRAWS_PER_TASK = 1 << 16
CLAIM_SPLIT = "test"


class Subject(Protocol):
    """What is certified: a LoadedModel, or anything else that holds the module."""

    @property
    def module(self) -> nn.Module: ...


@dataclass(frozen=True, kw_only=True)
class Task:
    """Some samples of a data set, as a worker is told of them."""

    model_path: Path
    dataset_path: Path
    factory: str | None
    certification: Certification
    key0: int
    sample_ids: tuple[int, ...]


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


def certify_files(
    model_path: Path,
    dataset_path: Path,
    *,
    sample_ids: Sequence[int],
    certification: Certification,
    key0: int,
    workers: int,
    factory: str | None = None,
    progress: Progress | None = None,
) -> list[Row]:
    """The rows of `certify` for these samples of a data set file, by `workers` processes that load both files.

    One worker is this process. More are spawned: a script that calls this needs the guard `if __name__ == "__main__"`.
    Raises what `certify`, `load_model` and `load_dataset` raise, and StepError when a worker dies.
    """
    tasks = _tasks(model_path, dataset_path, sample_ids, certification=certification, key0=key0, factory=factory)
    rows: list[Row] = []
    for finished in _finished(tasks, workers=workers):
        rows.extend(finished)
        if progress is not None:
            progress(len(rows), len(sample_ids))
    return sorted(rows, key=lambda row: int(row["sample"]))


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


def _tasks(
    model_path: Path,
    dataset_path: Path,
    sample_ids: Sequence[int],
    *,
    certification: Certification,
    key0: int,
    factory: str | None,
) -> list[Task]:
    size = max(1, DRAWS_PER_TASK // (certification.n0 + certification.n))
    return [
        Task(
            model_path=model_path,
            dataset_path=dataset_path,
            factory=factory,
            certification=certification,
            key0=key0,
            sample_ids=tuple(int(sample) for sample in sample_ids[first : first + size]),
        )
        for first in range(0, len(sample_ids), size)
    ]


def _finished(tasks: Sequence[Task], *, workers: int) -> Iterator[list[Row]]:
    if workers > 1 and len(tasks) > 1:
        yield from each_in_workers(_certify_in_worker, tasks, workers=workers)
    elif tasks:
        model, dataset = load_model(tasks[0].model_path, factory=tasks[0].factory), load_dataset(tasks[0].dataset_path)
        yield from (_certify_task(task, model, dataset) for task in tasks)


def _certify_task(task: Task, model: Subject, dataset: Dataset) -> list[Row]:
    return certify(model, dataset.rows(task.sample_ids), certification=task.certification, key0=task.key0)


def _certify_in_worker(task: Task) -> list[Row]:
    return _certify_task(task, *_load_once(task.model_path, task.dataset_path, task.factory))


@lru_cache(maxsize=1)
def _load_once(model_path: Path, dataset_path: Path, factory: str | None) -> tuple[LoadedModel, Dataset]:
    """Only for workers, which live as long as one call: a file may change between two."""
    return load_model(model_path, factory=factory), load_dataset(dataset_path)


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
