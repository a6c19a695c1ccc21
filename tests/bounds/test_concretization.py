import pytest
import torch

from robustcert.bounds.concretization import Concretization
from robustcert.bounds.patches import whole_maps
from robustcert.bounds.regions import NormName, ball
from tests.bounds.inside import drawn


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_least_values_are_below_all_draws_and_nearly_reached(norm: NormName) -> None:
    generator = torch.Generator().manual_seed(0)
    x, scale = torch.rand((2, 1, 1, 3), generator=generator), 0.5 + torch.rand((1, 1, 3), generator=generator)
    region = ball(norm, x, 0.4, scale_X=scale, lower_X=0.1, upper_X=0.9)
    values = torch.randn((2, 5, 1, 1, 3), generator=generator, dtype=torch.float64)
    sample_N = torch.tensor([0, 1, 1, 0, 1])
    concretization = Concretization(region)
    least = concretization.least(values, sample_N)
    torch.testing.assert_close(concretization.least(whole_maps(values, sample_N), sample_N), least)
    reached = torch.einsum("vnd,znd->zvn", values.flatten(2), drawn(region, 20000)[:, sample_N].flatten(2))
    assert bool((reached >= least - 1e-12).all())
    if norm == "linf":
        torch.testing.assert_close(reached.amin(dim=0), least)


def test_the_better_of_ball_and_domain_counts() -> None:
    """x = 0 in [0, 1]: along -e_1 the domain ends at once, along e_1 the ball does."""
    region = ball("l2", torch.zeros(1, 2), 0.5, lower_X=0.0, upper_X=1.0)
    values = torch.tensor([[[1.0, 0.0]], [[-1.0, -1.0]]]).double()
    least = Concretization(region).least(values, torch.zeros(1, dtype=torch.int64))
    torch.testing.assert_close(least[:, 0], torch.tensor([0.0, -0.5 * 2**0.5]).double())
