"""The GPU benchmark runs, in its tiny form on the CPU, and counts operations as the field does."""

from __future__ import annotations

import sys

import pytest
import torch

from benchmarks.gpu_smoothing import (
    BATCH,
    CLASSES,
    DRAWS_OF,
    TINY,
    Loops,
    Rate,
    certificate_rates,
    main,
    operations_per_image,
    resnet20,
)

LOOPS = (
    "bare forward passes",
    "count_votes",
    "noisy_batch and votes",
    "noise by numpy, carried over, and votes",
    "torch's floating-point noise and votes",
)


def test_every_measurement_is_printed_with_its_unit(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["gpu_smoothing.py", "--device", "cpu", "--tiny"])
    main()
    title, *lines = capsys.readouterr().out.splitlines()
    assert title == f"torch {torch.__version__}, CPU, one thread, noise by numpy"
    modes = tuple(f"certificates, {mode}" for mode in DRAWS_OF)
    smoothing = [f"{name}, {precision}" for precision in ("float32", "bfloat16") for name in (*LOOPS, *modes)]
    assert [line[:64].rstrip() for line in lines] == smoothing
    assert all(float(line[64:].split()[0]) > 0 for line in lines)
    assert sum("of the matrix product's FLOP/s" in line for line in lines) == 2
    assert sum("of the bare forward passes" in line for line in lines) == 2 * 4


def test_certificates_a_second_are_votes_a_second_over_the_draws_of_one() -> None:
    """The reference mode takes 100 draws to select and 100,000 to estimate."""
    rates = certificate_rates(Rate(what="votes", per_second=200_200.0), precision="float32")
    assert rates[0].per_second == pytest.approx(2.0)
    assert [rate.note for rate in rates] == [f"{draws:,} draws each" for draws in DRAWS_OF.values()]


def test_a_resnet20_of_width_16_takes_the_published_operations() -> None:
    """He et al. 2016: 0.27 million parameters; 41 million multiplications for a CIFAR image."""
    assert operations_per_image(resnet20(16)) / 2 == pytest.approx(41e6, rel=0.01)
    assert sum(value.numel() for value in resnet20(16).parameters()) == pytest.approx(0.27e6, rel=0.015)


def test_every_loop_counts_every_draw_and_every_path_the_same_votes() -> None:
    torch.manual_seed(0)
    network = resnet20(TINY.width)
    loops = Loops(network, device=torch.device("cpu"), precision="float32", draws=2 * BATCH)
    counts = [loops.bare(), loops.floating_point(), loops.noisy("numpy"), loops.noisy("torch")]
    assert [(int(counts_K.sum()), counts_K.shape) for counts_K in counts] == [(2 * BATCH, (CLASSES,))] * 4
    assert counts[2].equal(counts[3])
