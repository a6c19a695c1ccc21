import pytest
import torch
from torch import Tensor

from robustcert.bounds.operators import evaluate
from robustcert.bounds.tracing import network_of
from robustcert.bounds.whole_arrays import through
from tests.bounds.networks import all_networks

NETWORKS = all_networks()
LINEAR = {
    (name, number)
    for name, (module, shape) in NETWORKS.items()
    for number, node in enumerate(network_of(module, input_shape=shape).nodes)
    if node.op in ("linear", "scale", "reshape", "concatenate", "rearrange", "convolution")
}


@pytest.mark.parametrize(("name", "number"), sorted(LINEAR))
def test_a_step_back_is_the_gradient_of_the_step_forth(name: str, number: int) -> None:
    module, shape = NETWORKS[name]
    network = network_of(module, input_shape=shape)
    node = network.nodes[number]
    generator = torch.Generator().manual_seed(0)
    shapes = [network.nodes[source].shape for source in node.inputs]
    inputs = [torch.rand((1, *size), generator=generator, dtype=torch.float64) for size in shapes]
    values = torch.rand((2, 3, *node.shape), generator=generator, dtype=torch.float64)

    def forth(*inputs: Tensor) -> Tensor:
        return (evaluate(node, inputs) * values.flatten(0, 1)).flatten(1).sum(dim=1)

    parts, shift = through(node, values, shapes)
    wanted = torch.autograd.functional.jacobian(forth, tuple(inputs))
    for part, jacobian in zip(parts, wanted, strict=True):
        torch.testing.assert_close(part.flatten(0, 1), jacobian[:, 0])
    at_zero = forth(*(torch.zeros_like(value) for value in inputs)).reshape(2, 3)
    torch.testing.assert_close(shift.double().expand(2, 3), at_zero)
