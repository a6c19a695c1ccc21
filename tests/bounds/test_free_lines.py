import torch

from robustcert.bounds.fixed_lines import FixedLines
from robustcert.bounds.free_lines import FreeLines, FreeParameters
from robustcert.bounds.network import Network, Node

NODES = (Node(op="input", inputs=(), shape=(3,)), Node(op="relu", inputs=(0,), shape=(3,)))
RANGES = {0: (torch.tensor([[-1.0, 1.0, -3.0]]).double(), torch.tensor([[3.0, 2.0, -1.0]]).double())}
SAMPLE = torch.tensor([0])


def test_free_slopes_start_at_the_fixed_ones_and_count_where_the_sign_is_open() -> None:
    network, parameters = Network(nodes=NODES), FreeParameters()
    fixed = FixedLines(network, RANGES)
    free = FreeLines(network, fixed, parameters, 9)
    values = torch.tensor([[[2.0, 2.0, 2.0]]]).double()
    assert torch.equal(free.elementwise(1, values, SAMPLE)[0], fixed.elementwise(1, values, SAMPLE)[0])
    with torch.no_grad():
        parameters.slopes[9, 1].fill_(0.25)
    assert free.elementwise(1, values, SAMPLE)[0].tolist() == [[[0.5, 2.0, 0.0]]]


def test_parameters_go_back_to_where_bounds_are_sound() -> None:
    parameters = FreeParameters()
    slope = parameters.slope((9, 1), torch.tensor([0.5, 0.5, 0.5]), least=0.1)
    multiplier = parameters.multiplier((8, 1), torch.zeros(2))
    with torch.no_grad():
        slope.copy_(torch.tensor([-1.0, 0.3, 2.0]))
        multiplier.copy_(torch.tensor([-1.0, 5.0]))
    parameters.clamp()
    torch.testing.assert_close(slope.detach(), torch.tensor([0.1, 0.3, 1.0]))
    assert multiplier.tolist() == [0.0, 5.0]
    own, others = parameters.by_start(9)
    assert (own[0] is slope, others[0] is multiplier) == (True, True)


def test_a_split_s_multiplier_is_taken_off_on_its_own_side() -> None:
    network, parameters = Network(nodes=NODES), FreeParameters()
    split = torch.tensor([[1.0, 0.0, -1.0]])
    free = FreeLines(network, FixedLines(network, RANGES), parameters, 9, splits={1: split})
    values = torch.tensor([[[2.0, 2.0, 2.0]]]).double()
    free.elementwise(1, values, SAMPLE)
    with torch.no_grad():
        parameters.multipliers[9, 1].fill_(0.5)
    assert free.elementwise(1, values, SAMPLE)[0].tolist() == [[[1.5, 2.0, 0.5]]]
