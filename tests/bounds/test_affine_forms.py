import pytest
import torch

from robustcert.bounds.affine_forms import AffineForms, values_per_sample
from robustcert.bounds.interval import node_intervals
from robustcert.bounds.linear import intermediate_bounds
from robustcert.bounds.regions import ball
from robustcert.bounds.rounding import magnitudes_of
from robustcert.bounds.tracing import network_of
from tests.bounds.inside import drawn
from tests.bounds.networks import all_networks

NETWORKS = all_networks()


@pytest.mark.parametrize("name", ["convolutions", "dilated", "resnet", "classifier", "small max pool"])
def test_forms_enclose_every_neuron_and_are_tighter_than_intervals(name: str) -> None:
    module, shape = NETWORKS[name]
    network = network_of(module, input_shape=shape)
    region = ball("linf", torch.rand((2, *shape), generator=torch.Generator().manual_seed(1)), 0.05, lower_X=0.0)
    ranges, forms = intermediate_bounds(network, region), AffineForms(network, region)
    values = network.values(drawn(region, 300).flatten(0, 1))
    plain, found = node_intervals(network, region, magnitudes_of(network, region)), 0
    for number, node in enumerate(network.nodes):
        interval = forms.interval(number, ranges)
        if interval is None:
            assert node.op not in ("convolution", "add") or any(
                before.op == "max_pool" for before in network.nodes[:number]
            )
            continue
        found += 1
        value_NBX = values[number].reshape(300, 2, *node.shape)
        assert bool(((interval[0] - 1e-9 <= value_NBX) & (value_NBX <= interval[1] + 1e-9)).all())
        if found > 1:
            assert float((interval[1] - interval[0]).sum()) < float((plain[number][1] - plain[number][0]).sum())
    assert found >= 2


def test_the_form_of_a_first_convolution_is_its_interval() -> None:
    module, shape = NETWORKS["convolutions"]
    network = network_of(module, input_shape=shape)
    region = ball("linf", torch.rand((2, *shape), generator=torch.Generator().manual_seed(1)), 0.05)
    forms = AffineForms(network, region)
    assert forms.interval(0, {}) is None
    found, plain = forms.interval(1, {}), node_intervals(network, region, magnitudes_of(network, region))[1]
    assert found is not None
    torch.testing.assert_close(found[0], plain[0])
    torch.testing.assert_close(found[1], plain[1])


def test_there_are_no_forms_for_vectors_or_round_balls() -> None:
    module, shape = NETWORKS["mlp"]
    network = network_of(module, input_shape=shape)
    assert values_per_sample(network) == 1
    forms = AffineForms(network, ball("linf", torch.zeros(1, *shape), 0.1))
    assert [forms.interval(number, {}) for number in range(2)] == [None, None]
    module, shape = NETWORKS["convolutions"]
    network = network_of(module, input_shape=shape)
    assert values_per_sample(network) == max(3 * 3 * 4 * 8 * 8, 5 * 5 * 6 * 4 * 4, 7 * 7 * 4 * 3 * 3)
    round_forms = AffineForms(network, ball("l2", torch.zeros(1, *shape), 0.1))
    assert round_forms.interval(0, {}) is None
    assert round_forms.interval(1, {}) is None
