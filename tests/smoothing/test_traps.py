"""Ways to be wrong about a certificate, one by one, and what in the code notices each.

The statistical ones are tested here: the right code is made to fall into the trap, and has to notice. Each test fails
when the assertion that it is about is removed. How wrong the trap is, is computed exactly. Those of model and noise are
in the files that TRAPS names.
"""

from __future__ import annotations

import ast
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats

from robustcert.errors import InputError, ValidityError
from robustcert.evaluation.statistics import upper_bound
from robustcert.smoothing import confidence, group_sequential, two_bounds
from robustcert.smoothing.adaptive_pilot import main_draws
from robustcert.smoothing.confidence import certified_radius, failure_upper_bound, most_voted_radius, radius
from robustcert.smoothing.decisions import Counts, finished_row
from robustcert.smoothing.group_sequential import decide, looks, operating_characteristics, plan
from robustcert.smoothing.two_bounds import two_bound_radius
from robustcert.specification import Certification

ROOT = Path(__file__).parent.parent.parent
HERE = "smoothing/test_traps.py"

# Number in the list of traps -> the trap, where the code notices it, and the tests under tests/ that show it.
TRAPS: dict[int, tuple[str, str, tuple[str, ...]]] = {
    1: (
        "the votes that select the candidate also bound it",
        "confidence.most_voted_radius, decisions.finished_row, sample_runs.SampleRun.tell",
        (
            f"{HERE}::test_a_class_that_its_own_votes_chose_is_never_certified_at_the_whole_of_alpha",
            f"{HERE}::test_votes_of_another_number_than_the_method_draws_make_no_row",
        ),
    ),
    2: (
        "a bound of two-sided alpha",
        "confidence.failure_upper_bound",
        (f"{HERE}::test_a_bound_of_two_sided_alpha_is_noticed",),
    ),
    3: (
        "looking at every look as if it were the only one",
        "group_sequential.plan, group_sequential.decide, decisions.finished_row",
        (
            f"{HERE}::test_boundaries_that_do_not_pay_for_their_looks_are_noticed",
            f"{HERE}::test_looks_beside_the_planned_ones_decide_nothing",
            f"{HERE}::test_votes_of_another_number_than_the_method_draws_make_no_row",
        ),
    ),
    4: (
        "pilot votes in the main sample, or a main sample that is extended",
        "decisions.finished_row, sample_runs.SampleRun.tell",
        (f"{HERE}::test_a_main_sample_of_another_size_than_the_pilot_planned_makes_no_row",),
    ),
    5: (
        "a bound for the runner-up alone",
        "two_bounds.rival_upper_bound",
        (f"{HERE}::test_a_runner_up_bounded_as_if_it_were_known_before_is_noticed",),
    ),
    6: (
        "noise in floating point",
        "noise.integer_noise, votes.VoteCounter",
        (
            "smoothing/test_certify.py::test_classifier_that_reads_the_bits_of_float_noise_certifies_nothing_false",
            "smoothing/test_votes.py::test_samples_that_are_not_on_the_grid_are_refused",
        ),
    ),
    7: (
        "sigma and radius in different units",
        "probe.probe",
        ("smoothing/test_probe.py::test_noise_in_another_unit_is_noticed",),
    ),
    8: (
        "clipping between noise and model",
        "probe.probe",
        ("smoothing/test_probe.py::test_inputs_that_are_changed_between_noise_and_model_are_noticed",),
    ),
    9: (
        "training mode, dropout, batch statistics",
        "votes.refuse_training_mode, probe.probe",
        (
            "smoothing/test_votes.py::test_a_model_in_training_mode_is_refused",
            "smoothing/test_probe.py::test_hidden_randomness_is_noticed",
            "smoothing/test_probe.py::test_batch_statistics_are_noticed",
        ),
    ),
    10: (
        "rows that depend on their batch",
        "probe.probe",
        ("smoothing/test_probe.py::test_logits_that_depend_on_the_batch_are_noticed",),
    ),
    11: (
        "a sigma chosen sample by sample",
        "certify.grid_noise",
        ("smoothing/test_certify.py::test_noise_is_in_steps_of_each_coordinates_grid",),
    ),
    12: (
        "choices made on the certified set",
        "certify.certify",
        ("smoothing/test_certify.py::test_samples_on_which_choices_were_made_are_refused",),
    ),
    13: (
        "serving the model that votes",
        "predict.predict",
        (
            "smoothing/test_predict.py::test_a_wrong_answer_is_rarer_than_alpha",
            "smoothing/test_predict.py::test_no_answer_has_no_radius",
        ),
    ),
    14: (
        "the quantile of probability 1",
        "confidence.radius, confidence.rounded_radius",
        (f"{HERE}::test_a_failure_probability_of_0_has_no_radius", f"{HERE}::test_unanimous_votes_stay_finite"),
    ),
    15: (
        "a radius rounded up",
        "confidence.rounded_radius",
        (f"{HERE}::test_a_radius_that_is_rounded_to_nearest_is_noticed",),
    ),
}


