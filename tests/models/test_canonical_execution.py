"""Settings of torch are canonical inside, and put back after, also after a failure."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from robustcert.models.canonical_execution import canonical_execution


def settings() -> tuple[object, ...]:
    return (
        torch.get_num_threads(),
        torch.get_float32_matmul_precision(),
        torch.are_deterministic_algorithms_enabled(),
        torch.is_autocast_enabled("cpu"),
        torch.backends.cudnn.deterministic,
        torch.backends.cudnn.benchmark,
        torch.backends.cudnn.allow_tf32,
    )


def test_inside_there_is_one_thread_full_precision_and_determinism() -> None:
    with torch.autocast("cpu"), torch.backends.cudnn.flags(benchmark=True), canonical_execution():
        assert settings() == (1, "highest", True, False, True, False, False)


def test_what_was_set_before_is_set_after_also_after_a_failure() -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    torch.set_float32_matmul_precision("medium")
    before = settings()
    try:
        with pytest.raises(ZeroDivisionError), canonical_execution():
            raise ZeroDivisionError
        assert settings() == before
    finally:
        torch.set_num_threads(threads)
        torch.set_float32_matmul_precision("highest")


def test_it_does_not_import_the_compiler() -> None:
    code = (
        "import sys, robustcert.models.canonical_execution as c\n"
        "with c.canonical_execution(): pass\n"
        "print('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"
