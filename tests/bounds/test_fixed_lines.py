import torch

from robustcert.bounds.fixed_lines import FixedLines, pool_lines
from robustcert.bounds.network import Network, Node
from robustcert.bounds.patches import to_maps, whole_maps

POOL = Node(op="max_pool", inputs=(0,), shape=(2,), parameters={"windows": torch.tensor([[0, 1], [1, 2]])})
LOWER, UPPER = torch.tensor([[1.0, -1.0, 0.0]]).double(), torch.tensor([[2.0, 0.5, 3.0]]).double()


def test_a_pool_is_its_surest_member_or_at_most_its_ceiling() -> None:
    lines = pool_lines(POOL, LOWER, UPPER)
    assert lines.member_BD.tolist() == [[0, 2]]
    assert lines.sure_BD.tolist() == [[True, False]]
    assert lines.ceiling_BD.tolist() == [[2.0, 3.0]]


def test_a_negative_coefficient_of_an_open_pool_takes_the_ceiling() -> None:
    nodes = (Node(op="input", inputs=(), shape=(3,)), POOL)
    lines = FixedLines(Network(nodes=nodes), {0: (LOWER, UPPER)})
    values, sample_N = torch.tensor([[[-1.0, 4.0], [-1.0, -4.0]]]).double(), torch.tensor([0, 0])
    back, shift = lines.pooled(1, values, sample_N)
    assert back.tolist() == [[[-1.0, 0.0, 4.0], [-1.0, 0.0, 0.0]]]
    assert shift.tolist() == [[0.0, -12.0]]


def test_tiles_and_whole_maps_are_relaxed_alike() -> None:
    generator = torch.Generator().manual_seed(0)
    nodes = (Node(op="input", inputs=(), shape=(2, 3, 4)), Node(op="tanh", inputs=(0,), shape=(2, 3, 4)))
    lower = torch.randn((2, 2, 3, 4), generator=generator, dtype=torch.float64)
    lines = FixedLines(Network(nodes=nodes), {0: (lower, lower + 1.0)})
    values = torch.randn((2, 3, 2, 3, 4), generator=generator, dtype=torch.float64)
    sample_N = torch.tensor([1, 0, 1])
    relaxed, shift = lines.elementwise(1, values, sample_N)
    tiles, tile_shift = lines.elementwise(1, whole_maps(values, sample_N), sample_N)
    assert not isinstance(tiles, torch.Tensor)
    assert isinstance(relaxed, torch.Tensor)
    torch.testing.assert_close(to_maps(tiles), relaxed)
    torch.testing.assert_close(tile_shift, shift)