@pytest.mark.parametrize("number", range(1, 16))
def test_every_trap_has_its_tests(number: int) -> None:
    trap, place, tests = TRAPS[number]
    assert trap
    for part in place.split(", "):
        module, *names = part.split(".")
        tree = ast.parse((ROOT / "robustcert" / "smoothing" / f"{module}.py").read_text())
        defined = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
        assert set(names) <= defined, f"{part} is not there"
    for test in tests:
        path, _, name = test.partition("::")
        assert f"def {name or 'test_'}" in (ROOT / "tests" / path).read_text(), f"{test} is not there"


@pytest.fixture
def row_of() -> Any:
    """A row of a certification from votes for two classes, the second fragile-free; path only where one is given."""

    def row(selection: Counts, estimation: Counts, *, path: tuple[int, ...] = (), **certification: Any) -> Any:
        wanted = {"sigma": 0.5, "unit": "input", "radii": (0.25,), "n0": 100, "n": 1000, "alpha": 0.001}
        return finished_row(
            sample=1,
            input_sha256="0" * 64,
            label=0,
            selection=selection,
            estimation=estimation,
            path=path,
            certification=Certification(**(wanted | certification)),
            n_classes=2,
        )

    return row


def votes(first: int, second: int) -> Counts:
    return Counts(counts=(first, second), fragile=0, draws=first + second)


NONE = votes(0, 0)


