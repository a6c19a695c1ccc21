"""benchmarks/certification.py runs, and says what it measured."""

from __future__ import annotations

import re

import pytest

from benchmarks import certification
from benchmarks.certification import TINY, decision_lines, decisions, measured, ratio, throughput_lines
from benchmarks.certification_contenders import Work, held_out, network

WORK = Work(sigma=0.25, alpha=0.001, epochs=TINY.epochs, most=TINY.most, smoothing=None)


def test_every_contender_of_ours_is_measured_and_every_question_answered() -> None:
    names = ["floor", "robustcert"]
    turns = measured(names, WORK, TINY)
    assert {name: len(seconds) for name, seconds in turns.items()} == dict.fromkeys(names, TINY.turns)
    found = decisions(WORK, TINY)
    assert all(0 < draws <= TINY.most + 10_000 and cpu > 0 and wall > 0 for draws, cpu, wall in found.values())
    text = "\n".join([*throughput_lines(turns, TINY), *decision_lines(found, turns, TINY)])
    assert re.search(r"^floor +\d+ +1\.00\b", text, re.MULTILINE)
    assert "at radius sigma, or abstain" in text


def test_a_ratio_is_the_median_of_the_ratios_within_a_turn() -> None:
    assert ratio([2.0, 9.0, 1.0], [1.0, 3.0, 2.0]) == 2.0


def test_the_network_is_the_one_that_the_text_describes() -> None:
    assert sum(parameter.numel() for parameter in network().parameters()) == 183_238
    assert held_out().x_int.shape == (597, 1, 28, 28)


@pytest.mark.parametrize("name", certification.PEERS)
def test_peers_are_measured_only_when_asked_for(name: str) -> None:
    from argparse import Namespace

    assert not certification._asked(name, Namespace(smoothing=None, art=False))
    assert certification._asked(name, Namespace(smoothing=".", art=True))
