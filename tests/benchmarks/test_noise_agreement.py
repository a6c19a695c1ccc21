"""The comparison runs on a CPU, finds no difference, and finds one that is made."""

from __future__ import annotations

import sys

import pytest
import torch

from benchmarks import noise_agreement
from benchmarks.noise_agreement import ROWS, WIDTH, compared, main


def test_every_path_of_a_cpu_is_compared_and_none_differs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["noise_agreement.py", "--device", "cpu", "--draws", "1e6"])
    threads = torch.get_num_threads()
    with pytest.raises(SystemExit) as ended:
        main()
    torch.set_num_threads(threads)
    assert ended.value.code == 0
    title, *lines = capsys.readouterr().out.splitlines()
    assert title.endswith("CPU, one thread, usual path numpy")
    assert [line.split()[:4] for line in lines] == [
        [kind, path, f"{2 * ROWS * WIDTH:,}", "draws"]
        for kind, paths in (
            ("gaussian", ("numpy", "torch", "scipy")),
            ("uniform", ("numpy", "torch")),
            ("laplace", ("numpy", "torch")),
        )
        for path in paths
    ]
    assert [line.split()[4:6] for line in lines] == [["0", "differ"]] * 7
    assert all(float(line.split()[6]) > 0 for line in lines)


def test_a_single_other_integer_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    oracle = noise_agreement._by_scipy

    def disturbed(*rows: torch.Tensor) -> torch.Tensor:
        noise_RD = oracle(*rows)
        noise_RD[3, 7] += 1
        return noise_RD

    monkeypatch.setattr(noise_agreement, "_by_scipy", disturbed)
    found = compared("gaussian", torch.device("cpu"), draws=1)
    assert [(agreement.path, agreement.differences) for agreement in found] == [
        ("numpy", 0),
        ("torch", 0),
        ("scipy", 1),
    ]
