"""Folded networks against torch: convolutions, pooling, residual additions, leaky ReLU, concatenation."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from robustcert.bounds import dense_folding
from robustcert.bounds.dense_folding import TooLarge, fold
from robustcert.bounds.network import UnsupportedOperator
from robustcert.bounds.tracing import network_of
from robustcert.models.architectures import resnet, small_cnn


class Joined(nn.Module):
    """Two branches of different depth behind one another."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two, self.last = nn.Linear(4, 3), nn.Linear(3, 2), nn.Linear(9, 3)

    def forward(self, x_BD: Tensor) -> Tensor:
        hidden_BM = torch.relu(self.one(x_BD))
        joined_BM = torch.cat([x_BD, hidden_BM, torch.relu(self.two(hidden_BM))], dim=1)
        return self.last(joined_BM)


def pooled() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1),
        nn.LeakyReLU(0.1),
        nn.MaxPool2d(3, 2, padding=1),
        nn.Conv2d(3, 2, 2),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(2, 3),
    )


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda: small_cnn((1, 8, 8), 10, width=2), (1, 8, 8)),
        (lambda: resnet((3, 8, 8), 4, width=2), (3, 8, 8)),
        (pooled, (1, 8, 8)),
        (Joined, (4,)),
    ],
)
def test_a_folded_network_computes_what_the_module_computes(make: object, shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    module = make().double().eval()
    for norm in (part for part in module.modules() if isinstance(part, nn.BatchNorm2d)):
        norm.running_mean.uniform_(-1, 1)
        norm.running_var.uniform_(0.5, 2)
    dense = fold(network_of(module.float(), input_shape=shape))
    x = torch.randn(6, *shape, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        wanted = module.double()(x.double()).numpy()
    np.testing.assert_allclose(dense.forward(x.flatten(1).double().numpy()), wanted, atol=1e-9)


def test_an_activation_without_an_exact_form_is_named() -> None:
    module = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 2)).eval()
    with pytest.raises(UnsupportedOperator, match="unsupported operator tanh: exact verification"):
        fold(network_of(module, input_shape=(2,)))


def test_a_network_that_would_not_fit_is_said_to_be_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    module = nn.Sequential(nn.Linear(20, 30), nn.ReLU(), nn.Linear(30, 2)).eval()
    monkeypatch.setattr(dense_folding, "MOST_WEIGHTS", 500)
    with pytest.raises(TooLarge, match="dense weights, more than 500"):
        fold(network_of(module, input_shape=(20,)))
