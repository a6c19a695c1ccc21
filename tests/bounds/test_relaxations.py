import math

import numpy as np
import pytest
import torch
from scipy.optimize import linprog
from torch import Tensor

from robustcert.bounds.network import Node
from robustcert.bounds.operators import activation
from robustcert.bounds.relaxations import lines_of, smooth_of, value_range

NODES = {
    "relu": Node(op="relu", inputs=(0,), shape=()),
    "leaky relu": Node(op="leaky_relu", inputs=(0,), shape=(), parameters={"slope": 0.1}),
    "tanh": Node(op="tanh", inputs=(0,), shape=()),
    "sigmoid": Node(op="sigmoid", inputs=(0,), shape=()),
    "gelu": Node(op="gelu", inputs=(0,), shape=(), parameters={"approximate": "none"}),
    "tanh gelu": Node(op="gelu", inputs=(0,), shape=(), parameters={"approximate": "tanh"}),
}
SMOOTH = ("tanh", "sigmoid", "gelu", "tanh gelu")


def intervals() -> tuple[Tensor, Tensor]:
    """Random intervals of every size, and degenerate ones."""
    generator = torch.Generator().manual_seed(0)
    middle = torch.randn(400, generator=generator, dtype=torch.float64) * 3
    half = 10.0 ** (torch.rand(400, generator=generator, dtype=torch.float64) * 18 - 14)
    special = [(0.0, 0.0), (-1e-300, 1e-300), (-1e-9, 1.0), (-1.0, 1e-9), (-1e6, 1e6), (-1e6, -1e6), (2.0, 2.0)]
    special += [(-math.sqrt(2), math.sqrt(2)), (-0.0, 5.0), (-5.0, 0.0), (-800.0, 1.0), (-1.0, 800.0), (30.0, 1e5)]
    ends = torch.tensor(special, dtype=torch.float64)
    return torch.cat((middle - half, ends[:, 0])), torch.cat((middle + half, ends[:, 1]))


@pytest.mark.parametrize("name", NODES)
def test_both_lines_hold_on_a_grid_of_random_and_degenerate_intervals(name: str) -> None:
    node, (lower, upper) = NODES[name], intervals()
    lines = lines_of(node, lower, upper)
    z = lower + torch.linspace(0, 1, 501, dtype=torch.float64)[:, None] * (upper - lower)
    z = torch.minimum(torch.maximum(z, lower), upper)
    value, rounding = activation(node, z), 1e-14 * (1.0 + torch.maximum(lower.abs(), upper.abs()))
    assert bool((lines.lower_slope * z + lines.lower_shift <= value + rounding).all())
    assert bool((lines.upper_slope * z + lines.upper_shift >= value - rounding).all())


@pytest.mark.parametrize("name", SMOOTH)
def test_smooth_lines_leave_little_more_area_than_the_best_lines_of_a_linear_program(name: str) -> None:
    node = NODES[name]
    for low, high in ((-2.0, 1.0), (-0.5, 3.0), (-4.0, -0.3), (0.2, 2.5), (-3.0, 3.0)):
        lines = lines_of(node, torch.tensor([low]).double(), torch.tensor([high]).double())
        z = torch.linspace(low, high, 400, dtype=torch.float64)
        value, middle = activation(node, z), (low + high) / 2
        rows, values = np.stack((z.numpy(), np.ones(400)), axis=1), value.numpy()
        above = linprog([middle, 1.0], A_ub=-rows, b_ub=-values, bounds=(None, None))
        below = linprog([-middle, -1.0], A_ub=rows, b_ub=values, bounds=(None, None))
        upper = float(lines.upper_slope * middle + lines.upper_shift)
        lower = float(lines.lower_slope * middle + lines.lower_shift)
        assert above.fun - 1e-6 <= upper <= above.fun + 2e-3
        assert -below.fun - 2e-3 <= lower <= -below.fun + 1e-6


@pytest.mark.parametrize("name", SMOOTH)
def test_slopes_and_curvature_are_those_of_the_function(name: str) -> None:
    f = smooth_of(NODES[name])
    z = torch.linspace(-6, 6, 2001, dtype=torch.float64, requires_grad=True)
    slope = torch.autograd.grad(f.value(z).sum(), z)[0]
    torch.testing.assert_close(f.slope(z).detach(), slope, rtol=1e-9, atol=1e-12)
    curvature = torch.autograd.grad(f.slope(z).sum(), z)[0]
    edges = (-math.inf, *f.inflections, math.inf)
    for place, convex in enumerate(f.convex):
        piece = curvature[(z > edges[place] + 1e-6) & (z < edges[place + 1] - 1e-6)]
        assert bool(((piece >= -1e-12) if convex else (piece <= 1e-12)).all())


def test_the_lower_line_of_a_relu_leaves_the_lesser_area() -> None:
    lines = lines_of(NODES["relu"], torch.tensor([-1.0, -3.0, -2.0]).double(), torch.tensor([3.0, 1.0, 2.0]).double())
    assert lines.lower_slope.tolist() == [1.0, 0.0, 0.0]
    assert lines.upper_slope.tolist() == [0.75, 0.25, 0.5]
    assert lines.upper_shift.tolist() == [0.75, 0.75, 1.0]


def test_the_slope_of_a_leaky_relu_is_not_rounded_to_float32() -> None:
    lines = lines_of(NODES["leaky relu"], torch.tensor([-2.0]).double(), torch.tensor([-1.0]).double())
    assert lines.lower_slope.tolist() == [0.1]


def test_the_range_of_a_gelu_has_its_minimum() -> None:
    low, high = value_range(NODES["gelu"], torch.tensor([-2.0, 1.0]).double(), torch.tensor([1.0, 2.0]).double())
    assert low[0].item() == pytest.approx(-0.16997120747, abs=1e-9)  # at -0.7517915, by scipy's minimize_scalar
    assert high[1].item() == pytest.approx(2.0 * 0.97724986805, abs=1e-9)
