"""The GPU benchmark runs, in its tiny form on the CPU, and counts operations as the field does."""

from __future__ import annotations

import sys

import pytest
import torch

from benchmarks.gpu_smoothing import CLASSES, TINY, main, operations_per_image, plain_votes, resnet18


def test_every_measurement_is_printed_with_its_unit(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["gpu_smoothing.py", "--device", "cpu", "--tiny"])
    main()
    title, *lines = capsys.readouterr().out.splitlines()
    assert title == f"torch {torch.__version__}, CPU, one thread"
    assert [line[:44].rstrip() for line in lines] == [
        "count_votes, float32",
        "plain PyTorch votes, float32",
        "count_votes, bfloat16",
        "plain PyTorch votes, bfloat16",
        "train, float32",
        "plain PyTorch epoch, float32",
    ]
    assert all(float(line[44:].split()[0]) > 0 for line in lines)
    assert ["% of the matrix product's FLOP/s" in line for line in lines] == [True] * 4 + [False] * 2


def test_a_resnet18_of_width_64_takes_the_published_operations() -> None:
    """0.56 billion multiplications for a CIFAR image, in the usual count of convolutions and the linear layer."""
    assert operations_per_image(resnet18(64)) / 2 == pytest.approx(0.56e9, rel=0.01)
    assert sum(value.numel() for value in resnet18(64).parameters()) == pytest.approx(11.17e6, rel=0.001)


def test_the_plain_loop_counts_every_draw() -> None:
    counts_K = plain_votes(resnet18(TINY.width), torch.zeros(3, 32, 32), draws=300)
    assert counts_K.shape == (CLASSES,)
    assert int(counts_K.sum()) == 300
