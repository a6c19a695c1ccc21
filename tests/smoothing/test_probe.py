"""Every check is shown with a planted violation that nothing else would catch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from robustcert.errors import ModelError, ValidityError
from robustcert.smoothing.noisy_inputs import NoisyInputs
from robustcert.smoothing.probe import probe
from robustcert.smoothing.votes import GridNoise

UNIT = 1 / 4096
SHAPE = (2, 4, 4)
SCALE = np.linspace(0.0, 3.0, 32).reshape(SHAPE)
SIGMA = 0.25


class Planted(nn.Module):
    """A small convolution with `change` applied to its logits and input."""

    def __init__(self, change: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.body = nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(16, 3))
        self.change = change
        self.eval()

    def forward(self, x_BCHW: Tensor) -> Tensor:
        logits_BK: Tensor = self.body(x_BCHW)
        return self.change(logits_BK, x_BCHW)


def run(module: nn.Module, *, factor: float = 1.0) -> None:
    """`factor`: by how much the noise of the votes differs from the declared one."""
    probe(
        module,
        np.arange(32).reshape(SHAPE) * 100,
        noise=GridNoise(key0=1, sigma_steps=factor * SIGMA * SCALE / UNIT, unit=np.full(SHAPE, UNIT)),
        sample_id=7,
        sigma=SIGMA,
        scale=SCALE,
        n_classes=3,
    )


def test_a_model_in_eval_mode_without_cross_row_work_passes_and_keeps_no_hook() -> None:
    module = Planted(lambda logits, _: logits)
    run(module)
    assert not module._forward_pre_hooks


@pytest.mark.parametrize("factor", [0.98, 1.02, 255.0, 1 / 255])
def test_noise_in_another_unit_is_noticed(factor: float) -> None:
    with pytest.raises(ValidityError, match=r"expected inputs x \+ sigma \* scale \* z"):
        run(Planted(lambda logits, _: logits), factor=factor)


@pytest.mark.parametrize(
    ("change", "reason"),
    [(lambda x: x.clip(0, 1), "not be clipped"), (lambda x: (x - 0.5) / 0.5, "enter before normalisation")],
    ids=["clipped", "normalised first"],
)
def test_inputs_that_are_changed_between_noise_and_model_are_noticed(
    monkeypatch: pytest.MonkeyPatch, change: Callable[[Any], Any], reason: str
) -> None:
    original = NoisyInputs.write

    def changed(self: NoisyInputs, out_BD: Any, copies: Any) -> int:
        rows = original(self, out_BD, copies)
        out_BD[:] = change(out_BD)
        return rows

    monkeypatch.setattr(NoisyInputs, "write", changed)
    with pytest.raises(ValidityError, match=reason):
        run(Planted(lambda logits, _: logits))


@pytest.mark.parametrize(
    "change",
    [
        lambda logits, _: nn.functional.dropout(logits, training=True),
        lambda logits, _: logits + 1e-6 * torch.randn_like(logits),
    ],
)
def test_hidden_randomness_is_noticed(change: Callable[[Tensor, Tensor], Tensor]) -> None:
    with pytest.raises(ModelError, match="expected equal logits for an equal batch"):
        run(Planted(change))


@pytest.mark.parametrize(
    "change",
    [
        lambda logits, _: logits - logits.mean(0),
        lambda logits, x: logits + x.abs().amax(),
        lambda logits, _: logits + torch.arange(len(logits))[:, None] * 1e-3,
        lambda logits, _: nn.functional.batch_norm(logits, None, None, training=True),
    ],
)
def test_logits_that_depend_on_the_batch_are_noticed(change: Callable[[Tensor, Tensor], Tensor]) -> None:
    with pytest.raises(ModelError, match=r"expected logits of a row alone, got a change of .* with other rows"):
        run(Planted(change))


def test_batch_statistics_are_noticed() -> None:
    module = Planted(lambda logits, _: logits)
    module.body[1].train()
    with pytest.raises(ModelError, match=r"got body\.1 in training mode"):
        run(module)


def test_a_model_that_gives_nan_is_left_to_abstain() -> None:
    run(Planted(lambda logits, _: logits * float("nan")))
