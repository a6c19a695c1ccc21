"""What `benchmarks/certification.py` measures: one class for each contender, on the same trained network and image."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from robustcert.data.dataset import Dataset, DatasetCard
from robustcert.models.allocator import keep_large_allocations
from robustcert.models.canonical_execution import canonical_execution
from robustcert.models.precision import Precision, arithmetic, in_precision
from robustcert.smoothing.certify import certify, grid_noise
from robustcert.smoothing.noise import Stream
from robustcert.smoothing.votes import BATCH, count_votes
from robustcert.specification import Certification
from robustcert.specification_data import Provenance

SIDE, CLASSES, LEVELS = 28, 10, 255
SHAPE = (1, SIDE, SIDE)
GRID = 1 / (LEVELS * 16)
TRAINING = 1200


@dataclass(frozen=True, kw_only=True)
class Work:
    """The noise, the training, the most draws of a certificate, and where the peer's code lies."""

    sigma: float
    alpha: float
    epochs: int
    most: int
    smoothing: Path | None


class Contender(Protocol):
    """Something that votes; `votes` gives the CPU seconds of that many noisy samples of one image."""

    def votes(self, draws: int) -> float: ...


def network() -> nn.Sequential:
    """4 convolutions, 2 linear layers, 183,238 parameters (PERFORMANCE: model S)."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 16, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(32, 32, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * 49, 100),
        nn.ReLU(),
        nn.Linear(100, CLASSES),
    )


def images() -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """The digits of scikit-learn as 28 x 28 grey levels 0 to 255, on a grid of 16 steps a level; and their labels."""
    from sklearn.datasets import load_digits

    found = load_digits()
    x_BCHW = torch.from_numpy(found.images[:, None] / 16).float()
    levels_BCHW = (F.interpolate(x_BCHW, size=(SIDE, SIDE), mode="bilinear") * LEVELS).round().int()
    return (levels_BCHW * 16).numpy(), found.target.astype(np.int64)


def trained(work: Work) -> nn.Sequential:
    """The network after a moment of training with noise, the same in every process."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    module, (x_int, y) = network(), images()
    x_BCHW, y_B = torch.from_numpy(x_int[:TRAINING] * GRID).float(), torch.from_numpy(y[:TRAINING])
    optimizer = torch.optim.Adam(module.parameters(), lr=2e-3)
    for _ in range(work.epochs):
        for rows in torch.randperm(TRAINING).split(64):
            noisy = x_BCHW[rows] + work.sigma * torch.randn_like(x_BCHW[rows])
            optimizer.zero_grad()
            F.cross_entropy(module(noisy), y_B[rows]).backward()
            optimizer.step()
    return module.eval().requires_grad_(False)


def held_out() -> Dataset:
    """The images that the network was not trained on, as a data set of test samples."""
    x_int, y = (each[TRAINING:] for each in images())
    shape, count = x_int.shape[1:], len(y)
    provenance = Provenance(source="scikit-learn", licence="CC BY 4.0", collectedAt="1995")
    card = DatasetCard(
        kind="image",
        shape=shape,
        classes=tuple(map(str, range(CLASSES))),
        source="builtin:digits",
        source_sha256="0" * 64,
        provenance=provenance,
        transforms=("enlarged to 28 x 28",),
    )
    return Dataset(
        card=card,
        x_int=x_int.astype(np.int32),
        y=y,
        sample_ids=np.arange(count, dtype=np.int64),
        split=np.full(count, 2, dtype=np.int8),
        unit=np.full(shape, GRID),
        scale=np.ones(shape),
        lower=np.zeros(shape),
        upper=np.ones(shape),
        perturbable=np.ones(shape, dtype=np.bool_),
    )


