import pytest
import torch
from torch import nn

from robustcert.bounds.network import Network
from robustcert.bounds.tolerance import feature_tolerances
from robustcert.bounds.tracing import network_of
from robustcert.errors import InputError
from tests.bounds.networks import all_networks


def linear_network() -> Network:
    """Class 0 wherever x_0 - 2 x_1 + 1 > 0; the third feature has no say."""
    layer = nn.Linear(3, 2)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[1.0, -2.0, 0.0], [0.0, 0.0, 0.0]]))
        layer.bias.copy_(torch.tensor([1.0, 0.0]))
    return network_of(layer, input_shape=(3,))


def test_tolerances_of_a_linear_classifier_end_at_its_boundary() -> None:
    least, largest = feature_tolerances(
        linear_network(), torch.zeros(3), torch.full((3,), -4.0), torch.full((3,), 4.0), bisections=30
    )
    assert least.tolist() == pytest.approx([-1.0, -4.0, -4.0], abs=1e-6)
    assert largest.tolist() == pytest.approx([4.0, 0.5, 4.0], abs=1e-6)
    assert least[0] >= -1.0
    assert largest[1] <= 0.5


def test_no_single_feature_within_its_tolerance_changes_the_class() -> None:
    module, shape = all_networks()["mlp"]
    network = network_of(module, input_shape=shape)
    x_D = torch.rand(6, generator=torch.Generator().manual_seed(0)).double()
    least, largest = feature_tolerances(network, x_D, x_D - 20.0, x_D + 20.0)
    assert bool((least < x_D).all())
    assert float((largest - least).min()) < 39.0
    label = int(network.forward(x_D[None]).argmax())
    for feature in range(6):
        moved = x_D.repeat(500, 1)
        moved[:, feature] = torch.linspace(float(least[feature]), float(largest[feature]), 500)
        assert bool((network.forward(moved).argmax(dim=1) == label).all())


def test_a_point_outside_its_domain_is_refused() -> None:
    with pytest.raises(InputError, match="x inside its domain"):
        feature_tolerances(linear_network(), torch.zeros(3), torch.ones(3), torch.ones(3))
