"""Oracles: linear classifiers, of which margin and vote probability are known; one that exploits float noise."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import scipy.stats
import torch
from torch import Tensor, nn

from robustcert.data.dataset import Dataset
from robustcert.errors import DataError, ModelError
from robustcert.models.files import load_model
from robustcert.smoothing import rounds
from robustcert.smoothing.certify import certify, grid_noise
from robustcert.smoothing.decisions import GROUP_SEQUENTIAL as GROUP
from robustcert.smoothing.decisions import looks_of
from robustcert.smoothing.noise import Stream, integer_noise
from robustcert.specification import Certification

KEY0 = 0x0123456789ABCDEF

MakeDataset = Callable[..., Dataset]
MakeCertification = Callable[..., Certification]
MlpFiles = tuple[Path, Path, Dataset]


def test_radii_of_a_linear_classifier_stay_below_its_margins(
    make_dataset: MakeDataset, make_certification: MakeCertification, make_linear: Callable[..., Any]
) -> None:
    """300 samples at alpha = .001: more than 3 false radii happen by chance with probability under 3e-4.

    Votes for class 1 are Bin(1000, Phi(m / sigma)): all 300 within 5 standard errors fails by chance under 2e-4.
    """
    weights, sigma = np.array([3.0, 4.0]) / 5, 0.5
    generator = np.random.Generator(np.random.Philox(8))
    dataset = make_dataset(generator.uniform(-1, 1, (300, 2)), np.zeros(300))
    rows = certify(make_linear(weights), dataset, certification=make_certification(sigma=sigma), key0=KEY0)
    margins = dataset.x() @ weights
    false = sum(float(row["radius"]) > abs(m) or (row["decision"] == "certified" and row["candidate"] != (m > 0))
                for row, m in zip(rows, margins, strict=True))  # fmt: skip
    ones = np.array([dict(map(tuple, row["counts"])).get(1, 0) for row in rows])
    p = scipy.stats.norm.cdf(margins / sigma)
    assert false <= 3
    assert np.all(np.abs(ones - 1000 * p) <= 5 * np.sqrt(1000 * p * (1 - p)) + 1)
    assert sum(row["decision"] == "certified" for row in rows) > 200


def test_radii_in_standard_deviations_scale_the_noise_of_each_feature(
    make_dataset: MakeDataset, make_certification: MakeCertification, make_linear: Callable[..., Any]
) -> None:
    """x_0 > 3 with standard deviation 4: from x_0 = 5 the margin is half a standard deviation, sigma is one.

    Feature 1 may not change, and has no noise: its huge weight changes no vote.
    """
    dataset = make_dataset(
        np.tile([5.0, 0.0], (20, 1)),
        np.ones(20),
        scale=np.array([4.0, 9.0]),
        perturbable=np.array([True, False]),
    )
    certification = make_certification(sigma=1.0, unit="feature_std", n=20_000)
    rows = certify(make_linear([1.0, 1000.0], 3.0), dataset, certification=certification, key0=KEY0)
    radii = [float(row["radius"]) for row in rows]
    assert all(0.45 < radius <= 0.5 for radius in radii)
    assert len(set(radii)) > 10


def test_classifier_that_reads_the_bits_of_float_noise_certifies_nothing_false(
    make_dataset: MakeDataset, make_certification: MakeCertification
) -> None:
    """f knows x0 and asks whether its input can be x0 + noise in float32. Noise added in float32 always answers yes at
    x0 and often no at a neighbour, so x0 would be certified against it; on the grid both give the same answer.
    """
    x0, neighbour = np.full(16, 0.1), np.full(16, 0.6)
    start = np.rint(x0 * 4096).astype(np.int32)
    origin = torch.from_numpy((start / 4096 + 1e-4).astype(np.float32))

    class ReadsBits(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            from_x0 = ((x - origin) + origin == x).all(dim=1)
            return torch.stack([from_x0.float(), 1 - from_x0.float()], dim=1)

    module = ReadsBits().eval()
    normals = torch.from_numpy(np.random.Generator(np.random.Philox(3)).standard_normal((2000, 16)).astype(np.float32))
    naive = [float((module(start_ + 0.25 * normals).argmax(1) == 0).float().mean())
             for start_ in (origin, origin + 0.5)]  # fmt: skip
    assert naive[0] > 0.999
    assert naive[1] < 0.5
    rows = certify(
        SimpleNamespace(module=module),
        make_dataset([x0, neighbour], [0, 0]),
        certification=make_certification(sigma=0.25, n=2000),
        key0=KEY0,
    )
    distance = float(np.linalg.norm(neighbour - x0))
    for row, other in (rows, rows[::-1]):
        claims = row["decision"] == "certified" and float(row["radius"]) >= distance
        assert not (claims and other["decision"] == "certified" and other["candidate"] != row["candidate"])
        assert not claims or dict(map(tuple, other["counts"])).get(row["candidate"], 0) > 900


def test_rows_have_all_facts_and_add_up(mlp_files: MlpFiles, make_certification: MakeCertification) -> None:
    model_path, _, dataset = mlp_files
    rows = certify(load_model(model_path), dataset, certification=make_certification(n=300), key0=KEY0)
    assert [row["sample"] for row in rows] == list(range(100, 140))
    for row, x_int, label in zip(rows, dataset.x_int, dataset.y, strict=True):
        assert row["input"] == hashlib.sha256(x_int.astype("<i4").tobytes()).hexdigest()
        assert row["label"] == label
        assert (row["n0"], row["n"]) == (100, 300)
        assert sum(count for _, count in row["selection"]) + row["selectionFragile"] == 100
        assert sum(count for _, count in row["counts"]) + row["fragile"] == 300
        assert row["counts"] == sorted(row["counts"])
        assert all(count > 0 for _, count in row["counts"])
        assert (row["decision"] == "abstain") == (row["radius"] == "0")
    assert {type(value) for row in rows for value in row.values()} == {int, str, list}


def test_rows_depend_on_neither_order_nor_the_other_samples(
    mlp_files: MlpFiles, make_certification: MakeCertification
) -> None:
    model_path, _, dataset = mlp_files
    certification = make_certification(n0=50, n=300)
    model = load_model(model_path)
    whole = certify(model, dataset, certification=certification, key0=KEY0)
    shuffled = np.random.Generator(np.random.Philox(4)).permutation(dataset.sample_ids)
    assert certify(model, dataset.rows(shuffled), certification=certification, key0=KEY0) == whole
    merged: list[Any] = []
    for part in range(3):
        ids = shuffled[part::3].tolist()
        rows = certify(model, dataset.rows(ids), certification=certification, key0=KEY0)
        assert [row["sample"] for row in rows] == sorted(ids)
        merged += rows
    assert sorted(merged, key=lambda row: row["sample"]) == whole


def test_rows_depend_on_the_key(mlp_files: MlpFiles, make_certification: MakeCertification) -> None:
    model_path, _, dataset = mlp_files
    certification = make_certification(n=300)
    one, other = (certify(load_model(model_path), dataset, certification=certification, key0=key) for key in (1, 2))
    assert sum(a["counts"] != b["counts"] for a, b in zip(one, other, strict=True)) > 20


def test_progress_is_told_after_every_sample(mlp_files: MlpFiles, make_certification: MakeCertification) -> None:
    model_path, _, dataset = mlp_files
    told: list[tuple[int, int]] = []
    some, certification = dataset.rows([101, 105, 100]), make_certification(n0=1, n=100)
    certify(load_model(model_path), some, certification=certification, key0=1, progress=lambda *x: told.append(x))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_without_samples_there_are_no_rows(mlp_files: MlpFiles, make_certification: MakeCertification) -> None:
    model_path, _, dataset = mlp_files
    assert certify(load_model(model_path), dataset.rows([]), certification=make_certification(), key0=1) == []


@pytest.mark.parametrize(("code", "split"), [(0, "train"), (1, "validation")])
def test_samples_on_which_choices_were_made_are_refused(
    make_dataset: MakeDataset,
    make_certification: MakeCertification,
    make_linear: Callable[..., Any],
    code: int,
    split: str,
) -> None:
    dataset = make_dataset(np.zeros((3, 2)), np.zeros(3), split=np.array([2, code, 2], dtype=np.int8))
    with pytest.raises(DataError, match=f"expected samples of the test split, got sample 101 of split {split}"):
        certify(make_linear([1.0, 0.0]), dataset, certification=make_certification(), key0=1)


def test_a_model_that_is_no_function_of_its_row_is_refused(
    make_dataset: MakeDataset, make_certification: MakeCertification
) -> None:
    class Centred(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x - x.mean(0)

    with pytest.raises(ModelError, match="expected logits of a row alone"):
        certify(
            SimpleNamespace(module=Centred().eval()),
            make_dataset(np.zeros((3, 2)), np.zeros(3)),
            certification=make_certification(),
            key0=1,
        )


def test_noise_is_in_steps_of_each_coordinates_grid(
    make_dataset: MakeDataset, make_certification: MakeCertification
) -> None:
    """sigma * s / unit: .5 standard deviations of 2 input units on a grid of 1/8 are 8 steps."""
    dataset = make_dataset(
        np.zeros((1, 3)),
        [0],
        scale=np.array([2.0, 3.0, 2.0]),
        unit=np.array([1 / 8, 1 / 4, 1.0]),
        perturbable=np.array([True, True, False]),
    )
    steps = {
        unit: grid_noise(dataset, make_certification(unit=unit), key0=1).sigma_steps
        for unit in ("input", "feature_std")
    }
    assert steps["feature_std"].tolist() == [8.0, 6.0, 0.0]
    assert steps["input"].tolist() == [4.0, 2.0, 0.0]
    in_255 = grid_noise(dataset, make_certification(unit="1/255"), key0=1).sigma_steps
    assert in_255 == pytest.approx(np.array([4.0, 2.0, 0.0]) / 255)


def test_a_data_set_where_nothing_may_change_is_refused(
    make_dataset: MakeDataset, make_certification: MakeCertification
) -> None:
    dataset = make_dataset(np.zeros((1, 2)), [0], perturbable=np.zeros(2, dtype=bool))
    with pytest.raises(DataError, match="expected a coordinate that may change, got none"):
        grid_noise(dataset, make_certification(), key0=1)


METHODS: list[dict[str, Any]] = [
    {},
    {"candidate": "label"},
    {"candidate": "most-voted", "noise": "uniform"},
    {"method": "group-sequential"},
    {"method": "group-sequential", "noise": "laplace", "candidate": "label"},
    {"method": "adaptive-pilot", "bounds": 2},
    {"method": "adaptive-pilot", "noise": "uniform"},
    {"method": "group-sequential", "precision": "bfloat16"},
]
NAMES = ["-".join(map(str, method.values())) or "fixed-n" for method in METHODS]


class Kept:
    """A checkpoint in memory, through JSON; dies after a number of rounds."""

    def __init__(self, *, lives: int = 1 << 30) -> None:
        self.lives, self.saved = lives, "null"

    def load(self) -> Any:
        return json.loads(self.saved)

    def save(self, states: Any) -> None:
        self.saved, self.lives = json.dumps(states), self.lives - 1
        if self.lives <= 0:
            raise Killed


class Killed(BaseException):
    """Takes the place of a signal."""


@pytest.mark.parametrize("method", METHODS, ids=NAMES)
def test_rows_of_every_method_depend_on_neither_order_company_rounds_nor_restarts(
    mlp_files: MlpFiles, make_certification: MakeCertification, monkeypatch: pytest.MonkeyPatch, method: dict[str, Any]
) -> None:
    """Killed after every round in turn, and started again from what was kept, with rounds of three batches."""
    model, dataset = load_model(mlp_files[0]), mlp_files[2].rows(range(100, 110))
    certification = make_certification(n0=40, n=600, radii=(0.1, 0.5), **method)
    whole = certify(model, dataset, certification=certification, key0=KEY0)
    assert certify(model, dataset.rows(range(109, 99, -1)), certification=certification, key0=KEY0) == whole
    alone = [certify(model, dataset.rows([i]), certification=certification, key0=KEY0)[0] for i in range(100, 110)]
    assert alone == whole
    monkeypatch.setattr(rounds, "ROUND_BATCHES", 3)
    kept, lives = Kept(), 0
    while True:
        kept.lives, lives = 1, lives + 1
        try:
            rows = certify(model, dataset, certification=certification, key0=KEY0, checkpoint=kept)
            break
        except Killed:
            assert lives < 100
    assert rows == whole
    assert lives > 1


def test_a_restart_draws_nothing_again_but_the_round_that_was_lost(
    mlp_files: MlpFiles, make_certification: MakeCertification
) -> None:
    model, dataset = load_model(mlp_files[0]), mlp_files[2]
    certification = make_certification(n0=40, n=3000)
    seen: list[int] = []
    hook = model.module.register_forward_pre_hook(lambda _, given: seen.append(len(given[0])))
    kept = Kept(lives=2)
    with pytest.raises(Killed):
        certify(model, dataset, certification=certification, key0=1, checkpoint=kept)
    before = len(seen)
    kept.lives = 1 << 30
    rows = certify(model, dataset, certification=certification, key0=1, checkpoint=kept)
    hook.remove()
    probes, batches = 5, -(-40 * 3040 // 256)
    assert before == probes + 2 * rounds.ROUND_BATCHES
    assert len(seen) == 2 * probes + batches
    assert rows == certify(model, dataset, certification=certification, key0=1)


def test_a_checkpoint_of_nonsense_costs_its_votes_only(
    mlp_files: MlpFiles, make_certification: MakeCertification
) -> None:
    model, dataset, certification = load_model(mlp_files[0]), mlp_files[2], make_certification(n=3000)
    kept = Kept()
    wanted = certify(model, dataset, certification=certification, key0=1, checkpoint=kept)
    states = json.loads(kept.saved)
    states["101"] = {**states["100"], "estimation": [[[2, 10**9]], 0]}
    states["102"] = {"selection": 3}
    kept.saved = json.dumps(states)
    assert certify(model, dataset, certification=certification, key0=1, checkpoint=kept) == wanted


def test_rows_are_those_that_votes_counted_by_the_oracle_amount_to(
    make_dataset: MakeDataset, make_certification: MakeCertification, make_linear: Callable[..., Any]
) -> None:
    """Group-sequential on a linear model: noise draw by draw, votes by numpy, boundaries from the plans."""
    weights, certification = np.array([3.0, 4.0]) / 5, make_certification(n=2000, radii=(0.25, 0.5), method=GROUP)
    dataset = make_dataset(np.random.default_rng(3).uniform(-1, 1, (6, 2)), np.ones(6))
    rows = certify(make_linear(weights), dataset, certification=certification, key0=KEY0)
    steps = np.full(2, 0.5 * 4096)
    for row, x_int in zip(rows, dataset.x_int, strict=True):
        eps = integer_noise(
            KEY0, sample_id=row["sample"], stream=Stream.ESTIMATION, first_draw=0, draws=2000, sigma_steps=steps
        )
        ones = ((x_int + eps) / 4096 @ weights > 0).cumsum()
        votes = ones if row["candidate"] == 1 else np.arange(1, 2001) - ones
        looks = looks_of(certification)[: len(row["path"])]
        assert row["path"] == [look - int(votes[look - 1]) for look in looks]
        assert row["n"] == looks[-1]


def test_false_radii_of_random_linear_margins_stay_below_alpha(
    make_dataset: MakeDataset, make_certification: MakeCertification, make_linear: Callable[..., Any]
) -> None:
    """T1 through the real engine, with votes so few that errors happen: 20,000 margins, alpha = .01, + 4 sd.

    A row is wrong where its class is not that of the sample and certified, or its radius is beyond the margin.
    """
    count, alpha = 20_000, 0.01
    margins = np.random.default_rng(5).uniform(-0.9, 0.9, (count, 1))
    dataset = make_dataset(margins, np.zeros(count))
    certification = make_certification(sigma=0.5, n0=8, n=100, alpha=alpha, method=GROUP, radii=(0.2, 0.4))
    rows = certify(make_linear([1.0]), dataset, certification=certification, key0=KEY0)
    wrong = [
        row["decision"] == "certified" and (row["candidate"] != (x > 0) or float(row["radius"]) > abs(x))
        for row, x in zip(rows, dataset.x().ravel(), strict=True)
    ]
    assert 0 < sum(wrong) <= count * alpha + 4 * np.sqrt(count * alpha * (1 - alpha))
    assert sum(row["decision"] == "certified" for row in rows) > count / 3
