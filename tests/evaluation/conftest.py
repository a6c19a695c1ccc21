"""Small data sets and linear models, of which every distance to the decision boundary is a closed form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from robustcert.data.dataset import Dataset, DatasetCard
from robustcert.models.card import ModelCard, identity_preprocessing
from robustcert.models.model import Classifier, LoadedModel
from robustcert.specification import Specification
from robustcert.specification_data import Provenance
from robustcert.threat_model import ThreatModel

UNIT = 1 / 4096


@pytest.fixture
def make_dataset() -> Callable[..., Dataset]:
    """Test samples x (N, D) with labels y and ids from 100, on a grid of 1/4096, in [-4, 4]."""

    def make(x: Any, y: Any, *, n_classes: int = 2, **changes: Any) -> Dataset:
        x_int = np.rint(np.asarray(x) / UNIT).astype(np.int32)
        n, *shape = x_int.shape
        arrays: dict[str, Any] = {
            "x_int": x_int,
            "y": np.asarray(y, dtype=np.int64),
            "sample_ids": np.arange(100, 100 + n, dtype=np.int64),
            "split": np.full(n, 2, dtype=np.int8),
            "unit": np.full(shape, UNIT),
            "scale": np.ones(shape),
            "lower": np.full(shape, -4.0),
            "upper": np.full(shape, 4.0),
            "perturbable": np.ones(shape, dtype=bool),
        }
        return Dataset(card=_card(tuple(shape), n_classes), **(arrays | changes))

    return make


@pytest.fixture
def make_threat() -> Callable[..., ThreatModel]:
    """An untargeted linf threat of epsilon 0.5 in input units with gradients."""

    def make(**changes: Any) -> ThreatModel:
        written = {"name": "linf", "norm": "linf", "epsilon": 0.5, "unit": "input", "bounds": "contract"}
        return ThreatModel.model_validate({**written, "access": "gradients", "goal": "untargeted", **changes})

    return make


@pytest.fixture
def make_specification(make_threat: Callable[..., ThreatModel]) -> Callable[..., Specification]:
    """A specification with these threats, `quick@1`, and a curve at 0.5 and 1 times epsilon."""

    def make(*threats: ThreatModel, curve: tuple[float, ...] = (0.5, 1.0)) -> Specification:
        return Specification.model_validate(
            {
                "apiVersion": "robustcert/v1",
                "kind": "RobustnessSpecification",
                "name": "small",
                "owner": {"name": "a test", "contact": "nobody"},
                "intendedUse": "a test",
                "claim": "none",
                "seed": 3,
                "data": {"source": "builtin:digits"},
                "model": {"architecture": "mlp"},
                "training": {},
                "threatModels": tuple(threat.model_dump(by_alias=True) for threat in threats or (make_threat(),)),
                "evaluation": {"curve": curve},
                "certification": {"sigma": 0.25, "unit": "input", "radii": (0.1,)},
                "acceptance": ({"metric": "clean_accuracy", "comparator": ">=", "threshold": 0.5},),
            }
        )

    return make


@pytest.fixture
def make_model() -> Callable[..., LoadedModel]:
    """The classifier whose logits are weights (K, D) times x, or any module given in their place."""

    def make(weights: Any) -> LoadedModel:
        body = weights if isinstance(weights, nn.Module) else _linear(torch.as_tensor(weights, dtype=torch.float32))
        card = ModelCard(
            architecture="mlp",
            parameters={"hidden": (1,)},
            input_shape=(2,),
            classes=("a", "b"),
            preprocessing=identity_preprocessing((2,)),
        )
        module = Classifier(body, mean=torch.zeros(1), std=torch.ones(1)).eval().requires_grad_(False)
        return LoadedModel(module=module, card=card, sha256="0" * 64)

    return make


def _linear(weights: torch.Tensor) -> nn.Module:
    module = nn.Linear(weights.shape[1], weights.shape[0], bias=False)
    module.weight.data.copy_(weights)
    return module


def _card(shape: tuple[int, ...], n_classes: int) -> DatasetCard:
    return DatasetCard(
        kind="image" if len(shape) == 3 else "tabular",
        shape=shape,
        classes=tuple("abcdefghij"[:n_classes]),
        source="made-for-a-test",
        source_sha256="0" * 64,
        provenance=Provenance.model_validate({"source": "a test", "licence": "CC0-1.0", "collectedAt": "2026"}),
        transforms=(),
    )
