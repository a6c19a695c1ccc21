"""Oracles: votes counted one by one in float64 numpy; what torch itself says of its state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from robustcert.errors import InputError, ModelError, ValidityError
from robustcert.models.canonical_execution import canonical_execution
from robustcert.smoothing.noise import Stream, integer_noise
from robustcert.smoothing.rounds import Draws
from robustcert.smoothing.tallies import Piece
from robustcert.smoothing.votes import GridNoise, VoteCounter, Votes, count_votes

UNIT = 1 / 4096
KEY0 = 99


class Function(nn.Module):
    """A module that is a function of the batch."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function
        self.eval()

    def forward(self, x_BX: Tensor) -> Tensor:
        return self.function(x_BX)


def noise(shape: tuple[int, ...], *, sigma: float = 0.5) -> GridNoise:
    return GridNoise(key0=KEY0, sigma_steps=np.full(shape, sigma / UNIT), unit=np.full(shape, UNIT))


def count(
    module: nn.Module, *, n_classes: int = 2, draws: int = 300, shape: tuple[int, ...] = (3,), **changes: Any
) -> Votes:
    wanted: dict[str, Any] = {"noise": noise(shape), "sample_id": 4, "stream": Stream.ESTIMATION} | changes
    return count_votes(module, np.full(shape, 1000), draws=draws, n_classes=n_classes, **wanted)


def constant(*logits: float) -> nn.Module:
    return Function(lambda x: torch.tensor(logits).expand(len(x), -1))


@pytest.mark.parametrize("draws", [1, 255, 256, 257, 1000])
def test_votes_equal_those_counted_one_by_one_in_float64(draws: int) -> None:
    weights = np.array([[0.5, -2.0, 1.0], [1.0, 1.0, -1.0], [-1.0, 0.25, 2.0]])
    module = Function(lambda x: x.double() @ torch.from_numpy(weights).T)
    x_int = np.array([1000, -300, 20])
    found = count_votes(module, x_int, noise=noise((3,)), sample_id=4, stream=Stream.PILOT, draws=draws, n_classes=3)
    expected = [0, 0, 0]
    for j in range(draws):
        eps = integer_noise(
            KEY0, sample_id=4, stream=Stream.PILOT, first_draw=j, draws=1, sigma_steps=np.full(3, 0.5 / UNIT)
        )
        expected[int(np.argmax(weights @ ((x_int + eps[0]) * UNIT)))] += 1
    assert found == Votes(sample_id=4, stream=Stream.PILOT, draws=draws, counts=tuple(expected), fragile=0)


@pytest.mark.parametrize(
    ("logits", "counts", "fragile"),
    [
        ((0.0, 1.0), (0, 300), 0),
        ((0.0, 1.1e-4), (0, 300), 0),
        ((0.0, 0.9e-4), (0, 0), 300),
        ((2.0, 2.0), (0, 0), 300),
        ((float("nan"), 1.0), (0, 0), 300),
        ((float("inf"), float("inf")), (0, 0), 300),
        ((float("-inf"), 1.0), (0, 300), 0),
    ],
)
def test_votes_that_are_close_or_no_number_are_fragile(
    logits: tuple[float, ...], counts: tuple[int, ...], fragile: int
) -> None:
    found = count(constant(*logits))
    assert (found.counts, found.fragile) == (counts, fragile)


def test_the_last_batch_is_filled_up_but_only_draws_are_counted() -> None:
    sizes: list[int] = []

    def see(x: Tensor) -> Tensor:
        sizes.append(len(x))
        return torch.stack([x[:, 0] * 0, x.abs().sum(1) > 0], dim=1)

    found = count(Function(see), draws=300)
    assert sizes == [256, 256]
    assert found.counts == (0, 300)


def test_votes_are_counted_on_one_thread_without_gradients_or_lower_precision_and_all_is_put_back() -> None:
    seen: dict[str, Any] = {}

    def state() -> dict[str, Any]:
        return {
            "threads": torch.get_num_threads(),
            "inference": torch.is_inference_mode_enabled(),
            "deterministic": torch.are_deterministic_algorithms_enabled(),
            "precision": torch.get_float32_matmul_precision(),
            "autocast": torch.is_autocast_enabled("cpu"),
        }

    def see(x: Tensor) -> Tensor:
        seen.update(state())
        return torch.nn.functional.linear(x, torch.ones(2, 3))

    torch.set_float32_matmul_precision("medium")
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            before = state()
            count(Function(see), draws=1)
            assert state() == before
    finally:
        torch.set_float32_matmul_precision("highest")
        torch.set_num_threads(threads)
    assert seen == {
        "threads": 1, "inference": True, "deterministic": True, "precision": "highest", "autocast": False
    }  # fmt: skip
    assert before == {
        "threads": 2, "inference": False, "deterministic": False, "precision": "medium", "autocast": True
    }  # fmt: skip


