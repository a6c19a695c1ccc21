"""Train a reference architecture: PGD adversarial training (Madry et al. 2018) with noise for randomized smoothing.

Shapes: N training samples, B batch, X the shape of one input. Everything random is keyed: initial weights by the seed,
order and noise by (seed, epoch), starts of the attack by (seed, sample id, epoch). One thread and deterministic
algorithms, so that two runs on one machine give the same bits, whatever the order of the samples in the file.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from robustcert import __version__
from robustcert.attacks.ball import Ball, Region
from robustcert.data.dataset import Dataset
from robustcert.errors import SpecificationError, expected
from robustcert.models.architectures import parameters_of
from robustcert.models.canonical_execution import canonical_execution
from robustcert.models.card import ModelCard, Preprocessing, preprocessing_of
from robustcert.models.model import Classifier, build_classifier, frozen
from robustcert.specification import Specification, Training
from robustcert.threat_model import ThreatModel
from robustcert.training.checkpoints import BestCheckpoint, Score, Validation
from robustcert.training.losses import PerturbedBatch, mean_loss

WARM_UP = 0.3
DOMAIN = b"robustcert-training-v1\0"

Progress = Callable[[int, int, str], None]
Epoch = dict[str, float]


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
class Course:
    """All that stays the same over the epochs. `noise_X` is the noise deviation in input units, None without noise."""

    settings: Training
    region: Region
    y_N: Tensor
    sample_ids_N: Tensor
    noise_X: Tensor | None
    seed: int

    @property
    def batches(self) -> int:
        """Optimizer steps in one epoch."""
        return math.ceil(len(self.y_N) / self.settings.batch_size)


def train(
    specification: Specification, dataset: Dataset, *, seed: int, progress: Progress | None = None
) -> TrainingResult:
    """Train `specification.model` on the train split, and choose the epoch on the validation split.

    Raises SpecificationError when there is nothing to train, or the loss is no longer finite.
    """
    settings, threat = _settings(specification), training_threat(specification)
    train_split = _in_order(dataset.select("train"))
    card = _card(specification, train_split)
    course = _course(specification, train_split, threat=threat, seed=seed)
    with canonical_execution():
        classifier = build_classifier(card, seed=seed)
        validation = Validation(dataset.select("validation"), threat, seed=seed)
        best = BestCheckpoint(settings.method)
        history = _epochs(classifier, course, validation, best, progress=progress or _silent)
    best.restore(classifier)
    return TrainingResult(classifier=frozen(classifier), card=card, history=history, chosen_epoch=best.epoch)


def training_threat(specification: Specification) -> ThreatModel:
    """The threat that training defends against: the one that it names, or the first."""
    name = _settings(specification).threat_model
    return specification.threat_models[0] if name is None else specification.threat(name)


def learning_rate_factor(step: int, *, steps: int) -> float:
    """Share of the learning rate at a step from 0: a linear rise over the first 30 %, then half a cosine down to 0.

    >>> [round(learning_rate_factor(step, steps=10), 2) for step in (0, 2, 9)]
    [0.17, 0.83, 0.01]
    """
    done = (step + 0.5) / steps
    return done / WARM_UP if done < WARM_UP else 0.5 * (1 + math.cos(math.pi * (done - WARM_UP) / (1 - WARM_UP)))


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


def _course(specification: Specification, dataset: Dataset, *, threat: ThreatModel, seed: int) -> Course:
    settings = _settings(specification)
    noise = settings.noise_sigma * dataset.perturbation_scale(specification.certification.unit)
    return Course(
        settings=settings,
        region=Ball.from_threat(threat, dataset).around(torch.from_numpy(dataset.x())),
        y_N=torch.from_numpy(dataset.y),
        sample_ids_N=torch.from_numpy(dataset.sample_ids),
        noise_X=torch.from_numpy(noise).float() if settings.noise_sigma > 0 else None,
        seed=seed,
    )


def _epochs(
    classifier: Classifier, course: Course, validation: Validation, best: BestCheckpoint, *, progress: Progress
) -> list[Epoch]:
    settings, history = course.settings, list[Epoch]()
    optimizer = torch.optim.AdamW(
        classifier.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    steps = settings.epochs * course.batches
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: learning_rate_factor(step, steps=steps))
    for epoch in range(1, settings.epochs + 1):
        loss = _epoch(classifier, course, optimizer, schedule, epoch=epoch)
        score = validation.score(classifier)
        best.offer(classifier, score, epoch=epoch)
        history.append(_record(epoch, loss, score))
        progress(epoch, settings.epochs, f"validation: {score.clean} correct, {score.under_attack} under attack")
    return history


def _epoch(
    classifier: Classifier,
    course: Course,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LambdaLR,
    *,
    epoch: int,
) -> float:
    """One pass over the training samples; the mean loss. SpecificationError when it is not finite."""
    generator = torch.Generator().manual_seed(epoch_seed(course.seed, epoch))
    order = torch.randperm(len(course.y_N), generator=generator)
    losses: list[float] = []
    classifier.train()
    for rows in order.tensor_split(course.batches):
        copies = _copies(classifier, course, rows, epoch=epoch, generator=generator)
        loss = mean_loss(classifier, copies, course.y_N[rows])
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    return _finite(sum(losses) / len(losses), epoch=epoch)


def _copies(
    classifier: Classifier, course: Course, rows: Tensor, *, epoch: int, generator: torch.Generator
) -> Sequence[Tensor]:
    """The inputs on which a batch is trained: perturbed (or clean, with method standard), and noisy."""
    region = course.region.rows(rows)
    first_BX = region.clean_BX
    if course.settings.method == "pgd":
        batch = PerturbedBatch(
            region=region,
            sample_ids=course.sample_ids_N[rows].tolist(),
            steps=course.settings.steps,
            seed=course.seed,
            epoch=epoch,
        )
        first_BX = batch.inputs(classifier, course.y_N[rows])
    if course.noise_X is None:
        return (first_BX,)
    return first_BX, region.clean_BX + course.noise_X * torch.randn(region.clean_BX.shape, generator=generator)


def epoch_seed(seed: int, epoch: int) -> int:
    """Seed of an epoch's order and noise: the first 8 bytes of SHA-256 over domain, seed and epoch, 63 bits of them."""
    digest = hashlib.sha256(DOMAIN + f"{seed}:{epoch}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def _finite(loss: float, *, epoch: int) -> float:
    if not math.isfinite(loss):
        remedy = "lower training.learningRate"
        raise SpecificationError(expected("a finite training loss", got=f"{loss} in epoch {epoch}", remedy=remedy))
    return loss


def _record(epoch: int, loss: float, score: Score) -> Epoch:
    return {
        "epoch": epoch,
        "loss": loss,
        "validationSamples": score.of,
        "cleanAccuracy": score.clean / score.of,
        "accuracyUnderAttack": score.under_attack / score.of,
    }


def _silent(done: int, total: int, text: str) -> None:
    pass
