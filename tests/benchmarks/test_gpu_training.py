"""The training benchmark runs, in its tiny form on the CPU."""

from __future__ import annotations

import sys

import pytest
import torch

from benchmarks.gpu_training import main


def test_both_loops_are_printed_with_their_unit(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["gpu_training.py", "--device", "cpu", "--tiny"])
    main()
    title, *lines = capsys.readouterr().out.splitlines()
    assert title == f"torch {torch.__version__}, CPU, one thread"
    assert [line[:64].rstrip() for line in lines] == ["train, float32", "plain PyTorch epoch, float32"]
    assert all(float(line[64:].split()[0]) > 0 for line in lines)
