import pytest
import torch

from robustcert.bounds.regions import ball, box, margins
from robustcert.errors import InputError

X = torch.tensor([[0.1, 0.5], [0.9, 0.4]])


def test_an_linf_ball_is_a_box_cut_to_its_domain() -> None:
    region = ball("linf", X, 0.2, lower_X=0.0, upper_X=1.0)
    assert region.ball is None
    torch.testing.assert_close(region.lower_BX, torch.tensor([[0.0, 0.3], [0.7, 0.2]]).double())
    torch.testing.assert_close(region.upper_BX, torch.tensor([[0.3, 0.7], [1.0, 0.6]]).double())


def test_an_epsilon_a_sample_and_a_scale_a_feature_multiply() -> None:
    region = ball("l1", X, torch.tensor([0.5, 1.0]), scale_X=torch.tensor([2.0, 1.0]))
    reach = torch.tensor([[1.0, 0.5], [2.0, 1.0]]).double()
    torch.testing.assert_close(region.upper_BX - X.double(), reach)
    assert region.ball is not None
    assert region.ball.epsilon_B.tolist() == [0.5, 1.0]


def test_rows_of_a_region_keep_their_ball() -> None:
    region = ball("l2", X, torch.tensor([0.5, 1.0])).rows(torch.tensor([1]))
    assert len(region) == 1
    assert region.ball is not None
    assert region.ball.epsilon_B.tolist() == [1.0]
    torch.testing.assert_close(region.ball.x_BX, X[1:].double())


def test_margins_leave_the_label_out() -> None:
    assert margins(torch.tensor([1, 0]), 3).tolist() == [
        [[-1.0, 1.0, 0.0], [0.0, 1.0, -1.0]],
        [[1.0, -1.0, 0.0], [1.0, 0.0, -1.0]],
    ]


def test_what_is_no_region_is_refused() -> None:
    with pytest.raises(InputError, match="a box with lower <= upper"):
        box(X + 1, X)
    with pytest.raises(InputError, match="the norm linf, l2 or l1, got 'l0'"):
        ball("l0", X, 0.1)
    with pytest.raises(InputError, match="epsilon >= 0"):
        ball("linf", X, -0.1)
    with pytest.raises(InputError, match="finite inputs"):
        ball("linf", X / 0.0, 0.1)
    with pytest.raises(InputError, match=r"a positive scale for every feature, got 0\.0"):
        ball("l2", X, 0.1, scale_X=torch.tensor([1.0, 0.0]))
    with pytest.raises(InputError, match="a box with lower <= upper"):
        ball("linf", X, 0.01, lower_X=0.5)
