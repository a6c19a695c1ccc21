"""Train a reference architecture: PGD adversarial training (Madry et al. 2018) with noise for randomized smoothing.

Initial weights are keyed by the seed, and everything random after them as `robustcert.training.epochs` says. One thread
a process and deterministic algorithms, so that two runs on one machine with equally many processes give the same bits,
whatever the order of the samples in the file.

Several processes minimise the same loss on the same batches in the same order; only float32 sums are taken in another
order. The first epoch's loss is equal to that of one process to 1e-5, relative (measured for 1, 2 and 3 processes and
each architecture: 1e-7, `benchmarks/process_tolerance.py`). Later ones may depart, as rounding is amplified by signs of
gradients, kinks and BatchNorm: so the number of processes is part of what a result was computed with.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from robustcert import __version__
from robustcert.attacks.ball import Ball
from robustcert.data.dataset import Dataset, load_dataset, save_dataset
from robustcert.errors import SpecificationError, expected
from robustcert.models.architectures import parameters_of
from robustcert.models.canonical_execution import canonical_execution
from robustcert.models.card import ModelCard, Preprocessing, preprocessing_of
from robustcert.models.execution_device import Device, execution_device
from robustcert.models.files import load_model, save_model
from robustcert.models.model import Classifier, build_classifier, frozen
from robustcert.provenance.digests import canonical_json, sha256_bytes
from robustcert.specification import Specification, Training
from robustcert.threat_model import ThreatModel
from robustcert.training.batch_statistics import with_global_statistics
from robustcert.training.checkpoints import BestCheckpoint, Validation
from robustcert.training.epochs import Course, Epoch, Progress, run_epochs
from robustcert.training.ranks import in_ranks
from robustcert.training.world import World
from robustcert.work_folder import work_folder

DATASET = "dataset.safetensors"
MODEL = "model.safetensors"
EPOCHS = "epochs.json"


@dataclass(frozen=True, kw_only=True)
class TrainingResult:
    """The chosen weights (eval mode, frozen), their card, one record per epoch, and the epoch that was chosen (from 1).

    Accuracies in `history` are over validation samples: as they are, and under PGD with 10 steps.
    """

    classifier: Classifier
    card: ModelCard
    history: list[Epoch]
    chosen_epoch: int


@dataclass(frozen=True, kw_only=True)
class _Task:
    """What each of several processes is given: files of `folder` hold the data set, and later the result."""

    specification: Specification
    seed: int
    folder: Path


def train(
    specification: Specification,
    dataset: Dataset,
    *,
    seed: int,
    progress: Progress | None = None,
    processes: int = 1,
    device: Device = "auto",
) -> TrainingResult:
    """Train `specification.model` on the train split, and choose the epoch on the validation split.

    `processes` share every batch, with one GPU each or on the CPU. Raises SpecificationError when there is nothing to
    train, or the loss is no longer finite; ModelError where there are too few GPUs; StepError when a process dies.
    """
    if processes > 1:
        return _in_processes(specification, dataset, seed=seed, progress=progress, processes=processes, device=device)
    return train_together(World(device=execution_device(device)), specification, dataset, seed=seed, progress=progress)


def train_together(
    world: World, specification: Specification, dataset: Dataset, *, seed: int, progress: Progress | None = None
) -> TrainingResult:
    """The part of one process of `world` in a training that all of them start with equal arguments; all get the result.

    Raises what `train` raises; StepError also when the processes end with different weights.
    """
    settings, threat = _settings(specification), training_threat(specification)
    train_split = _in_order(dataset.select("train"))
    card = _card(specification, train_split)
    course = _course(specification, train_split, threat=threat, seed=seed, world=world)
    with canonical_execution():
        chosen = build_classifier(card, seed=seed)
        module = with_global_statistics(build_classifier(card, seed=seed), world).to(world.device)
        validation = Validation(dataset.select("validation"), threat, seed=seed, world=world)
        best = BestCheckpoint(settings.method)
        history = run_epochs(module, course, validation, best, progress=progress or _silent)
    best.restore(chosen)
    _require_equal_weights(chosen, world)
    return TrainingResult(classifier=frozen(chosen), card=card, history=history, chosen_epoch=best.epoch)


def training_threat(specification: Specification) -> ThreatModel:
    """The threat that training defends against: the one that it names, or the first."""
    name = _settings(specification).threat_model
    return specification.threat_models[0] if name is None else specification.threat(name)


def _in_processes(
    specification: Specification,
    dataset: Dataset,
    *,
    seed: int,
    progress: Progress | None,
    processes: int,
    device: Device,
) -> TrainingResult:
    with work_folder() as folder:
        task = _Task(specification=specification, seed=seed, folder=folder)
        save_dataset(dataset, folder / DATASET)
        in_ranks(_work, task, size=processes, device=device, progress=progress or _silent)
        loaded = load_model(folder / MODEL)
        epochs = json.loads((folder / EPOCHS).read_text())
    return TrainingResult(
        classifier=loaded.module, card=loaded.card, history=epochs["history"], chosen_epoch=epochs["chosen"]
    )


def _work(world: World, task: _Task, progress: Progress) -> None:
    """What each of several processes does; the first leaves the result in the task's folder."""
    dataset = load_dataset(task.folder / DATASET)
    result = train_together(world, task.specification, dataset, seed=task.seed, progress=progress)
    if world.rank == 0:
        save_model(result.classifier, result.card, task.folder / MODEL)
        epochs = {"history": result.history, "chosen": result.chosen_epoch}
        (task.folder / EPOCHS).write_text(json.dumps(epochs))


