"""The classifier that everything else trains, attacks and certifies.

Shapes: B batch, X the shape of one input (C, H, W or D), C channels, D features, K classes.

Preprocessing belongs to the model: threat and noise live in raw input space, before `mean` and `std`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from robustcert.errors import ModelError, expected
from robustcert.models.architectures import build
from robustcert.models.card import ModelCard


class Classifier(nn.Module):
    """Logits of raw inputs: body((x - mean) / std).

    `mean` and `std` are (C, 1, 1) for images and (D,) for tables. They are not in the state dict: the card holds them.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, body: nn.Module, *, mean: Tensor, std: Tensor) -> None:
        super().__init__()
        self.body = body
        self.register_buffer("mean", mean, persistent=False)
        self.register_buffer("std", std, persistent=False)

    def forward(self, x_BX: Tensor) -> Tensor:
        """Map raw float32 x_BX to logits_BK."""
        logits_BK: Tensor = self.body((x_BX - self.mean) / self.std)
        return logits_BK


@dataclass(frozen=True, kw_only=True)
class LoadedModel:
    """A model from the file with digest `sha256`; `module` is in eval mode, its parameters without gradients."""

    module: Classifier
    card: ModelCard
    sha256: str


def build_classifier(card: ModelCard, *, seed: int) -> Classifier:
    """Untrained classifier of the card's architecture and preprocessing, initialised from `seed`, in training mode."""
    return classifier_of(_architecture(card, seed=seed), card)


def classifier_of(body: nn.Module, card: ModelCard) -> Classifier:
    """Classifier around `body` with the card's preprocessing."""
    mean, std = preprocessing_tensors(card)
    return Classifier(body, mean=mean, std=std)


def frozen(classifier: Classifier) -> Classifier:
    """The same classifier in eval mode, its parameters without gradients."""
    return classifier.eval().requires_grad_(False)


def skeleton(card: ModelCard) -> nn.Module:
    """The card's architecture without memory, so that a card alone can't ask for more than its file holds."""
    with torch.device("meta"):
        return _architecture(card, seed=0)


def preprocessing_tensors(card: ModelCard) -> tuple[Tensor, Tensor]:
    """Mean and std of the card as float32, (C, 1, 1) for images and (D,) for tables."""
    shape = (card.input_shape[0],) + (1,) * (len(card.input_shape) - 1)
    mean, std = card.preprocessing.arrays()
    return torch.from_numpy(mean).reshape(shape), torch.from_numpy(std).reshape(shape)


def _architecture(card: ModelCard, *, seed: int) -> nn.Module:
    if card.architecture is None:
        raise ModelError(expected("a card with an architecture", got="none", remedy="use load_model"))
    return build(
        card.architecture, card.parameters, input_shape=card.input_shape, n_classes=len(card.classes), seed=seed
    )
