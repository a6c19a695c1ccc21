"""Oracle: the kernel's count of page faults while large tensors are made and freed, in a process of its own."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

from robustcert.models import allocator

FAULTS = """
import resource, sys
from robustcert.models.allocator import keep_large_allocations
assert len(sys.argv) == 1 or keep_large_allocations() == (sys.platform == "linux")
def make():
    for mebibytes in (1, 9, 60):
        assert len(b"x" * (mebibytes << 20))
make()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10): make()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def test_kept_allocations_are_not_faulted_in_again() -> None:
    """70 MiB are 17,920 pages of 4 KiB each time, unless they are kept."""
    given, kept = (
        int(subprocess.run([sys.executable, "-c", FAULTS, *extra], check=True, capture_output=True).stdout)
        for extra in ([], ["keep"])
    )
    assert given > 10 * 10_000
    assert kept < (1000 if sys.platform == "linux" else 2 * given)


def test_a_c_library_without_the_setting_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    allocator.keep_large_allocations.cache_clear()
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    assert not allocator.keep_large_allocations()
    allocator.keep_large_allocations.cache_clear()
