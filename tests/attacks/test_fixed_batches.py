"""Oracle: one plain forward pass, and the bits themselves under other batch sizes and orders."""

import torch
from torch import nn

from robustcert.attacks.fixed_batches import (
    FIXED_ROWS,
    in_fixed_batches,
    logits_of,
    predictions_of,
)
from robustcert.models.canonical_execution import canonical_execution


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 10)).requires_grad_(False)


def test_logits_are_those_of_one_plain_forward_pass() -> None:
    module, x = network(), torch.rand(300, 1, 8, 8)
    assert torch.allclose(logits_of(module, x), module(x), atol=1e-5)
    assert torch.equal(predictions_of(module, x), module(x).argmax(dim=1))


def test_logits_have_the_same_bits_in_any_batch_and_order() -> None:
    module, x = network(), torch.rand(300, 1, 8, 8)
    order = torch.randperm(300, generator=torch.Generator().manual_seed(1))
    with canonical_execution():
        logits = logits_of(module, x)
        assert torch.equal(logits_of(module, x[order]), logits[order])
        assert torch.equal(torch.cat([logits_of(module, part) for part in x.split(7)]), logits)


def test_every_call_has_the_same_number_of_rows() -> None:
    seen: list[tuple[int, ...]] = []

    def watch(x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor]:
        seen.append((*x.shape, *y.shape))
        return (x + y[:, None],)

    (total,) = in_fixed_batches(watch, torch.ones(513, 2), torch.arange(513))
    assert seen == [(FIXED_ROWS, 2, FIXED_ROWS)] * 3
    assert torch.equal(total, torch.ones(513, 2) + torch.arange(513)[:, None])


def test_no_rows_give_no_rows() -> None:
    assert logits_of(network(), torch.zeros(0, 1, 8, 8)).shape == (0, 10)
