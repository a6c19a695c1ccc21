"""The epochs of a training: which samples in which order, what is minimised on them, and who computes which part.

Shapes: N training samples, B rows of a global batch, L those of this process, X the shape of one input. Everything
random is keyed: order and noise by (seed, epoch), starts of the attack by (seed, sample id, epoch). So every process
knows every batch, and takes its slice of it.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from robustcert.attacks.ball import Region
from robustcert.errors import SpecificationError, expected
from robustcert.specification import Training
from robustcert.training.checkpoints import BestCheckpoint, Score, Validation
from robustcert.training.losses import PerturbedBatch, mean_loss
from robustcert.training.world import World

WARM_UP = 0.3
DOMAIN = b"robustcert-training-v1\0"

Progress = Callable[[int, int, str], None]
Epoch = dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Course:
    """All that stays the same over the epochs. `noise_X` is the noise deviation in input units, None without noise."""

    settings: Training
    region: Region
    y_N: Tensor
    sample_ids_N: Tensor
    noise_X: Tensor | None
    seed: int
    world: World

    @property
    def batches(self) -> int:
        """Optimizer steps in one epoch."""
        return math.ceil(len(self.y_N) / self.settings.batch_size)


@dataclass(frozen=True, kw_only=True)
class Batch:
    """The rows_L of a global batch that this process takes, and their standard normal noise (L, *X), if there is any.

    `share` is the length of the slice over that of the global batch.
    """

    rows_L: Tensor
    noise_LX: Tensor | None
    share: float


def run_epochs(
    module: nn.Module, course: Course, validation: Validation, best: BestCheckpoint, *, progress: Progress
) -> list[Epoch]:
    """Trains `module` in place, offers every epoch's weights to `best`, and gives one record per epoch.

    SpecificationError when the loss is no longer finite; StepError when another process of the world is gone.
    """
    settings, history = course.settings, list[Epoch]()
    optimizer = torch.optim.AdamW(module.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
    steps = settings.epochs * course.batches
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: learning_rate_factor(step, steps=steps))
    for epoch in range(1, settings.epochs + 1):
        loss = _epoch(module, course, optimizer, schedule, epoch=epoch)
        score = validation.score(module)
        best.offer(module, score, epoch=epoch)
        history.append(_record(epoch, loss, score))
        progress(epoch, settings.epochs, f"validation: {score.clean} correct, {score.under_attack} under attack")
    return history


def learning_rate_factor(step: int, *, steps: int) -> float:
    """Share of the learning rate at a step from 0: a linear rise over the first 30 %, then half a cosine down to 0.

    >>> [round(learning_rate_factor(step, steps=10), 2) for step in (0, 2, 9)]
    [0.17, 0.83, 0.01]
    """
    done = (step + 0.5) / steps
    return done / WARM_UP if done < WARM_UP else 0.5 * (1 + math.cos(math.pi * (done - WARM_UP) / (1 - WARM_UP)))


def epoch_seed(seed: int, epoch: int) -> int:
    """Seed of an epoch's order and noise: the first 8 bytes of SHA-256 over domain, seed and epoch, 63 bits of them."""
    digest = hashlib.sha256(DOMAIN + f"{seed}:{epoch}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def _epoch(
    module: nn.Module,
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
    module.train()
    for rows_B in order.tensor_split(course.batches):
        batch = _batch(course, rows_B, generator)
        optimizer.zero_grad()
        losses.append(_gradients(module, course, batch, epoch=epoch))
        optimizer.step()
        schedule.step()
    return _finite(sum(losses) / len(losses), epoch=epoch)


def _batch(course: Course, rows_B: Tensor, generator: torch.Generator) -> Batch:
    """Every process draws the noise of the whole global batch, so that a row's does not depend on their number."""
    rows_L, noise_LX = course.world.mine(rows_B), None
    if course.noise_X is not None:
        noise_BX = torch.randn(len(rows_B), *course.region.clean_BX.shape[1:], generator=generator)
        noise_LX = course.world.mine(noise_BX)
    return Batch(rows_L=rows_L, noise_LX=noise_LX, share=len(rows_L) / len(rows_B))


def _gradients(module: nn.Module, course: Course, batch: Batch, *, epoch: int) -> float:
    """Leaves the gradient of the global batch's mean loss in the parameters of every process; that loss."""
    y_L = course.y_N[batch.rows_L].to(course.world.device)
    if len(y_L):
        loss = batch.share * mean_loss(module, _copies(module, course, batch, y_L, epoch=epoch), y_L)
    else:  # no mean of nothing, but a part in every sum over the processes
        loss = 0 * module(course.region.clean_BX[batch.rows_L].to(course.world.device)).sum()
    torch.autograd.backward(loss)
    total = loss.detach()
    course.world.add_up([total, *(parameter.grad for parameter in module.parameters() if parameter.grad is not None)])
    return total.item()


def _copies(module: nn.Module, course: Course, batch: Batch, y_L: Tensor, *, epoch: int) -> Sequence[Tensor]:
    """The inputs on which a batch is trained: perturbed (or clean, with method standard), and noisy."""
    region = course.region.rows(batch.rows_L).to(course.world.device)
    first_LX = region.clean_BX
    if course.settings.method == "pgd":
        perturbed = PerturbedBatch(
            region=region,
            sample_ids=course.sample_ids_N[batch.rows_L].tolist(),
            steps=course.settings.steps,
            seed=course.seed,
            epoch=epoch,
        )
        first_LX = perturbed.inputs(module, y_L)
    if course.noise_X is None or batch.noise_LX is None:
        return (first_LX,)
    return first_LX, region.clean_BX + (course.noise_X * batch.noise_LX).to(course.world.device)


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
