"""Level 3: honest rows stand, forged ones fall to fresh votes or to an attack; false alarms by exact computation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from robustcert.certificate.fresh_noise import FALSE_ALARM, FreshNoise, chance, claimed_failure, fresh_noise_check
from robustcert.certificate.fresh_noise import _require_no_adversarial as require_no_adversarial
from robustcert.certificate.replay import replay_check
from robustcert.errors import VerificationError
from robustcert.specification import Certification
from tests.certificate.tampering import Rows, case_of, reason, verified, with_rows
from tests.chain import Chain
from tests.smoothing.conftest import make_certification, make_dataset, make_linear  # noqa: F401 (fixtures)

PLAN = FreshNoise(samples=10_000, nonce="a", draws=400, judged=2000)


def unanimous(rows: Rows) -> Rows:
    """The weakest row gets all votes, and the radius of that many."""
    best = max(rows, key=lambda row: float(row["radius"]))
    weakest = min(rows, key=lambda row: dict(row["counts"]).get(row["candidate"], 0))
    assert best["counts"] == [[best["candidate"], best["n"]]], "some row of the chain is unanimous"
    invented = {"counts": [[weakest["candidate"], 512]], "fragile": 0, "decision": "certified"}
    return [row | invented | {"radius": best["radius"]} if row is weakest else row for row in rows]


def certification(**changes: Any) -> Certification:
    wanted = {"sigma": 0.5, "unit": "input", "radii": (0.5,), "n0": 10, "n": 1000, "alpha": 0.001} | changes
    return Certification(**wanted)


def test_an_honest_certificate_stands(chain: Chain) -> None:
    found = verified(chain, more=(replay_check(10_000, factory=None, nonce="a"), fresh_noise_check(PLAN)))
    assert found.refused is None
    assert found.findings[-1].message.startswith("400 votes under a secret key contradict none of ")
    assert found.findings[-1].message.endswith("changes the class; chosen by nonce a")


def test_a_forged_certificate_passes_recomputation_and_fails_replay_and_fresh_noise(
    chain: Chain, tmp_path: Path
) -> None:
    files = with_rows(chain, tmp_path, "certification", unanimous)
    assert verified(chain, files).refused is None
    assert reason(verified(chain, files, more=(replay_check(10_000, factory=None),))).startswith("replay: sample ")
    refused = reason(verified(chain, files, more=(fresh_noise_check(PLAN),)))
    assert refused.startswith("fresh noise: sample ")
    assert refused.endswith("that many happen once in a million at most")


@pytest.mark.parametrize("missing", ["model", "dataset", "certification"])
def test_it_needs_model_data_and_evidence(chain: Chain, missing: str) -> None:
    case = replace(case_of(chain), files=chain.with_files(**{missing: None}))
    assert fresh_noise_check(PLAN)(case).status == "not established"


@pytest.mark.parametrize(("draws", "failure"), [(1000, 0.3), (1000, 0.00007), (400, 0.49), (100_000, 0.0013)])
def test_an_honest_row_is_refused_with_probability_below_one_in_a_million(draws: int, failure: float) -> None:
    """Exact: the rejection region of failures under the claimed bound itself, the worst honest case."""
    least = next(failures for failures in range(draws + 1) if chance(failures, draws, failure) < FALSE_ALARM)
    assert stats.binom.sf(least - 1, draws, failure) < FALSE_ALARM <= stats.binom.sf(least - 2, draws, failure)


def test_refusals_at_a_larger_level_are_as_rare_as_that_level() -> None:
    """200,000 honest rows at their bound: at level 0.01, at most 1 % (4 standard errors) are refused."""
    failures = np.random.default_rng(1).binomial(1000, 0.3, size=200_000)
    refused = np.mean([chance(int(count), 1000, 0.3) < 0.01 for count in failures])
    assert 0.005 < refused <= 0.01 + 4 * np.sqrt(0.01 / 200_000)


def test_the_claimed_failure_is_what_certifies_the_radius() -> None:
    row = {"radius": "0.5", "candidate": 1, "n": 1000, "counts": [[1, 900]]}
    assert claimed_failure(row, certification()) == pytest.approx(stats.norm.cdf(-1))
    assert claimed_failure(row, certification(noise="uniform")) == pytest.approx(0.5 - 1 / (2 * np.sqrt(3)))
    assert claimed_failure(row | {"radius": "0"}, certification(method="group-sequential")) == 0.5
    two = certification(bounds=2)
    assert claimed_failure(row, two) == pytest.approx(stats.beta.ppf(1 - 0.0005, 101, 900))


def planted(make: Any, *, radius: str, noise: str | None) -> Any:
    """A case about one sample of a linear model, 0.4 in l2 and 0.4 in l1 from its boundary, with that radius."""
    return SimpleNamespace(
        specification=SimpleNamespace(certification=certification(noise=noise)), dataset=make([[0.4, 0.0]], [1])
    ), {"sample": 100, "candidate": 1, "radius": radius}


@pytest.mark.parametrize("noise", [None, "uniform", "laplace"])
def test_an_inflated_radius_is_refuted_by_an_attack_and_a_true_one_is_not(
    make_dataset: Callable[..., Any],  # noqa: F811
    make_linear: Callable[..., Any],  # noqa: F811
    noise: str | None,
) -> None:
    model = make_linear(np.array([1.0, 0.0]))
    case, row = planted(make_dataset, radius="0.39", noise=noise)
    assert require_no_adversarial(case, row, model, judged=2000)
    case, row = planted(make_dataset, radius="0.8", noise=noise)
    with pytest.raises(
        VerificationError, match=r"sample 100: an attack inside its radius 0\.8 finds a point of class 0"
    ):
        require_no_adversarial(case, row, model, judged=2000)


def test_a_radius_of_0_has_no_ball_to_search(
    make_dataset: Callable[..., Any],  # noqa: F811
    make_linear: Callable[..., Any],  # noqa: F811
) -> None:
    case, row = planted(make_dataset, radius="0", noise=None)
    assert not require_no_adversarial(case, row, make_linear(np.array([1.0, 0.0])), judged=10)
