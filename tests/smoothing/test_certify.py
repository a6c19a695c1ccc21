"""Oracles: linear classifiers, of which margin and vote probability are known; one that exploits float noise."""

from __future__ import annotations

import hashlib
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
from robustcert.errors import DataError, ModelError, ValidityError
from robustcert.models.files import load_model
from robustcert.smoothing.certify import certify, evidence_row, grid_noise
from robustcert.smoothing.noise import Stream
from robustcert.smoothing.votes import Votes
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


def votes(stream: Stream, *counts: int, fragile: int = 0, sample: int = 3) -> Votes:
    return Votes(sample_id=sample, stream=stream, draws=sum(counts) + fragile, counts=counts, fragile=fragile)


def decide(selection: Votes, estimation: Votes, certification: Certification) -> dict[str, Any]:
    return evidence_row(selection, estimation, label=0, input_sha256="0" * 64, certification=certification)


def test_the_candidate_comes_from_the_selection_and_its_bound_from_the_estimation(
    make_certification: MakeCertification,
) -> None:
    """Class 1 wins the selection, class 0 the estimation: the claim is about class 1, and abstains."""
    certification = make_certification(n=1000)
    row = decide(votes(Stream.SELECTION, 40, 60), votes(Stream.ESTIMATION, 900, 100), certification)
    assert (row["candidate"], row["decision"], row["radius"]) == (1, "abstain", "0")


def test_fragile_votes_are_failures_of_the_candidate(make_certification: MakeCertification) -> None:
    certification = make_certification(n=1000)
    radii = [
        decide(votes(Stream.SELECTION, 100, 0), estimation, certification)["radius"]
        for estimation in (votes(Stream.ESTIMATION, 950, 50), votes(Stream.ESTIMATION, 950, 0, fragile=50))
    ]
    expected = 0.5 * scipy.stats.norm.ppf(scipy.stats.beta.ppf(0.001, 950, 51))
    assert radii[0] == radii[1]
    assert 0 <= expected - float(radii[0]) < 1e-6


@pytest.mark.parametrize(
    ("selection", "estimation"),
    [
        (votes(Stream.SELECTION, 100, 0), votes(Stream.SELECTION, 1000, 0)),
        (votes(Stream.ESTIMATION, 100, 0), votes(Stream.ESTIMATION, 1000, 0)),
        (votes(Stream.SELECTION, 100, 0), votes(Stream.PILOT, 1000, 0)),
        (votes(Stream.SELECTION, 100, 0), votes(Stream.ESTIMATION, 999, 0)),
        (votes(Stream.SELECTION, 100, 0), votes(Stream.ESTIMATION, 2000, 0)),
        (votes(Stream.SELECTION, 99, 0), votes(Stream.ESTIMATION, 1000, 0)),
        (votes(Stream.SELECTION, 100, 0, sample=4), votes(Stream.ESTIMATION, 1000, 0)),
    ],
)
def test_reused_or_peeked_at_votes_are_refused(
    selection: Votes, estimation: Votes, make_certification: MakeCertification
) -> None:
    with pytest.raises(ValidityError, match="expected 100 selection votes and 1000 estimation votes of streams"):
        decide(selection, estimation, make_certification(n=1000))
