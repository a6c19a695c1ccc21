"""Oracle: closed-form projections, and membership judged in float64 by numpy alone."""

from datetime import date

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from robustcert.attacks.ball import Ball, shrunk, unit_vectors
from robustcert.data.dataset import Dataset, DatasetCard
from robustcert.errors import SpecificationError
from robustcert.specification_data import Provenance
from robustcert.threat_model import ThreatModel

ORDER = {"linf": np.inf, "l2": 2}


def ball(norm: str = "linf", *, epsilon: float = 0.1, scale: list[float], low: float = -1e9, high: float = 1e9) -> Ball:
    scale_X = torch.tensor(scale, dtype=torch.float64)
    lower, upper = torch.full_like(scale_X, low), torch.full_like(scale_X, high)
    return Ball(norm=norm, epsilon=epsilon, scale=scale_X, lower=lower, upper=upper)


def float64_norm(x_adv: torch.Tensor, x: torch.Tensor, scale: torch.Tensor, norm: str) -> np.ndarray:
    movable = (scale > 0).numpy()
    moved = torch.where(x_adv == x.float(), 0.0, x_adv.double() - x)
    difference = moved.numpy()[:, movable] / scale.numpy()[movable]
    return np.linalg.norm(difference, ord=ORDER[norm], axis=1)


