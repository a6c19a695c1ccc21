"""Oracle: `integer_noise`, draw by draw, and exact arithmetic on its integers."""

from __future__ import annotations

import numpy as np
import pytest

from robustcert.errors import InputError
from robustcert.smoothing import noisy_inputs
from robustcert.smoothing.noise import Stream, integer_noise
from robustcert.smoothing.noise_kinds import NoiseName
from robustcert.smoothing.noisy_inputs import Copies, GridNoise, NoisyInputs

KEY0 = 0x0123456789ABCDEF
WANTED = [
    Copies(place=1, sample_id=7, stream=Stream.ESTIMATION, first=3, draws=1),
    Copies(place=0, sample_id=9, stream=Stream.SELECTION, first=0, draws=100),
    Copies(place=2, sample_id=2**64 - 1, stream=Stream.ESTIMATION, first=41, draws=60),
    Copies(place=1, sample_id=7, stream=Stream.PILOT, first=3, draws=90),
]


def noise(width: int, steps: float | np.ndarray, *, unit: float = 1 / 4096, kind: NoiseName = "gaussian") -> GridNoise:
    return GridNoise(key0=KEY0, sigma_steps=np.broadcast_to(steps, width) + 0.0, unit=np.full(width, unit), kind=kind)


def drawn_one_by_one(x_int: np.ndarray, wanted: list[Copies], grid: GridNoise) -> np.ndarray:
    return np.concatenate(
        [
            (x_int[copies.place] + integer_noise(
                grid.key0, sample_id=copies.sample_id, stream=copies.stream, first_draw=copies.first + j, draws=1,
                sigma_steps=grid.sigma_steps, kind=grid.kind,
            )) * grid.unit
            for copies in wanted
            for j in range(copies.draws)
        ]
    ).astype(np.float32)  # fmt: skip


@pytest.mark.parametrize("kind", ["gaussian", "uniform", "laplace"])
@pytest.mark.parametrize("steps", [0.75, 127.5, 1020.0, 50_000.0])
@pytest.mark.parametrize("width", [1, 30, 196])
def test_copies_are_the_grid_points_and_the_noise_of_their_own_draws(kind: NoiseName, steps: float, width: int) -> None:
    x_int = np.random.default_rng(0).integers(-500, 5000, (3, width)).astype(np.int32)
    for grid in (noise(width, steps, kind=kind), noise(width, np.linspace(0, steps, width), kind=kind)):
        out = np.full((256, width), 7.0, dtype=np.float32)
        assert NoisyInputs(x_int, grid).write(out, WANTED) == 251
        assert np.array_equal(out[:251], drawn_one_by_one(x_int, WANTED, grid))
        assert (out[251:] == 7).all()


def test_the_vector_of_the_specification_comes_out_of_a_batch() -> None:
    """CERTIFICATION.md 8.2: key 0x0123456789abcdef, sample 7, stream 2, draw 3, sigma 0.5 on a grid of 1/4080."""
    grid = noise(6, 0.5 * 4080, unit=1.0)
    out = np.zeros((256, 6), dtype=np.float32)
    NoisyInputs(np.zeros((2, 6), dtype=np.int32), grid).write(out, WANTED[:2])
    assert out[0].tolist() == [497, -1882, -1257, -1190, -2578, 3815]


@pytest.mark.parametrize(("steps", "kind"), [(63.75, "gaussian"), (2040.0, "gaussian"), (255.0, "laplace")])
def test_cells_of_the_table_hold_the_one_step_of_all_their_words(steps: float, kind: NoiseName) -> None:
    """First, last and random words of every cell, computed in full."""
    table = noisy_inputs._table(kind, steps)
    cells = np.arange(len(table), dtype=np.uint64) * np.uint64(2**64 // len(table))
    offsets = np.random.default_rng(1).integers(0, 2**64 // len(table), (3, len(table)), dtype=np.uint64)
    offsets[1:, :] = [[0], [2**64 // len(table) - 1]]
    clear = table != noisy_inputs.UNCLEAR
    for offset in offsets:
        exact = np.rint(noisy_inputs._standard_noise(kind, cells + offset) * steps)
        assert np.array_equal(exact[clear], table[clear])
    assert 0.5 < clear.mean() < 1


def test_pieces_of_the_cache_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    x_int = np.random.default_rng(0).integers(0, 4080, (3, 3, 5, 5)).astype(np.int32)
    grid = GridNoise(key0=KEY0, sigma_steps=np.full((3, 5, 5), 1020.0), unit=np.full((3, 5, 5), 1 / 4080))
    whole, small = np.zeros((2, 256, 75), dtype=np.float32)
    NoisyInputs(x_int, grid).write(whole, WANTED)
    monkeypatch.setattr(noisy_inputs, "PIECE_WORDS", 153)
    NoisyInputs(x_int, grid).write(small, WANTED)
    assert whole.any()
    assert np.array_equal(whole, small)


def test_nothing_clips_and_coordinates_near_the_largest_integers_are_exact() -> None:
    x_int = np.array([[2**31 - 1, -(2**31), 0, 4080]], dtype=np.int32)
    out = np.zeros((256, 4), dtype=np.float32)
    grid = noise(4, 2040.0, unit=1.0)
    wanted = [Copies(place=0, sample_id=1, stream=Stream.ESTIMATION, first=0, draws=256)]
    NoisyInputs(x_int, grid).write(out, wanted)
    assert np.array_equal(out, drawn_one_by_one(x_int, wanted, grid))
    assert out[:, 3].min() < 0
    assert out[:, 3].max() > 4080


def test_a_batch_that_is_no_whole_array_is_written_all_the_same() -> None:
    x_int, grid = np.zeros((3, 9), dtype=np.int32), noise(9, 127.5)
    wide, whole = np.zeros((256, 20), dtype=np.float32), np.zeros((256, 9), dtype=np.float32)
    NoisyInputs(x_int, grid).write(wide[:, 3:12], WANTED)
    NoisyInputs(x_int, grid).write(whole, WANTED)
    assert np.array_equal(wide[:, 3:12], whole)


def test_samples_that_are_not_on_the_grid_are_refused() -> None:
    with pytest.raises(InputError, match="expected integer grid coordinates, got float64; pass x_int, not x"):
        NoisyInputs(np.array([[0.1, 0.2]]), noise(2, 1.0))


def test_draws_beyond_the_counter_are_refused() -> None:
    copies = Copies(place=0, sample_id=1, stream=Stream.ESTIMATION, first=2**63, draws=1)
    with pytest.raises(InputError, match="expected blocks within 2\\^64"):
        NoisyInputs(np.zeros((1, 9), dtype=np.int32), noise(9, 1.0)).write(np.zeros((256, 9), np.float32), [copies])
