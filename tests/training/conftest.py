"""Small data sets with splits, and specifications that train on them in a second."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from robustcert.data.build import build_dataset
from robustcert.data.dataset import Dataset
from robustcert.data.sources import load_raw
from robustcert.specification import Specification


@pytest.fixture(scope="session")
def digits(make_specification: Callable[..., Specification]) -> Dataset:
    """The embedded digits, split 60/15/25."""
    data = make_specification().data
    return build_dataset(data, load_raw(data, folder=None), seed=0)


@pytest.fixture(scope="session")
def few_digits(digits: Dataset) -> Dataset:
    """Every fifth of the digits."""
    return digits.rows(np.sort(digits.sample_ids)[::5])


@pytest.fixture(scope="session")
def make_specification() -> Callable[..., Specification]:
    """Digits, an MLP of 32 hidden units, linf 0.1 and then l2 0.5; `training` replaces fields."""

    def make(*, model: dict[str, Any] | None = None, **training: Any) -> Specification:
        threat = {"unit": "input", "bounds": "contract", "access": "gradients", "goal": "untargeted"}
        return Specification.model_validate(
            {
                "apiVersion": "robustcert/v1",
                "kind": "RobustnessSpecification",
                "name": "small",
                "owner": {"name": "a test", "contact": "nobody"},
                "intendedUse": "a test",
                "claim": "none",
                "data": {"source": "builtin:digits"},
                "model": model or {"architecture": "mlp", "hidden": (32,)},
                "training": {"epochs": 3, "learningRate": 0.01, "steps": 3, **training},
                "threatModels": (
                    {"name": "linf", "norm": "linf", "epsilon": 0.1, **threat},
                    {"name": "l2", "norm": "l2", "epsilon": 0.5, **threat},
                ),
                "certification": {"sigma": 0.25, "unit": "input", "radii": (0.1,)},
                "acceptance": ({"metric": "clean_accuracy", "comparator": ">=", "threshold": 0.5},),
            }
        )

    return make
