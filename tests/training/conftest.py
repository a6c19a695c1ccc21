"""Small data sets, specifications that train on them in a second, and two processes that were asked once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open

from robustcert.data.build import build_dataset
from robustcert.data.dataset import Dataset
from robustcert.data.sources import load_raw
from robustcert.specification import Specification
from robustcert.training.ranks import in_ranks
from tests.training.rank_work import Found, TwoProcesses, find_out


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


@pytest.fixture(scope="session")
def two_processes(tmp_path_factory: pytest.TempPathFactory) -> TwoProcesses:
    """What both of two processes found in `rank_work.find_out`, on a machine with misleading variables."""
    folder, progress = tmp_path_factory.mktemp("ranks"), list[tuple[int, int, str]]()
    with pytest.MonkeyPatch.context() as patch:
        for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "GLOO_SOCKET_IFNAME"):
            patch.setenv(name, "nonsense")
        in_ranks(find_out, folder, size=2, device="cpu", progress=lambda *step: progress.append(step))
    return TwoProcesses(tuple(_read(folder / f"{rank}.safetensors") for rank in range(2)), progress)


def _read(path: Path) -> Found:
    with safe_open(path, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return Found(tensors, **file.metadata())
