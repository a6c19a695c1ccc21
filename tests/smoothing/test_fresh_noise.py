"""Fresh votes of a linear model, whose share is the normal distribution's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

from robustcert.errors import DataError
from robustcert.smoothing.fresh_noise import fresh_votes
from robustcert.smoothing.noise import Stream

DRAWS = 4000
WEIGHTS = np.array([1.0, 0.0])


@pytest.mark.parametrize("margin", [0.2, 0.5])
@pytest.mark.parametrize("precision", [None, "bfloat16"])
def test_the_share_of_fresh_votes_is_that_of_the_margin(
    make_dataset: Callable[..., Any],
    make_certification: Callable[..., Any],
    make_linear: Callable[..., Any],
    margin: float,
    precision: str | None,
) -> None:
    dataset, certification = make_dataset([[margin, 0.0]], [1]), make_certification(precision=precision)
    votes = fresh_votes(make_linear(WEIGHTS), dataset, 100, certification=certification, key0=3, draws=DRAWS)
    assert votes.stream is Stream.SPOT_CHECK
    p = stats.norm.cdf(margin / 0.5)
    assert stats.binomtest(votes.counts[1], DRAWS, p).pvalue > 1e-6


def test_another_point_gets_the_votes_in_the_samples_place(
    make_dataset: Callable[..., Any], make_certification: Callable[..., Any], make_linear: Callable[..., Any]
) -> None:
    dataset, certification = make_dataset([[0.5, 0.0], [-3.0, 0.0]], [1, 0]), make_certification()
    votes = fresh_votes(
        make_linear(WEIGHTS), dataset, 100, certification=certification, key0=3, draws=500, x_int=dataset.x_int[1]
    )
    assert votes.counts == (500, 0)


def test_another_key_is_other_noise(
    make_dataset: Callable[..., Any], make_certification: Callable[..., Any], make_linear: Callable[..., Any]
) -> None:
    dataset, certification = make_dataset([[0.2, 0.0]], [1]), make_certification()
    counts = {
        fresh_votes(make_linear(WEIGHTS), dataset, 100, certification=certification, key0=key0, draws=DRAWS).counts
        for key0 in (1, 1, 2)
    }
    assert len(counts) == 2


def test_an_unknown_sample_is_refused(
    make_dataset: Callable[..., Any], make_certification: Callable[..., Any], make_linear: Callable[..., Any]
) -> None:
    with pytest.raises(DataError, match="unknown id 7"):
        fresh_votes(
            make_linear(WEIGHTS),
            make_dataset([[0.2, 0.0]], [1]),
            7,
            certification=make_certification(),
            key0=1,
            draws=1,
        )
