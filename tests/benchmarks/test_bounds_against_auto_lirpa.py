import json
import math
from argparse import Namespace
from pathlib import Path

import pytest
import torch

from benchmarks.bounds_against_auto_lirpa import inputs, measure, networks, our_bounds, trained

RECORDED = json.loads((Path(__file__).parent.parent / "bounds/auto_lirpa.json").read_text())


def test_the_recorded_bounds_are_of_these_networks_and_inputs() -> None:
    assert set(RECORDED["bounds"]) == set(networks())
    for name, (module, shape, _) in networks().items():
        outputs = module(inputs(shape)).double()
        for method, bounds in RECORDED["bounds"][name].items():
            lower, upper = torch.tensor(bounds).double().chunk(2)
            assert bool(((lower < outputs) & (outputs < upper)).all()), method


def test_weights_and_inputs_come_from_formulas() -> None:
    module, shape, _ = networks()["mlp"]
    first = next(module.parameters()).detach()
    wanted = math.sin(0.37 + 1.0) * (2.0 / 6) ** 0.5
    assert float(first[0, 1]) == pytest.approx(wanted, rel=1e-6)
    assert float(inputs(shape)[0, 1]) == pytest.approx(math.sin(0.71) / 2 + 0.5, rel=1e-6)


def test_our_side_gives_bounds_of_every_method_that_theirs_has() -> None:
    module, shape, epsilon = networks()["mlp"]
    found = our_bounds(module, inputs(shape), epsilon)
    assert set(found) == set(RECORDED["bounds"]["mlp"])
    assert [len(bounds) for bounds in found.values()] == [4, 4, 4]


def test_a_side_reports_its_time_memory_and_bound(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    threads = torch.get_num_threads()
    trained("mlp", None, tmp_path / "weights.npy")
    given = Namespace(
        network="mlp", weights=tmp_path / "weights.npy", mnist=None, samples=1, epsilon=[0.001], auto_lirpa=""
    )
    measure("ours", given)
    torch.set_num_threads(threads)
    figures = json.loads(capsys.readouterr().out)
    assert figures["seconds"] > 0
    assert figures["mebibytes"] > 50
    assert abs(figures["lower"]) < 1.0
