"""The model of a certificate, ready to answer: plain logits, or the smoothed classifier's answer.

Rows are rounded to the data set's grid first, as the certificate says that they are. One computation at a time, on one
thread. Shapes: B rows, D coordinates, K classes, *shape of one input.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import numpy as np
import torch
from numpy.typing import NDArray

from robustcert.certificate import bundle
from robustcert.certificate.certified import Certified
from robustcert.data.dataset import Dataset, load_dataset
from robustcert.models.canonical_execution import canonical_execution
from robustcert.models.files import load_model
from robustcert.models.model import LoadedModel
from robustcert.smoothing.certify import grid_noise
from robustcert.smoothing.predict import Prediction, PredictSettings, predict, secret_key0
from robustcert.smoothing.votes import GridNoise
from robustcert.specification_file import recorded_specification
from robustcert.storage.store import Store

Float64 = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Draws:
    """How many noisy copies decide an answer, and how many others bound its radius (0: no radius is given)."""

    n: int = 1000
    radius_n: int = 1000


class ServedModel:
    """Answers for rows of the model's input, in its units."""

    def __init__(self, model: LoadedModel, *, grid: Dataset, noise: GridNoise, settings: PredictSettings) -> None:
        self.model, self.settings, self.noise = model, settings, noise
        self._shape, self._unit = grid.card.shape, grid.unit
        self._n_classes = grid.n_classes
        self._one_at_a_time = Lock()

    def logits(self, x_BD: Float64) -> Float64:
        """Logits (B, K) of the model itself."""
        x_BX = torch.from_numpy((self.on_grid(x_BD) * self._unit).astype(np.float32))
        with self._one_at_a_time, torch.inference_mode():
            return np.asarray(self.model.module(x_BX).double().numpy())

    def smoothed(self, x_BD: Float64) -> list[Prediction]:
        """The smoothed classifier's answer for each row, or none."""
        with self._one_at_a_time, canonical_execution():
            return [
                predict(self.model.module, x_int, noise=self.noise, settings=self.settings, n_classes=self._n_classes)
                for x_int in self.on_grid(x_BD)
            ]

    def on_grid(self, x_BD: Float64) -> NDArray[np.int32]:
        """Rows in steps of the data set's grid, (B, *shape); ties go to the even step."""
        return np.rint(x_BD.reshape(-1, *self._shape) / self._unit).astype(np.int32)


def open_model(store: Store, certified: Certified, *, draws: Draws, factory: str | None = None) -> ServedModel:
    """The model, grid and noise level of a certificate; the key of the noise is this process's secret.

    Raises: as `load_model` and `load_dataset`.
    """
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: Path(folder) / name for name in (bundle.DATASET, certified.model)}
        for name, path in paths.items():
            store.fetch(certified.files[name], path)
        model, dataset = load_model(paths[certified.model], factory=factory), load_dataset(paths[bundle.DATASET])
    loaded = recorded_specification(certified.predicate.specification.text, name="the certificate's specification")
    certification = loaded.specification.certification
    settings = PredictSettings(
        sigma=certification.sigma,
        alpha=certification.alpha,
        n=draws.n,
        radius_n=draws.radius_n,
        precision=certification.precision or "float32",
    )
    noise = grid_noise(dataset, certification, key0=secret_key0())
    return ServedModel(model, grid=dataset.rows([]), noise=noise, settings=settings)