def _require_equal_weights(classifier: Classifier, world: World) -> None:
    if world.size > 1:
        digests = {name: sha256_bytes(value.numpy().tobytes()) for name, value in classifier.state_dict().items()}
        remedy = "run again; if it repeats, look for a device or an installation that is not like the others"
        world.require_equal(sha256_bytes(canonical_json(digests)), what="weights", remedy=remedy)


def _settings(specification: Specification) -> Training:
    if specification.training is None:
        raise SpecificationError(expected("'training'", got="none", remedy="add it, or import your own weights"))
    return specification.training


def _in_order(dataset: Dataset) -> Dataset:
    return dataset.rows(np.sort(dataset.sample_ids))


def _card(specification: Specification, dataset: Dataset) -> ModelCard:
    if specification.model.architecture is None:
        remedy = "name mlp, small-cnn or resnet, or leave 'training' out"
        raise SpecificationError(expected("a 'model.architecture' to train", got="your own model", remedy=remedy))
    return ModelCard(
        architecture=specification.model.architecture,
        parameters=parameters_of(specification.model),
        input_shape=dataset.card.shape,
        classes=dataset.card.classes,
        preprocessing=_preprocessing(dataset),
        trained_by=f"robustcert {__version__}, method {_settings(specification).method}",
    )


def _preprocessing(dataset: Dataset) -> Preprocessing:
    """Mean and standard deviation over the training split: per channel of images, per coordinate of tables."""
    axes = (0,) if dataset.card.kind == "tabular" else (0, 2, 3)
    x = dataset.x()
    mean, std = x.mean(axis=axes), x.std(axis=axes)
    return preprocessing_of(mean.tolist(), np.where(std > 0, std, 1.0).tolist())


def _course(specification: Specification, dataset: Dataset, *, threat: ThreatModel, seed: int, world: World) -> Course:
    settings = _settings(specification)
    noise = settings.noise_sigma * dataset.perturbation_scale(specification.certification.unit)
    return Course(
        settings=settings,
        region=Ball.from_threat(threat, dataset).around(torch.from_numpy(dataset.x())),
        y_N=torch.from_numpy(dataset.y),
        sample_ids_N=torch.from_numpy(dataset.sample_ids),
        noise_X=torch.from_numpy(noise).float() if settings.noise_sigma > 0 else None,
        seed=seed,
        world=world,
    )


def _silent(done: int, total: int, text: str) -> None:
    pass