def test_votes_do_not_change_with_the_callers_threads_or_autocast() -> None:
    module = nn.Sequential(nn.Linear(3, 32), nn.ReLU(), nn.Linear(32, 2)).eval()
    before = count(module)
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert count(module) == before
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("part", ["the model", "1"])
def test_a_model_in_training_mode_is_refused(part: str) -> None:
    module = nn.Sequential(nn.Linear(3, 2), nn.Dropout()).eval()
    (module if part == "the model" else module[1]).train()
    with pytest.raises(ModelError, match=rf"expected a model in eval mode, got {part} in training mode; call \.eval"):
        count(module)


@pytest.mark.parametrize("wrong", [lambda x: x, lambda x: x[:, 0], lambda x: x[:5, :2], lambda x: x[:, :2, None]])
def test_other_than_one_row_of_logits_per_input_is_refused(wrong: Callable[[Tensor], Tensor]) -> None:
    with pytest.raises(ModelError, match=r"expected logits \(256, 2\), got \("):
        count(Function(wrong))


def test_samples_that_are_not_on_the_grid_are_refused() -> None:
    with pytest.raises(InputError, match="expected integer grid coordinates, got float64; pass x_int, not x"):
        count_votes(
            constant(0, 1),
            np.array([0.1, 0.2, 0.3]),
            noise=noise((3,)),
            sample_id=0,
            stream=Stream.PILOT,
            draws=1,
            n_classes=2,
        )


def test_votes_that_do_not_add_up_are_refused() -> None:
    with pytest.raises(ValidityError, match="expected 10 votes, got 8 votes and 1 fragile ones"):
        Votes(sample_id=0, stream=Stream.PILOT, draws=10, counts=(3, 5), fragile=1)


def test_the_winner_of_a_tie_is_the_first_class() -> None:
    assert Votes(sample_id=0, stream=Stream.PILOT, draws=10, counts=(1, 4, 4), fragile=1).winner() == 1


def test_a_batch_goes_where_the_module_lies() -> None:
    """torch's meta device stands in for a GPU: it takes a batch, and gives no logits back."""
    module, seen = nn.Linear(3, 2, device="meta").eval(), []
    module.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].device.type))
    counter = VoteCounter(module, np.zeros((1, 3), dtype=np.int32), noise=noise((3,)), n_classes=2)
    with pytest.raises(NotImplementedError, match="meta tensor"):
        counter.logits(torch.zeros(256, 3))
    assert seen == ["meta"]


def test_a_batch_of_several_samples_and_streams_is_counted_piece_by_piece() -> None:
    """Each piece of a mixed batch as when it is drawn by itself."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 4)).eval()
    x_int = np.random.default_rng(0).integers(-4000, 4000, (3, 3)).astype(np.int32)
    pieces = [(0, Stream.ESTIMATION, 0, 100), (2, Stream.SELECTION, 30, 7), (1, Stream.ESTIMATION, 50, 149)]
    drawn = [
        Draws(place=place, sample_id=place, piece=Piece(stream=stream, first=first, draws=draws))
        for place, stream, first, draws in pieces
    ]
    counter = VoteCounter(module, x_int, noise=noise((3,)), n_classes=4)
    with canonical_execution(), torch.inference_mode():
        together = counter.count(drawn)
        alone = [counter.count([one])[0] for one in reversed(drawn)][::-1]
    assert together.sum(axis=1).tolist() == [100, 7, 149]
    assert np.array_equal(together, alone)
    assert (together > 0).sum() > 6


def test_votes_are_counted_in_canonical_execution_or_not_at_all() -> None:
    counter = VoteCounter(constant(0, 1), np.zeros((1, 3), dtype=np.int32), noise=noise((3,)), n_classes=2)
    drawn = [Draws(place=0, sample_id=0, piece=Piece(stream=Stream.PILOT, first=0, draws=1))]
    with pytest.raises(AssertionError, match="inference mode"):
        counter.count(drawn)


def test_bfloat16_votes_are_those_of_another_classifier_and_repeat() -> None:
    """Near the boundary some differ from those in float32, as those of torch's autocast do."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 64), nn.ReLU(), nn.Linear(64, 2)).eval()
    with torch.no_grad():
        module[2].bias += torch.tensor([1.0, -1.0]) * module(torch.full((1, 3), 1000 * UNIT)).diff()[0] / 2
    exact = count(module, draws=5000)
    rough = count(module, draws=5000, precision="bfloat16")
    assert rough == count(module, draws=5000, precision="bfloat16")
    assert rough != exact
    assert abs(rough.counts[0] - exact.counts[0]) < 100
