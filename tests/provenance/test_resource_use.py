"""What is recorded of a step's cost is what the operating system, or torch, says of it."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
import torch

from robustcert.provenance.resource_use import ResourceClock


def test_processor_time_counts_this_process_and_its_finished_children() -> None:
    clock, before = ResourceClock(), time.process_time()
    while time.process_time() - before < 0.05:
        sum(range(1000))
    own = clock.used().cpu_milliseconds
    subprocess.run([sys.executable, "-c", "while __import__('time').process_time() < 0.2: pass"], check=True)
    both = clock.used()
    assert own >= 45
    assert both.cpu_milliseconds >= own + 190
    assert both.wall_milliseconds >= 200
    assert both.peak_memory_bytes > 1 << 20


def test_without_an_open_gpu_there_is_no_gpu_time() -> None:
    """Also where there is a GPU that nothing was computed on."""
    code = """
import sys
from robustcert.provenance.resource_use import ResourceClock
use = ResourceClock().used()
print(use.gpu_milliseconds, use.gpu_peak_memory_bytes, "torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["0", "0", "False"]


def test_gpu_time_is_the_wall_time_of_each_open_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = ResourceClock()
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda index: (1 << 30, 1 << 31)[index])
    before = time.perf_counter()
    while time.perf_counter() - before < 0.02:
        pass
    use = clock.used()
    assert use.gpu_milliseconds == 2 * use.wall_milliseconds >= 40
    assert use.gpu_peak_memory_bytes == 1 << 31
