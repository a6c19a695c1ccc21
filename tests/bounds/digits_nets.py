"""The digits networks of the exact verifiers' tests: 64-h-h-10, trained here against PGD, and their files.

The data are scikit-learn's own; training takes about a second and is the same each time. Shapes: B batch, D = 64.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional

from robustcert.data.dataset import Dataset, DatasetCard, save_dataset
from robustcert.models.architectures import mlp
from robustcert.models.card import ModelCard, identity_preprocessing
from robustcert.models.files import save_model
from robustcert.models.model import LoadedModel, classifier_of, frozen
from robustcert.specification import Provenance

TRAIN = 1200
CLASSES = tuple("0123456789")


def digits_dataset(*, samples: int) -> Dataset:
    """The first TRAIN digits for training, the next `samples` for tests; values k/16 in [0, 1]."""
    values, labels = load_digits(return_X_y=True)
    count = TRAIN + samples
    shape = (64,)
    return Dataset(
        card=DatasetCard(
            kind="tabular",
            shape=shape,
            classes=CLASSES,
            source="digits",
            source_sha256="0" * 64,
            provenance=Provenance.model_validate({"source": "digits", "licence": "CC-BY-4.0", "collectedAt": "1998"}),
            transforms=(),
        ),
        x_int=values[:count].astype(np.int32),
        y=labels[:count].astype(np.int64),
        sample_ids=np.arange(count, dtype=np.int64),
        split=np.where(np.arange(count) < TRAIN, 0, 2).astype(np.int8),
        unit=np.full(shape, 1 / 16),
        scale=np.ones(shape),
        lower=np.zeros(shape),
        upper=np.ones(shape),
        perturbable=np.ones(shape, dtype=bool),
    )


def digits_body(*, width: int, epsilon: float, epochs: int = 30) -> nn.Sequential:
    """A 64-width-width-10 network trained by PGD (4 steps) at `epsilon` linf; 0 trains it plainly."""
    dataset = digits_dataset(samples=1).select("train")
    x_ND, y_N = torch.from_numpy(dataset.x()).float(), torch.from_numpy(dataset.y)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        body = mlp((64,), 10, hidden=(width, width))
        optimiser = torch.optim.Adam(body.parameters(), lr=0.01)
        for _ in range(epochs):
            for batch in torch.randperm(len(x_ND)).split(64):
                optimiser.zero_grad()
                x_adv_BD = _attacked(body, x_ND[batch], y_N[batch], epsilon=epsilon)
                functional.cross_entropy(body(x_adv_BD), y_N[batch]).backward()
                optimiser.step()
    return body.eval().requires_grad_(False)


def _attacked(body: nn.Module, x_BD: Tensor, y_B: Tensor, *, epsilon: float) -> Tensor:
    x_adv_BD = x_BD
    for _ in range(4 if epsilon else 0):
        x_adv_BD = x_adv_BD.detach().requires_grad_(True)
        (gradient_BD,) = torch.autograd.grad(functional.cross_entropy(body(x_adv_BD), y_B), x_adv_BD)
        moved_BD = x_adv_BD + 0.5 * epsilon * gradient_BD.sign()
        x_adv_BD = torch.clamp(torch.clamp(moved_BD, x_BD - epsilon, x_BD + epsilon), 0, 1)
    return x_adv_BD.detach()


def digits_files(folder: Path, body: nn.Sequential, *, width: int, samples: int) -> tuple[Path, Path]:
    """Model file and data set file."""
    card = _card((width, width))
    save_model(classifier_of(body, card), card, folder / "model.safetensors")
    save_dataset(digits_dataset(samples=samples), folder / "dataset.safetensors")
    return folder / "model.safetensors", folder / "dataset.safetensors"


def loaded(body: nn.Sequential, *, hidden: tuple[int, ...]) -> LoadedModel:
    """The network as a model file would give it."""
    card = _card(hidden)
    return LoadedModel(module=frozen(classifier_of(body, card)), card=card, sha256="0" * 64)


def _card(hidden: tuple[int, ...]) -> ModelCard:
    return ModelCard(
        architecture="mlp",
        parameters={"hidden": hidden},
        input_shape=(64,),
        classes=CLASSES,
        preprocessing=identity_preprocessing((64,)),
    )
