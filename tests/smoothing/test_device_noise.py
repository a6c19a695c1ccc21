"""Oracle: `integer_noise`, whose words and quantiles test_noise.py compares with others; 3 million draws of the two."""

from __future__ import annotations

import sysconfig
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from robustcert.errors import InputError
from robustcert.smoothing import device_noise
from robustcert.smoothing.device_noise import NoisePath, noise_path, noisy_batch
from robustcert.smoothing.noise import Stream, integer_noise
from robustcert.smoothing.noise_kinds import NoiseName

KEY0 = 0xFEDCBA9876543210
PATHS: list[NoisePath] = ["numpy", "torch"]


def batch(x_RD: Tensor, *, path: NoisePath | None = None, kind: NoiseName = "gaussian", **given: object) -> Tensor:
    rows, width = x_RD.shape
    usual = {
        "sample_ids_R": torch.arange(rows) // 3,
        "draws_R": torch.arange(rows) % 3,
        "key0": KEY0,
        "stream": Stream.ESTIMATION,
        "steps_D": torch.full((width,), 2040.0, dtype=torch.float64),
        "unit_D": torch.full((width,), 1 / 4080, dtype=torch.float64),
    }
    return noisy_batch(x_RD, path=path, kind=kind, **{**usual, **given})


@pytest.mark.parametrize("kind", ["gaussian", "uniform", "laplace"])
def test_both_paths_give_the_integers_of_integer_noise_over_a_million_draws(kind: NoiseName) -> None:
    """128 draws of 2 samples, 4,096 coordinates, sigma from 1/2 to 4,000 steps; in a unit of 1, inputs are noise."""
    steps = np.geomspace(0.5, 4000, 4096)
    drawn = [
        integer_noise(
            KEY0, sample_id=sample, stream=Stream.PILOT, first_draw=50, draws=128, sigma_steps=steps, kind=kind
        )
        for sample in (3, 2**40)
    ]
    assert sum(noise.size for noise in drawn) > 1_000_000
    for path in PATHS:
        found = batch(
            torch.zeros(256, 4096, dtype=torch.int32),
            path=path,
            kind=kind,
            sample_ids_R=torch.tensor([3, 2**40]).repeat_interleave(128),
            draws_R=torch.arange(50, 178).repeat(2),
            stream=Stream.PILOT,
            steps_D=torch.from_numpy(steps),
            unit_D=torch.ones(4096, dtype=torch.float64),
        )
        assert np.array_equal(found.numpy(), np.concatenate(drawn))


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("width", [1, 5, 30])
def test_inputs_are_the_float32_of_grid_point_and_noise_times_unit(path: NoisePath, width: int) -> None:
    generator = np.random.default_rng(width)
    x_RD = torch.from_numpy(generator.integers(-5000, 5000, (12, width), dtype=np.int32))
    unit = generator.uniform(0.001, 0.01, width)
    found = batch(x_RD, path=path, unit_D=torch.from_numpy(unit))
    for row in range(12):
        noise = integer_noise(
            KEY0,
            sample_id=row // 3,
            stream=Stream.ESTIMATION,
            first_draw=row % 3,
            draws=1,
            sigma_steps=np.full(width, 2040.0),
        )
        assert found[row].tolist() == ((x_RD[row].numpy() + noise[0]) * unit).astype(np.float32).tolist()


@pytest.mark.parametrize("path", PATHS)
def test_rows_may_share_their_grid_point_and_a_batch_may_be_empty(path: NoisePath) -> None:
    x_D = torch.arange(30, dtype=torch.int32)
    assert batch(x_D.expand(9, 30), path=path).equal(batch(x_D.repeat(9, 1), path=path))
    assert batch(torch.zeros(0, 30, dtype=torch.int32), path=path).shape == (0, 30)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_narrower_types_are_rounded_from_float32(path: NoisePath, dtype: torch.dtype) -> None:
    x_RD = torch.arange(-1500, 1500, dtype=torch.int32).reshape(100, 30)
    found = batch(x_RD, path=path, dtype=dtype)
    assert found.dtype == dtype
    assert found.equal(batch(x_RD, path=path).to(dtype))


def test_torch_takes_large_batches_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    x_RD = torch.zeros(100, 30, dtype=torch.int32)
    whole = batch(x_RD, path="torch")
    monkeypatch.setattr(device_noise, "TORCH_WORDS", 250)
    assert batch(x_RD, path="torch").equal(whole)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"draws_R": torch.tensor([0, -1])}, "one stream would run into the next"),
        ({"draws_R": torch.tensor([0, 2**62])}, "one stream would run into the next"),
        ({"sample_ids_R": torch.tensor([-1, 0])}, "expected key and sample id"),
        ({"key0": 1 << 64}, "expected key and sample id"),
        ({"draws_R": torch.tensor([0.0, 1.0])}, "expected types"),
        ({"steps_D": torch.ones(30)}, "expected types"),
        ({"kind": "cauchy"}, "expected noise of kind gaussian, uniform, laplace, got 'cauchy'"),
    ],
)
def test_what_no_counter_holds_and_other_types_are_refused(
    path: NoisePath, given: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        batch(torch.zeros(2, 30, dtype=torch.int32), path=path, **given)


@pytest.mark.parametrize(
    ("device", "triton", "compiler", "header", "path"),
    [
        ("cpu", True, "gcc", True, "numpy"),
        ("cuda", True, "gcc", True, "triton"),
        ("cuda", True, "clang", True, "triton"),
        ("cuda", False, "gcc", True, "torch"),
        ("cuda", True, "none", True, "torch"),
        ("cuda", True, "gcc", False, "torch"),
        ("xla", True, "gcc", True, "numpy"),
    ],
)
def test_the_path_follows_from_device_and_what_is_installed(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    device: str,
    triton: bool,
    compiler: str,
    header: bool,
    path: str,
) -> None:
    """Triton builds what calls its kernels with a C compiler; an image without one takes the torch operations."""
    (tmp_path / compiler).touch(mode=0o755)
    (tmp_path / ("Python.h" if header else "other.h")).touch()
    found = {"triton": ModuleSpec("triton", None) if triton else None}
    monkeypatch.setattr(device_noise, "find_spec", lambda name: found.get(name, find_spec(name)))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(sysconfig, "get_paths", lambda: {"include": str(tmp_path)})
    assert noise_path(torch.device(device)) == path
