"""A small run of the simulations of false claims; the program draws a million. Fails by chance under 1 in 1,000."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from benchmarks import type_one_error
from benchmarks.type_one_error import Found, crossed, main, main_sizes, simulations
from robustcert.smoothing.adaptive_pilot import pilot_draws
from robustcert.smoothing.group_sequential import GroupSequentialPlan


def test_no_simulation_claims_more_often_than_it_may() -> None:
    found = list(simulations(paths=30_000, margins=4_000, pilots=20_000, n_max=20_000))
    assert len(found) == 7 * 3 + 3 + 4
    assert [str(each) for each in found if not each.fine] == []
    assert sum(each.false for each in found if each.exact) > 1_000, "paths at p0 do cross"


def test_paths_are_counted_once_at_whichever_look_they_cross() -> None:
    """Looks at 1 and 2 draws, certifying without failures: P(F_1 = 0 or F_2 = 0) = P(F_1 = 0) = 1/2."""
    plan = GroupSequentialPlan(q0=0.5, alpha=0.6, beta=0.01, looks=(1, 2), certify_at=(0, 0), give_up_at=(2, 3))
    generator = np.random.Generator(np.random.Philox(3))
    assert abs(crossed([plan], 0.5, paths=40_000, generator=generator)[0] - 20_000) < 4 * 100


def test_pilots_are_drawn_by_the_steps_that_the_engine_takes() -> None:
    """Without failures every pilot takes the same course, which the steps give one by one."""
    drawn = 0
    while (step := pilot_draws(0 if drawn else None, drawn, alpha=0.001, n_max=5_000)).more:
        drawn += step.more
    sizes = main_sizes(np.zeros(3), n_max=5_000, alpha=0.001, generator=np.random.Generator(np.random.Philox(1)))
    assert sizes.tolist() == [step.n] * 3


def test_a_simulation_that_is_off_ends_with_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """20 of 1,000 at level .001 are 19 standard deviations too many."""
    off = Found(what="a planted one", false=20, of=1_000, expected=0.001, exact=False)
    monkeypatch.setattr(type_one_error, "simulations", lambda **sizes: iter([off]))
    monkeypatch.setattr(sys, "argv", ["type_one_error.py"])
    with pytest.raises(SystemExit, match="1"):
        main()
    assert "a planted one" in capsys.readouterr().out