def test_a_class_that_its_own_votes_chose_is_never_certified_at_the_whole_of_alpha(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two classes of p = 1/2 would be certified twice as often as alpha allows (test_confidence computes it)."""
    monkeypatch.setattr(confidence, "most_voted_alpha", lambda alpha: alpha)
    with pytest.raises(AssertionError, match="chosen by the votes that bound it"):
        most_voted_radius([900, 100], 1000, alpha=0.001, sigma=0.5)


@pytest.mark.parametrize(
    ("selection", "estimation"),
    [
        (votes(90, 10), votes(900, 200)),  # the selection votes are counted again
        (NONE, votes(900, 100)),  # no votes of their own select the candidate
        (votes(90, 10), votes(900, 99)),  # cut short
    ],
    ids=["reused", "none", "short"],
)
def test_votes_of_another_number_than_the_method_draws_make_no_row(
    row_of: Any, selection: Counts, estimation: Counts
) -> None:
    assert row_of(votes(90, 10), votes(900, 100))["decision"] == "certified"
    with pytest.raises(ValidityError, match="draw as the registered method plans"):
        row_of(selection, estimation)


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_a_bound_of_two_sided_alpha_is_noticed(monkeypatch: pytest.MonkeyPatch, factor: float) -> None:
    monkeypatch.setattr(
        confidence, "upper_bound", lambda count, of, *, alpha: upper_bound(count, of, alpha=factor * alpha)
    )
    with pytest.raises(AssertionError, match=r"not one-sided 0\.001"):
        certified_radius(900, 1000, alpha=0.001, sigma=0.5)


def naive(q: float, *, alpha: float, looks: tuple[int, ...]) -> tuple[int, ...]:
    """Most failures that a single look of its own would certify, at every look."""
    return tuple(int(scipy.stats.binom.ppf(alpha, n, q)) - 1 for n in looks)


def test_boundaries_that_do_not_pay_for_their_looks_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clopper-Pearson at each of 100 looks has a level of .022, not of .001."""
    q0, at = float(scipy.stats.norm.sf(0.5)), looks(100_000, multiple=1)
    peeking = group_sequential.GroupSequentialPlan(
        q0=q0,
        alpha=0.001,
        beta=0.01,
        looks=at,
        certify_at=naive(q0, alpha=0.001, looks=at),
        give_up_at=tuple(n + 1 for n in at),
    )
    assert operating_characteristics(peeking, q0)[0] == pytest.approx(0.0218, abs=5e-5)
    monkeypatch.setattr(group_sequential, "_certify_at", naive)
    with pytest.raises(AssertionError, match="looks were not paid for"):
        plan(q0, alpha=0.001, looks=at[:-1])


@pytest.mark.parametrize("path", [[0] * 4, [11], [1, 0], [5, 16]], ids=["further", "between", "back", "jump"])
def test_looks_beside_the_planned_ones_decide_nothing(path: list[int]) -> None:
    plans = [plan(0.3, alpha=0.05, looks=(10, 20, 30))]
    assert decide(plans, [0, 0]).certified == 1
    with pytest.raises(InputError, match="count failures at the planned looks"):
        decide(plans, path)


def test_a_row_that_goes_on_after_its_decision_or_stops_before_it_is_refused(row_of: Any) -> None:
    """Looks at 32, 64, 96 ...: 32 unanimous votes decide targets 0 and .25 of sigma .5, 12 of 32 nothing."""
    sequential = {"method": "group-sequential", "n": 1000}
    assert row_of(votes(90, 10), votes(32, 0), path=(0,), **sequential)["radius"] == "0.25"
    for estimation, path in ((votes(64, 0), (0, 0)), (votes(20, 12), (12,)), (votes(32, 0), ())):
        with pytest.raises(ValidityError, match="draw as the registered method plans"):
            row_of(votes(90, 10), estimation, path=path, **sequential)


def test_a_main_sample_of_another_size_than_the_pilot_planned_makes_no_row(row_of: Any) -> None:
    """A pilot of 100 with 10 failures; its votes added to the main sample, or votes drawn once more, are too many."""
    wanted = {"method": "adaptive-pilot", "n": 1000, "tolerance": 0.1}
    n = main_draws(10, 100, alpha=0.001, n_max=1000, tolerance=0.1)
    assert 100 < n <= 1000
    assert row_of(votes(90, 10), votes(n - n // 10, n // 10), **wanted)["decision"] == "certified"
    for estimation in (votes(n + 90, 10), votes(n // 2, 0), votes(n + 1, 0)):
        with pytest.raises(ValidityError, match=f"expected {n} votes, as the pilot planned"):
            row_of(votes(90, 10), estimation, **wanted)


def test_reusing_the_pilot_would_break_the_level() -> None:
    """Exact at p = .5, n_max = 400, alpha = .01: extending only where the first votes please exceeds alpha."""
    alpha, first, n, q = 0.01, 100, 400, 0.5
    half = [failure_upper_bound(f, first, alpha=alpha) < q for f in range(first + 1)]
    whole = [failure_upper_bound(f, n, alpha=alpha) < q for f in range(n + 1)]
    start = scipy.stats.binom.pmf(np.arange(first + 1), first, q)
    rest = scipy.stats.binom.pmf(np.arange(n - first + 1), n - first, q)
    reused = sum(
        start[f] * (1.0 if half[f] else sum(rest[g] for g in range(n - first + 1) if whole[f + g]))
        for f in range(first + 1)
    )
    assert reused > 1.3 * alpha
    assert sum(scipy.stats.binom.pmf(np.arange(n + 1), n, q)[whole]) <= alpha


def test_a_runner_up_bounded_as_if_it_were_known_before_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(two_bounds, "_share", lambda alpha, rivals: alpha)
    with pytest.raises(AssertionError, match=r"rivals bounded at level .* in all"):
        two_bound_radius([600, 150, 150, 100], 0, 0, alpha=0.001, sigma=0.5)


def test_a_failure_probability_of_0_has_no_radius() -> None:
    with pytest.raises(InputError, match="expected 0 < failure < 1/2, got 0"):
        radius(0.0, sigma=1.0)


def test_unanimous_votes_stay_finite(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound of unanimous votes is alpha^(1/n), not 1; a radius beyond its own is noticed."""
    found = float(certified_radius(100_000, 100_000, alpha=0.001, sigma=1.0) or 0)
    assert found == pytest.approx(scipy.stats.norm.ppf(0.001 ** (1 / 100_000)), abs=1e-6)
    monkeypatch.setattr(confidence, "failure_upper_bound", lambda failures, n, *, alpha: math.ulp(0.0))
    with pytest.raises(AssertionError, match=r"radius .* of 1000 votes"):
        certified_radius(1000, 1000, alpha=0.001, sigma=1.0)


def test_a_radius_that_is_rounded_to_nearest_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confidence, "round_down", lambda value: f"{value:.1f}")
    with pytest.raises(AssertionError, match="rounded up"):
        certified_radius(99_000, 100_000, alpha=0.001, sigma=1.0)
    with pytest.raises(AssertionError, match="rounded up"):
        two_bound_radius([990, 10], 0, 0, alpha=0.001, sigma=1.06)
