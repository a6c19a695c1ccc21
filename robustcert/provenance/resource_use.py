"""What a step cost: wall, processor and GPU time, and the most memory that it held. Loads no torch by itself."""

from __future__ import annotations

import resource
import sys
import time
from dataclasses import dataclass
from typing import Any

from robustcert.provenance.environment import peak_memory_bytes


@dataclass(frozen=True, kw_only=True)
class ResourceUse:
    """Cost of a step. GPU time is its wall time on each GPU that it has open, busy or not: CUDA does not tell which."""

    wall_milliseconds: int
    cpu_milliseconds: int
    peak_memory_bytes: int
    gpu_milliseconds: int
    gpu_peak_memory_bytes: int


class ResourceClock:
    """Starts when it is made. Processor time includes finished child processes; GPU memory is this process's own."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), _cpu_seconds()

    def used(self) -> ResourceUse:
        """What was used since."""
        wall = round(1000 * (time.perf_counter() - self._wall))
        gpus = _open_gpus()
        return ResourceUse(
            wall_milliseconds=wall,
            cpu_milliseconds=round(1000 * (_cpu_seconds() - self._cpu)),
            peak_memory_bytes=peak_memory_bytes(),
            gpu_milliseconds=wall * len(gpus),
            gpu_peak_memory_bytes=max(gpus, default=0),
        )


def _cpu_seconds() -> float:
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def _open_gpus() -> list[int]:
    """Peak bytes on each GPU that torch has open in this process."""
    torch: Any = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return []
    return [torch.cuda.max_memory_allocated(index) for index in range(torch.cuda.device_count())]
