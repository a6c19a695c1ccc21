import io

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from robustcert.bounds.network import Network, UnsupportedOperator
from robustcert.bounds.tracing import network_of
from robustcert.errors import ModelError
from robustcert.models.onnx_import import import_onnx
from tests.bounds.networks import all_networks

NETWORKS = all_networks()


class Function(nn.Module):
    """A module out of one function and one layer that it may use."""

    def __init__(self, function: object) -> None:
        super().__init__()
        self.function, self.layer = function, nn.Linear(4, 4)

    def forward(self, x_BD: Tensor) -> Tensor:
        return self.function(self.layer, x_BD)


def traced(function: object) -> Network:
    return network_of(Function(function).eval(), input_shape=(4,))


@pytest.mark.parametrize("name", NETWORKS)
def test_a_traced_network_computes_what_torch_computes(name: str) -> None:
    module, shape = NETWORKS[name]
    x = torch.rand((5, *shape), generator=torch.Generator().manual_seed(3)) * 3 - 1
    with torch.no_grad():
        wanted = module.double()(x.double())
    module.float()
    torch.testing.assert_close(network_of(module, input_shape=shape).forward(x), wanted, rtol=1e-6, atol=1e-6)


@pytest.mark.filterwarnings("ignore:You are using the legacy TorchScript-based ONNX export:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:The feature will be removed:DeprecationWarning")
@pytest.mark.parametrize("name", ["mlp", "convolutions", "classifier", "small max pool", "leaky relu", "resnet"])
def test_an_onnx_file_of_a_network_is_traced_to_the_same_function(name: str) -> None:
    module, shape = NETWORKS[name]
    file = io.BytesIO()
    torch.onnx.export(module, (torch.zeros(1, *shape),), file, dynamo=False, opset_version=17)
    graph, _ = import_onnx(file.getvalue(), source="test.onnx")
    x = torch.rand((2, *shape), generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        wanted = module(x).double()
    torch.testing.assert_close(network_of(graph, input_shape=shape).forward(x), wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("operator", "function"),
    [
        ("softmax", lambda layer, x: functional.softmax(layer(x), dim=1)),
        ("softplus", lambda layer, x: functional.softplus(layer(x))),
        ("mul", lambda layer, x: layer(x) * x),
        ("div", lambda layer, x: layer(x) / (x + 2.0)),
        ("pow", lambda layer, x: layer(x) ** 2),
        ("sum", lambda layer, x: layer(x) if x.sum() > 0 else -layer(x)),
        ("sort", lambda layer, x: layer(x).sort(dim=1).values),
        ("empty_like", lambda layer, x: functional.dropout(layer(x), 0.5, training=True)),
        ("batch_norm", lambda layer, x: functional.batch_norm(layer(x), None, None, training=True)),
        ("mean|sub", lambda layer, x: layer(x) - x.mean(dim=0, keepdim=True)),
        ("permute", lambda layer, x: x @ x.T @ layer(x)),
        ("transposed convolution", lambda layer, x: functional.conv_transpose1d(x[:, None], torch.ones(1, 1, 2))[:, 0]),
        ("copy", lambda layer, x: torch.zeros(len(x), 4).copy_(layer(x))),
    ],
)
def test_an_operator_without_bounds_is_refused_by_name(operator: str, function: object) -> None:
    with pytest.raises(UnsupportedOperator, match=f"unsupported operator ({operator})") as raised:
        traced(function)
    assert isinstance(raised.value, ModelError)
    assert raised.value.operator in operator.split("|")


def test_a_module_whose_output_ignores_its_input_is_refused() -> None:
    with pytest.raises(UnsupportedOperator, match="does not come from the input"):
        traced(lambda layer, x: torch.zeros(len(x), 2))


def test_an_alias_changed_in_place_behind_a_translations_back_is_noticed() -> None:
    def aliased(layer: nn.Module, x: Tensor) -> Tensor:
        h = layer(x)
        view = h.view(-1, 2, 2)
        functional.relu_(view)
        return h * 1.0

    with pytest.raises(UnsupportedOperator, match="does not compute what it computes"):
        traced(aliased)


def test_dropout_and_identity_leave_no_trace_in_eval_mode() -> None:
    module = nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.5), nn.Identity(), nn.ReLU(), nn.Linear(3, 2)).eval()
    assert [node.op for node in network_of(module, input_shape=(4,)).nodes] == ["input", "linear", "relu", "linear"]


def test_a_float64_module_is_traced_in_float64() -> None:
    module = nn.Sequential(nn.Linear(4, 3)).double()
    weight = network_of(module, input_shape=(4,)).nodes[1].parameters["weight"]
    torch.testing.assert_close(weight, module[0].weight.detach(), rtol=0, atol=0)