@pytest.mark.parametrize("norm", ["linf", "l2"])
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_projected_points_stay_inside_in_float64(norm: str, data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    x = torch.from_numpy(rng.normal(size=(5, 4)) * 10.0 ** rng.integers(-3, 5, size=4))
    epsilon = float(10.0 ** rng.uniform(-3, 1))
    region_ball = ball(norm, epsilon=epsilon, scale=(10.0 ** rng.uniform(-2, 3, size=4)).tolist())
    far = x + 5 * epsilon * region_ball.scale * torch.from_numpy(rng.normal(size=(5, 4)))
    x_adv = region_ball.project(far, x)
    assert x_adv.dtype == torch.float32
    assert (float64_norm(x_adv, x, region_ball.scale, norm) <= epsilon * (1 + 1e-12)).all()
    assert region_ball.contains(x_adv, x).all()


def test_linf_projection_clips_each_coordinate_to_its_own_scale() -> None:
    x = torch.tensor([[0.5, 4.0]], dtype=torch.float64)
    x_adv = ball(epsilon=0.25, scale=[1.0, 2.0]).project(x + torch.tensor([[9.0, -9.0]]), x)
    assert x_adv.tolist() == [[0.75, 3.5]]


def test_l2_projection_scales_the_difference_back() -> None:
    x = torch.zeros(1, 2, dtype=torch.float64)
    x_adv = ball("l2", epsilon=1.0, scale=[1.0, 1.0]).project(torch.tensor([[3.0, 4.0]]), x)
    assert x_adv[0].tolist() == pytest.approx([0.6, 0.8], abs=1e-7)


def test_points_inside_are_left_alone() -> None:
    x = torch.zeros(1, 2, dtype=torch.float64)
    inside = torch.tensor([[0.25, -0.5]])
    assert torch.equal(ball("l2", epsilon=1.0, scale=[1.0, 1.0]).project(inside, x), inside)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_fixed_coordinates_and_bounds_hold_exactly(norm: str) -> None:
    x = torch.tensor([[0.1, 0.9, 0.3]], dtype=torch.float64)
    x_adv = ball(norm, epsilon=5.0, scale=[1.0, 1.0, 0.0], low=0.0, high=1.0).project(x + 3.0, x)
    assert x_adv[0, 2] == x[0, 2].float()
    assert x_adv[0, 0] <= 1.0
    assert x_adv[0, 1] <= 1.0


def test_bounds_that_float32_can_not_hold_are_rounded_inward() -> None:
    x = torch.tensor([[0.05]], dtype=torch.float64)
    x_adv = ball(epsilon=1.0, scale=[1.0], low=0.0, high=0.1).project(torch.tensor([[7.0]]), x)
    assert x_adv.double().item() <= 0.1
    assert x_adv.item() == np.nextafter(np.float32(0.1), np.float32(0))


def test_contains_refuses_too_far_out_of_bounds_and_fixed() -> None:
    region_ball = ball(epsilon=0.1, scale=[1.0, 0.0], low=0.0, high=1.0)
    x = torch.tensor([[0.95, 0.5]], dtype=torch.float64).expand(4, 2)
    x_adv = torch.tensor([[0.9, 0.5], [0.8, 0.5], [1.01, 0.5], [0.95, 0.51]])
    assert region_ball.contains(x_adv, x).tolist() == [True, False, False, False]
    assert region_ball.distance(x_adv, x)[3] == np.inf


def test_linf_step_follows_the_sign_and_l2_step_the_direction() -> None:
    x = torch.zeros(1, 2)
    gradient = torch.tensor([[3.0, -4.0]])
    linf = ball(epsilon=1.0, scale=[1.0, 2.0]).around(x).ascend(x, gradient, step=0.5)
    l2 = ball("l2", epsilon=1.0, scale=[1.0, 1.0]).around(x).ascend(x, gradient, step=0.5)
    assert linf.tolist() == [[0.5, -1.0]]
    assert l2[0].tolist() == pytest.approx([0.3, -0.4], abs=1e-7)


@pytest.mark.parametrize("size", [1e-38, 1e-20, 1.0, 1e30])
def test_directions_survive_tiny_and_huge_gradients(size: float) -> None:
    units = unit_vectors(torch.tensor([[3.0 * size, 4.0 * size], [0.0, 0.0]]))
    assert units[0].tolist() == pytest.approx([0.6, 0.8], abs=1e-5)
    assert units[1].tolist() == [0.0, 0.0]


def test_only_long_vectors_are_shortened() -> None:
    assert shrunk(torch.tensor([[3.0, 4.0], [0.3, 0.4], [0.0, 0.0]]), radius=1.0).norm(dim=1).tolist() == pytest.approx(
        [1.0, 0.5, 0.0]
    )


def dataset(perturbable: list[bool]) -> Dataset:
    provenance = {"source": "made for this test", "licence": "none", "collectedAt": str(date(2024, 1, 1))}
    card = DatasetCard(
        kind="tabular",
        shape=(2,),
        classes=("a", "b"),
        source="test",
        source_sha256="0" * 64,
        provenance=Provenance.model_validate(provenance),
        transforms=(),
    )
    return Dataset(
        card=card,
        x_int=np.array([[0, 8], [16, 24]], np.int32),
        y=np.array([0, 1]),
        sample_ids=np.array([0, 1]),
        split=np.array([2, 2], np.int8),
        unit=np.array([0.25, 0.25]),
        scale=np.array([2.0, 3.0]),
        lower=np.array([0.0, 0.0]),
        upper=np.array([10.0, 10.0]),
        perturbable=np.array(perturbable),
    )


def threat(**changes: object) -> ThreatModel:
    written = {"name": "t", "norm": "linf", "epsilon": 0.1, "unit": "feature_std", "bounds": "contract"}
    return ThreatModel.model_validate({**written, "access": "gradients", "goal": "untargeted", **changes})


def test_a_threat_in_standard_deviations_takes_them_from_the_data_set() -> None:
    found = Ball.from_threat(threat(), dataset([True, False]))
    assert found.scale.tolist() == [2.0, 0.0]
    assert found.epsilon == 0.1
    assert found.upper.tolist() == [10.0, 10.0]
    assert Ball.from_threat(threat(unit="1/255"), dataset([True, True]), epsilon=3.0).scale.tolist() == [1 / 255] * 2


def test_own_bounds_replace_the_contract_and_must_hold_every_sample() -> None:
    wide = Ball.from_threat(threat(bounds=(-5.0, 50.0)), dataset([True, True]))
    assert (wide.lower.tolist(), wide.upper.tolist()) == ([-5.0, -5.0], [50.0, 50.0])
    with pytest.raises(SpecificationError, match=r"every sample within the bounds of threat 't', got 1 outside; widen"):
        Ball.from_threat(threat(bounds=(0.0, 3.0)), dataset([True, True]))


def test_a_threat_that_may_change_nothing_is_refused() -> None:
    with pytest.raises(SpecificationError, match="a feature that threat 't' may change, got none; set perturbable"):
        Ball.from_threat(threat(), dataset([False, False]))


def test_a_region_moves_to_a_device_with_everything_in_it() -> None:
    moved = ball(scale=[1.0, 2.0]).around(torch.rand(3, 2)).to(torch.device("meta"))
    tensors = [moved.x_BX, moved.clean_BX, moved.lowest_BX, moved.highest_BX]
    tensors += [moved.ball.scale, moved.ball.lower, moved.ball.upper]
    assert {tensor.device.type for tensor in tensors} == {"meta"}
    assert (moved.ball.norm, moved.ball.epsilon) == ("linf", 0.1)
