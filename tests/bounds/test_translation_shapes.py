from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from robustcert.bounds.network import UnsupportedOperator
from robustcert.bounds.tracing import network_of
from tests.bounds.test_translation_arithmetic import Function

MOVES: dict[str, Callable[[Tensor], Tensor]] = {
    "view": lambda x: x.view(len(x), -1),
    "permute": lambda x: x.permute(0, 2, 1),
    "transpose": lambda x: x.transpose(1, 2),
    "slice": lambda x: x[:, 1:, ::2],
    "select": lambda x: x[:, 1],
    "index_select": lambda x: x.index_select(2, torch.tensor([2, 0])),
    "flip": lambda x: x.flip(2),
    "unsqueeze": lambda x: x.unsqueeze(2).squeeze(2),
    "expand": lambda x: x.unsqueeze(1).expand(-1, 2, -1, -1),
    "pad": lambda x: functional.pad(x, (1, 0, 0, 2), value=0.5),
    "cat": lambda x: torch.cat([x, x[:, :1]], dim=1),
    "clone": lambda x: x.clone().contiguous().detach(),
}


@pytest.mark.parametrize("name", MOVES)
def test_numbers_are_moved_as_torch_moves_them(name: str) -> None:
    x = torch.rand((4, 3, 4), generator=torch.Generator().manual_seed(0))
    module = Function(lambda x: MOVES[name](x) + 0.0)
    assert torch.equal(network_of(module, input_shape=(3, 4)).forward(x), MOVES[name](x).double())


@pytest.mark.parametrize(
    ("match", "function"),
    [
        ("flip: it mixes the samples", lambda x: x.flip(0)),
        ("transpose: it mixes the samples", lambda x: x.view(len(x), 3, 4).transpose(0, 1)),
        ("view: it mixes the samples", lambda x: x.view(-1, 6).sum(1)),
        ("constant_pad_nd: it (pads|mixes)", lambda x: functional.pad(x, (0, 0, 0, 0, 1, 0))),
        ("cat: a constant among its inputs", lambda x: torch.cat([x, torch.ones(len(x), 1, 4)], dim=1)),
        ("cat: it mixes the samples", lambda x: torch.cat([x, x], dim=0)),
    ],
)
def test_moves_between_samples_are_refused(match: str, function: Callable[[Tensor], Tensor]) -> None:
    with pytest.raises(UnsupportedOperator, match=match):
        network_of(Function(function), input_shape=(3, 4))
