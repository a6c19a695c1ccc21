"""Oracles: `certify` of fixed n for the same draws; linear models of known margins for the guarantee."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from robustcert.data.dataset import Dataset
from robustcert.errors import DataError, InputError
from robustcert.smoothing.certify import certify
from robustcert.smoothing.open_ended import certify_anytime
from robustcert.specification import Certification

KEY0 = 0x0123456789ABCDEF
MakeDataset = Callable[..., Dataset]
MakeCertification = Callable[..., Certification]


def after(batches: int) -> Callable[[], bool]:
    """Says stop before batch number `batches`."""
    asked = iter(range(1 << 30))
    return lambda: next(asked) >= batches


def test_votes_are_those_of_the_draws_that_fixed_n_makes(
    make_dataset: MakeDataset, make_certification: MakeCertification, make_linear: Callable[..., Any]
) -> None:
    dataset = make_dataset(np.random.default_rng(1).uniform(-1, 1, (20, 2)), np.ones(20))
    model = make_linear([0.6, 0.8])
    rows = certify_anytime(model, dataset, certification=make_certification(n=3000, n0=64), key0=KEY0, until=after(25))
    assert {(row["n0"], row["n"]) for row in rows} <= {(64, n) for n in range(32, 3000, 32)}
    assert max(row["n"] for row in rows) - min(row["n"] for row in rows) <= 32
    for row in rows:
        same = make_certification(n0=64, n=max(100, row["n"]))
        (fixed,) = certify(model, dataset.rows([row["sample"]]), certification=same, key0=KEY0)
        assert (row["candidate"], row["selection"]) == (fixed["candidate"], fixed["selection"])
        assert row["n"] < 100 or row["counts"] == fixed["counts"]
        assert float(row["radius"]) <= float(fixed["radius"])


def test_it_ends_with_the_votes_of_the_specification_at_the_latest(
    make_dataset: MakeDataset, make_certification: MakeCertification, make_linear: Callable[..., Any]
) -> None:
    dataset, wanted = make_dataset([[1.0], [-1.0]], [1, 0]), make_certification(n=1000, n0=64)
    rows = certify_anytime(make_linear([1.0]), dataset, certification=wanted, key0=1, until=lambda: False)
    fixed = certify(make_linear([1.0]), dataset, certification=wanted, key0=1)
    assert [(row["n"], row["counts"]) for row in rows] == [(1000, row["counts"]) for row in fixed]
    assert all(0.6 < float(row["radius"]) < 1 for row in rows)


def test_stopped_before_the_first_batch_everything_abstains(
    make_dataset: MakeDataset, make_certification: MakeCertification, make_linear: Callable[..., Any]
) -> None:
    dataset = make_dataset([[1.0], [-1.0]], [1, 0])
    rows = certify_anytime(make_linear([1.0]), dataset, certification=make_certification(), key0=1, until=lambda: True)
    assert [(row["n0"], row["n"], row["decision"], row["radius"]) for row in rows] == [(0, 0, "abstain", "0")] * 2


def test_stopping_when_the_votes_please_makes_no_more_false_radii_than_alpha(
    make_dataset: MakeDataset, make_certification: MakeCertification, make_linear: Callable[..., Any]
) -> None:
    """200 samples whose margin is half of sigma, looked at after 32, 64, ... 1024 votes.

    A caller who peeks and keeps the largest radius of each sample at any of its moments is wrong for at most alpha of
    them; 4 standard deviations more happen by chance under 1e-4.
    """
    alpha, count = 0.05, 200
    dataset = make_dataset(np.full((count, 1), 0.25), np.ones(count))
    certification = make_certification(n=1024, alpha=alpha, candidate="label")
    largest, round_ = np.zeros(count), count // 8
    for stop in (round_, 2 * round_, 4 * round_, 8 * round_, 16 * round_, 32 * round_):
        rows = certify_anytime(make_linear([1.0]), dataset, certification=certification, key0=KEY0, until=after(stop))
        largest = np.maximum(largest, [float(row["radius"]) for row in rows])
    assert int((largest > 0.25).sum()) <= count * alpha + 4 * np.sqrt(count * alpha * (1 - alpha))
    assert 0.1 < np.median(largest) < 0.25


def test_a_candidate_chosen_by_the_votes_themselves_is_refused(
    make_dataset: MakeDataset, make_certification: MakeCertification, make_linear: Callable[..., Any]
) -> None:
    wanted = make_certification(candidate="most-voted")
    with pytest.raises(InputError, match="expected a candidate chosen by other votes, got most-voted"):
        certify_anytime(make_linear([1.0]), make_dataset([[1.0]], [1]), certification=wanted, key0=1, until=after(1))


def test_samples_on_which_choices_were_made_are_refused(
    make_dataset: MakeDataset, make_certification: MakeCertification, make_linear: Callable[..., Any]
) -> None:
    dataset = make_dataset([[1.0]], [1], split=np.array([1], dtype=np.int8))
    with pytest.raises(DataError, match="expected samples of the test split"):
        certify_anytime(make_linear([1.0]), dataset, certification=make_certification(), key0=1, until=after(1))
