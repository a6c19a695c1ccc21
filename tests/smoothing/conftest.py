"""A small data set and models of which the truth is known, in memory and as files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from robustcert.data.dataset import Dataset, DatasetCard, save_dataset
from robustcert.models.card import ModelCard, identity_preprocessing
from robustcert.models.files import save_model
from robustcert.models.model import build_classifier
from robustcert.specification import Certification, Provenance

UNIT = 1 / 4096
KEY0 = 0x0123456789ABCDEF


@pytest.fixture
def make_dataset() -> Callable[..., Dataset]:
    """Test samples x (N, D) with labels y, on a grid of 1/4096, in [-64, 64]."""

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
            "lower": np.full(shape, -64.0),
            "upper": np.full(shape, 64.0),
            "perturbable": np.ones(shape, dtype=bool),
        }
        return Dataset(card=_card(tuple(shape), n_classes), **(arrays | changes))

    return make


@pytest.fixture
def make_certification() -> Callable[..., Certification]:
    def make(**changes: Any) -> Certification:
        wanted = {"sigma": 0.5, "unit": "input", "radii": (0.5,), "n0": 100, "n": 1000, "alpha": 0.001} | changes
        return Certification(**wanted)

    return make


@pytest.fixture
def make_linear() -> Callable[..., Any]:
    """A model whose class 1 wins where weights . x > threshold; its logits differ by a hundred times that."""

    def make(weights: Any, threshold: float = 0.0) -> Any:
        module = nn.Linear(len(weights), 2)
        with torch.no_grad():
            module.weight[0].zero_()
            module.weight[1] = 100 * torch.as_tensor(weights, dtype=torch.float32)
            module.bias[:] = torch.tensor([100 * threshold, 0.0])
        return SimpleNamespace(module=module.eval().requires_grad_(False))

    return make


@pytest.fixture
def mlp_files(tmp_path: Path, make_dataset: Callable[..., Dataset]) -> tuple[Path, Path, Dataset]:
    """Model file, data set file, and the data set: 40 random images 1 x 4 x 4 of 3 classes."""
    generator = np.random.Generator(np.random.Philox(5))
    dataset = make_dataset(generator.uniform(0, 1, (40, 1, 4, 4)), generator.integers(0, 3, 40), n_classes=3)
    card = ModelCard(
        architecture="mlp",
        parameters={"hidden": (8,)},
        input_shape=(1, 4, 4),
        classes=("a", "b", "c"),
        preprocessing=identity_preprocessing((1, 4, 4)),
    )
    save_model(build_classifier(card, seed=1), card, tmp_path / "model.safetensors")
    save_dataset(dataset, tmp_path / "dataset.safetensors")
    return tmp_path / "model.safetensors", tmp_path / "dataset.safetensors", dataset


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
