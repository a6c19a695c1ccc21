"""Predictions. Oracle: the same sums by hand, from a calibration in round numbers."""

from __future__ import annotations

from math import ceil

import pytest
import yaml

from robustcert.errors import InputError
from robustcert.estimate.calibration import Calibration
from robustcert.estimate.prediction import Estimate, predict, sensible_shards, shards_within
from robustcert.specification_file import parse_specification
from tests.chain import small_specification

LENGTHS = {"train": 1000, "validation": 2000, "test": 90}
CALIBRATION = Calibration(
    device="a GPU",
    start=2.0,
    optimizer=1.5,
    epoch=3.0,
    validation=0.5,
    gradient=0.01,
    forward=0.001,
    starting_point=0.0001,
    vote_batch=5.0,
    probe=1.0,
    row=0.25,
    memory_bytes=1 << 30,
)


def estimate() -> Estimate:
    """60 samples of 10 100 draws are ten blocks of six, each of 237 batches of 256 and a probe."""
    document = yaml.safe_load(small_specification())
    document["certification"] |= {"n0": 100, "n": 10_000, "samples": 60}
    specification = parse_specification(yaml.safe_dump(document)).specification
    return predict(specification, LENGTHS, CALIBRATION)


def test_every_step_costs_its_counts_times_the_calibrated_seconds() -> None:
    """Two threats at two epsilons: FGSM, and PGD with 40 steps and 5 restarts, on 24 rows, one batch of 256."""
    found = {step.step: step for step in estimate().steps}
    assert list(found) == ["adversarial_training", "robustness_evaluation", "certification", "certificate_issue"]
    assert found["adversarial_training"].seconds == pytest.approx(1.5 + 8 * 3.5)
    gradients = 1 + 2 * (2 * (1 + 200) + 2 * (1 + 40))
    forwards = 1 + 2 * (2 * (1 + 5) + 2 * 2 + 2 * (1 + 1) + 2)
    starts = 2 * 2 * 24 * 4
    assert found["robustness_evaluation"].seconds == pytest.approx(gradients / 100 + forwards / 1000 + starts / 10_000)
    assert found["certification"].seconds == pytest.approx(10 * ceil(6 * 10_100 / 256) * 5 + 10 * 1)
    assert found["certificate_issue"].seconds == pytest.approx((60 + 24 * 2 * 5) / 4)
    assert [step.device for step in found.values()] == ["a GPU", "a GPU", "a GPU", "cpu"]
    assert f"{gradients} attack steps, {forwards} passes" in found["robustness_evaluation"].work
    assert "8 epochs: 64 updates, 192 attack steps" in found["adversarial_training"].work


def sequential(**options: object) -> Estimate:
    document = yaml.safe_load(small_specification())
    document["certification"] |= {"n0": 100, "n": 10_000, "samples": 60, "method": "group-sequential"} | options
    return predict(parse_specification(yaml.safe_dump(document)).specification, LENGTHS, CALIBRATION)


def test_a_method_that_stops_early_costs_between_unanimous_votes_and_all_of_them() -> None:
    """Radius 0.25 of sigma 0.25 takes some hundred unanimous votes; a fixed number of votes is known before."""
    (found,) = (step for step in sequential().steps if step.step == "certification")
    assert found.span is not None
    least, most = found.span
    assert most == pytest.approx(60 * 10_100 / 256 * 5, rel=0.01)
    assert 60 * 132 / 256 * 5 < least < 60 * 400 / 256 * 5
    assert least < found.seconds < most
    assert all(step.span is None for step in estimate().steps)


def test_without_training_there_is_no_such_step() -> None:
    document = yaml.safe_load(small_specification())
    document.pop("training")
    document["model"] = {"onnx": "own.onnx"}
    specification = parse_specification(yaml.safe_dump(document)).specification
    found = predict(specification, LENGTHS, CALIBRATION)
    assert found.steps[0].step == "robustness_evaluation"


@pytest.mark.parametrize("shards", [1, 3, 10])
def test_shards_share_the_blocks_and_each_starts_a_process(shards: int) -> None:
    found = estimate()
    serial = sum(step.seconds for step in found.steps if step.step != "certification") + 5 * 2
    assert found.wall(shards) == pytest.approx(serial + 2 + ceil(10 / shards) * 1186)
    assert found.total(shards) == pytest.approx(serial + 11_860 + shards * 2)
    assert found.processes(shards) == 5 + shards


def test_more_shards_than_blocks_are_as_many_as_blocks() -> None:
    assert (estimate().wall(99), estimate().total(99)) == (estimate().wall(10), estimate().total(10))


def test_the_fewest_shards_that_end_in_time_are_chosen() -> None:
    found = estimate()
    for shards in (1, 2, 4, 5, 10):
        assert shards_within(found, found.wall(shards)) == shards
    assert shards_within(found, found.wall(5) + 0.5) == 5
    assert shards_within(found, 1e9) == 1


def test_a_time_that_no_number_of_shards_keeps_is_refused() -> None:
    least = ceil(estimate().wall(10))
    with pytest.raises(InputError, match=rf"^expected at least {least} s with any number of shards, got 60 s; allow"):
        shards_within(estimate(), 60)


def test_where_nothing_is_asked_for_starts_take_a_twentieth_at_most() -> None:
    assert sensible_shards(estimate()) == 10
    found = estimate()
    document = yaml.safe_load(small_specification())
    few = predict(parse_specification(yaml.safe_dump(document)).specification, LENGTHS, CALIBRATION)
    assert found.certification * 0.05 >= 10 * found.start
    assert sensible_shards(few) == 1