class Floor:
    """Bare forward passes of full batches of noise, as torch comes."""

    def __init__(self, work: Work) -> None:
        self._module, self._arithmetic = trained(work), nullcontext
        self._x_BCHW = torch.from_numpy(images()[0][TRAINING] * GRID).float() + work.sigma * torch.randn(BATCH, *SHAPE)

    def votes(self, draws: int) -> float:
        """CPU seconds of the forward passes."""
        start = time.process_time()
        with torch.inference_mode(), self._arithmetic():
            for _ in range(draws // BATCH):
                self._module(self._x_BCHW)
        return time.process_time() - start


class PreparedFloor(Floor):
    """The same in our precision, layout and memory, under the settings that every certificate is made under."""

    _arithmetic: Callable[[], AbstractContextManager[None]]

    def __init__(self, work: Work, *, precision: Precision = "float32") -> None:
        super().__init__(work)
        keep_large_allocations()
        self._module = in_precision(self._module, precision)
        self._arithmetic = partial(_settings, precision)


@contextmanager
def _settings(precision: Precision) -> Iterator[None]:
    with canonical_execution(), arithmetic(torch.device("cpu"), precision):
        yield


class Robustcert:
    """Our engine: `count_votes` for the rate, `certify` for decisions."""

    def __init__(self, work: Work, *, precision: Precision = "float32") -> None:
        keep_large_allocations()
        self._work, self._module, self._data, self._precision = work, trained(work), held_out(), precision

    def votes(self, draws: int) -> float:
        """CPU seconds of counted votes."""
        certification = self._certification()
        noise = grid_noise(self._data, certification, key0=1)
        start = time.process_time()
        count_votes(
            self._module,
            self._data.x_int[0],
            noise=noise,
            sample_id=0,
            stream=Stream.ESTIMATION,
            draws=draws,
            n_classes=CLASSES,
            precision=self._precision,
        )
        return time.process_time() - start

    def decide(self, samples: int) -> dict[str, tuple[float, float, float]]:
        """Question -> draws, CPU seconds and wall seconds of one certificate."""
        sigma = self._work.sigma
        six = tuple(round(sigma * step / 2, 6) for step in range(1, 7))
        questions = {
            "at radius sigma, or abstain": self._certification(method="group-sequential", radii=(sigma,)),
            "a curve of six radii, 0.5 to 3 sigma": self._certification(method="group-sequential", radii=six),
            "a radius to 10 %": self._certification(method="adaptive-pilot", tolerance=0.1),
        }
        return {what: self._cost(certification, samples) for what, certification in questions.items()}

    def _cost(self, certification: Certification, samples: int) -> tuple[float, float, float]:
        data = self._data.rows(range(samples))
        wall, cpu = time.perf_counter(), time.process_time()
        rows = certify(Bare(self._module), data, certification=certification, key0=1)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        return sum(row["n0"] + row["n"] for row in rows) / samples, cpu / samples, wall / samples

    def _certification(self, **options: Any) -> Certification:
        given = {"radii": (self._work.sigma,), "n": self._work.most, **options}
        return Certification(
            sigma=self._work.sigma, unit="input", alpha=self._work.alpha, precision=self._precision, **given
        )


@dataclass(frozen=True)
class Bare:
    """A module as something to certify."""

    module: nn.Module


class Locuslab:
    """The loop of Cohen et al. as it is published, on the CPU."""

    def __init__(self, work: Work, *, batch: int) -> None:
        assert work.smoothing is not None
        self._smooth = _core(work.smoothing).Smooth(trained(work), CLASSES, work.sigma)
        self._x_CHW, self._batch = torch.from_numpy(images()[0][TRAINING] * GRID).float(), batch

    def votes(self, draws: int) -> float:
        """CPU seconds of its sampling loop."""
        start = time.process_time()
        self._smooth._sample_noise(self._x_CHW, draws, self._batch)
        return time.process_time() - start


class Art:
    """ART's smoothed classifier: its own sampling of predictions."""

    def __init__(self, work: Work, *, batch: int) -> None:
        from art.estimators.certification.randomized_smoothing import (
            PyTorchRandomizedSmoothing,
        )

        self._smooth = PyTorchRandomizedSmoothing(
            model=trained(work),
            loss=nn.CrossEntropyLoss(),
            input_shape=SHAPE,
            nb_classes=CLASSES,
            device_type="cpu",
            scale=work.sigma,
            alpha=work.alpha,
        )
        self._x_CHW, self._batch = (images()[0][TRAINING] * GRID).astype(np.float32), batch

    def votes(self, draws: int) -> float:
        """CPU seconds of a certificate from that many samples; as many again as it takes to select are included."""
        start = time.process_time()
        self._smooth._prediction_counts(self._x_CHW, n=draws, batch_size=self._batch)
        return time.process_time() - start


def _core(checkout: Path) -> ModuleType:
    """`core.py` of a checkout, its noise made on the CPU and its one removed import of scipy put back."""
    import scipy.stats

    scipy.stats.binom_test = scipy.stats.binomtest  # not called here; removed in scipy 1.12
    spec = importlib.util.spec_from_file_location("locuslab_core", checkout / "code" / "core.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.torch = _on_cpu(module.torch)
    return module


def _on_cpu(found: ModuleType) -> ModuleType:
    """torch with a `randn_like` that ignores the device."""
    copy = ModuleType("torch_on_cpu")
    copy.__dict__.update(found.__dict__)

    def randn_like(x: Tensor, device: str) -> Tensor:
        return found.randn_like(x)

    copy.__dict__["randn_like"] = randn_like
    return copy


CONTENDERS: dict[str, Callable[[Work], Any]] = {
    "floor": Floor,
    "floor, prepared": PreparedFloor,
    "floor, prepared, bfloat16": partial(PreparedFloor, precision="bfloat16"),
    "robustcert": Robustcert,
    "robustcert, bfloat16": partial(Robustcert, precision="bfloat16"),
    "locuslab, batch 400": partial(Locuslab, batch=400),
    "locuslab, batch 256": partial(Locuslab, batch=256),
    "ART, batch 32": partial(Art, batch=32),
    "ART, batch 256": partial(Art, batch=256),
}
