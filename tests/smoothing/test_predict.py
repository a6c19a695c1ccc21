"""Oracles: scipy's exact binomial test, and linear models, whose votes and radii have a closed form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom, binomtest, norm

from robustcert.errors import InputError
from robustcert.smoothing.certify import grid_noise
from robustcert.smoothing.predict import Prediction, PredictSettings, decide, predict, secret_key0, two_sided_p

SIGMA = 0.5


@pytest.fixture
def ask(
    make_linear: Callable[..., Any], make_dataset: Callable[..., Any], make_certification: Callable[..., Any]
) -> Callable[..., Prediction]:
    """The smoothed answer at x of the classifier that says 1 where x > 0: P(class 1) = Phi(x / sigma)."""

    def answer(x: float, *, key0: int = 1, noise: str | None = None, **changes: Any) -> Prediction:
        dataset = make_dataset([[x]], [1])
        grid = grid_noise(dataset, make_certification(sigma=SIGMA, noise=noise), key0=key0)
        settings = PredictSettings(**{"sigma": SIGMA, "alpha": 0.001, "n": 500, "radius_n": 500} | changes)
        return predict(make_linear([1.0]).module, dataset.x_int[0], noise=grid, settings=settings, n_classes=2)

    return answer


@pytest.mark.parametrize("total", [1, 2, 7, 100, 1000])
def test_the_p_value_is_that_of_the_exact_test(total: int) -> None:
    firsts = np.unique(np.linspace(0, total, 9).astype(int)).tolist()
    ours = [two_sided_p(first, total - first) for first in firsts]
    assert ours == pytest.approx([binomtest(first, total, 0.5).pvalue for first in firsts], rel=1e-12)


def test_no_votes_decide_nothing() -> None:
    assert two_sided_p(0, 0) == 1
    assert decide((0, 0), 100, alpha=0.4) == (None, pytest.approx(binomtest(0, 100, 0.5).pvalue))


def test_the_decision_is_the_papers_for_random_votes() -> None:
    rng = np.random.Generator(np.random.Philox(3))
    answered = 0
    for counts in rng.multinomial(60, [0.5, 0.3, 0.2], size=300).tolist():
        second, first = sorted(counts)[-2:]
        wanted = counts.index(first) if binomtest(first, first + second, 0.5).pvalue <= 0.05 else None
        assert decide(tuple(counts), 0, alpha=0.05)[0] == wanted
        answered += wanted is not None
    assert 30 < answered < 270, "both outcomes occur"


def test_fragile_votes_count_for_the_second_class() -> None:
    assert decide((80, 20), 0, alpha=0.001)[0] == 0
    label, p_value = decide((80, 0), 20, alpha=0.001)
    assert (label, p_value) == (0, two_sided_p(80, 20))
    assert decide((55, 0), 45, alpha=0.001)[0] is None
    assert decide((10, 0), 90, alpha=0.001)[0] is None, "a class behind the fragile votes is no answer"


def test_a_wrong_answer_is_rarer_than_alpha(ask: Callable[..., Prediction]) -> None:
    """At x = 0.02 the right class has 51.6 % of the votes. 300 keys: failure of this test 1e-6 were alpha exceeded."""
    found = [ask(0.02, key0=key, alpha=0.1, n=200, radius_n=0).label for key in range(300)]
    assert found.count(0) <= binom.ppf(1 - 1e-6, 300, 0.1)
    assert found.count(None) > 150


def test_a_clear_input_is_answered_and_its_radius_is_never_above_the_true_one(ask: Callable[..., Prediction]) -> None:
    xs = np.linspace(0.3, 1.0, 30)
    for key, x in enumerate(xs):
        found = ask(float(x), key0=key)
        assert found.label == 1
        assert found.radius is not None
        assert 0 < float(found.radius) <= np.rint(x * 4096) / 4096, "the boundary is x away"


def test_a_unanimous_vote_gives_the_largest_radius_rounded_down(ask: Callable[..., Prediction]) -> None:
    found = ask(30.0)
    exact = SIGMA * norm.ppf(0.001 ** (1 / 500))
    assert found.share == 1
    assert found.radius is not None
    assert float(found.radius) <= exact < float(found.radius) + 2e-6


@pytest.mark.parametrize(
    ("noise", "largest"),
    [
        ("uniform", lambda failure: 2 * np.sqrt(3) * SIGMA * (0.5 - failure)),
        ("laplace", lambda failure: -SIGMA / np.sqrt(2) * np.log(2 * failure)),
    ],
)
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_other_noise_has_the_l1_radius_of_its_own(
    ask: Callable[..., Prediction], noise: str, largest: Callable[[float], float], precision: str
) -> None:
    """Unanimous votes: failure at most 1 - alpha^(1/n) (Clopper and Pearson 1934); else below the true margin x."""
    unanimous = ask(30.0, noise=noise, precision=precision)
    assert unanimous.radius is not None
    assert float(unanimous.radius) <= largest(1 - 0.001 ** (1 / 500)) < float(unanimous.radius) + 2e-6
    near = ask(0.3, noise=noise, precision=precision)
    assert near.radius is not None
    assert 0 < float(near.radius) <= np.rint(0.3 * 4096) / 4096


def test_no_answer_has_no_radius(ask: Callable[..., Prediction]) -> None:
    found = ask(0.0)
    assert (found.label, found.radius) == (None, None)
    assert found.p_value > 0.001


def test_no_radius_is_given_where_none_is_asked_for(ask: Callable[..., Prediction]) -> None:
    assert ask(5.0, radius_n=0) == Prediction(label=1, p_value=two_sided_p(500, 0), share=1.0, radius=None)


def test_the_same_input_and_key_give_the_same_answer_and_another_key_other_votes(
    ask: Callable[..., Prediction],
) -> None:
    assert ask(0.3) == ask(0.3)
    assert len({ask(0.3, key0=key).share for key in range(8)}) > 1


@pytest.mark.parametrize("changes", [{"sigma": 0.0}, {"alpha": 0.5}, {"alpha": 0.0}, {"n": 0}, {"radius_n": -1}])
def test_settings_that_mean_nothing_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="expected sigma > 0, 0 < alpha < 1/2"):
        PredictSettings(**{"sigma": 0.5, "alpha": 0.001} | changes)


def test_secret_keys_fit_the_generator_and_differ() -> None:
    keys = {secret_key0() for _ in range(20)}
    assert len(keys) == 20
    assert all(0 <= key < 2**64 for key in keys)
