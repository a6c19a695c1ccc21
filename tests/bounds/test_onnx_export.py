"""Exported networks against onnxruntime and torch."""

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from robustcert.bounds import onnx_export
from robustcert.bounds.network import UnsupportedOperator
from robustcert.bounds.onnx_export import exported
from robustcert.bounds.tracing import network_of
from robustcert.errors import ValidityError
from robustcert.models.architectures import mlp, resnet, small_cnn


@pytest.mark.parametrize(
    ("module", "shape"),
    [
        (mlp((1, 4, 4), 3, hidden=(8, 8)), (1, 4, 4)),
        (small_cnn((1, 8, 8), 5, width=2), (1, 8, 8)),
        (resnet((3, 8, 8), 4, width=2), (3, 8, 8)),
        (nn.Sequential(nn.Linear(3, 4), nn.LeakyReLU(0.2), nn.Linear(4, 4), nn.Sigmoid(), nn.Linear(4, 2)), (3,)),
    ],
)
def test_onnxruntime_gives_the_modules_outputs(module: nn.Module, shape: tuple[int, ...]) -> None:
    module.eval()
    session = onnxruntime.InferenceSession(exported(network_of(module, input_shape=shape)))
    for seed in range(3):
        x = torch.randn(1, *shape, generator=torch.Generator().manual_seed(seed))
        with torch.no_grad():
            wanted = module(x).numpy()
        np.testing.assert_allclose(session.run(None, {"X": x.numpy()})[0], wanted, atol=1e-5)


def test_an_operator_that_is_not_written_is_named() -> None:
    module = nn.Sequential(nn.Linear(3, 4), nn.GELU(), nn.Linear(4, 2)).eval()
    with pytest.raises(UnsupportedOperator, match="gelu: it is not exported"):
        exported(network_of(module, input_shape=(3,)))


def test_an_export_that_computes_something_else_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    network = network_of(nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).eval(), input_shape=(3,))
    monkeypatch.setitem(onnx_export._WRITERS, "relu", onnx_export._plain("Tanh"))
    with pytest.raises(ValidityError, match="expected an export with the same outputs"):
        exported(network)
