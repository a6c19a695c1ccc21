"""Memory of large activations is kept by the process, not handed back to the system after every layer.

glibc maps every block above a threshold anew and unmaps it when it is freed, so that a forward pass spends up to half
of its time in page faults (mallopt(3): M_MMAP_MAX, M_TRIM_THRESHOLD). Kept, it is reused; the process holds its peak.
Results do not change. Other C libraries have no such setting, and nothing is done there.
"""

from __future__ import annotations

import ctypes
from functools import cache

M_TRIM_THRESHOLD = -1
M_MMAP_MAX = -4
NEVER = -1
NONE = 0


@cache
def keep_large_allocations() -> bool:
    """Tells the C library of this process to keep what it frees; whether it could be told. Once is enough."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return False
    return bool(mallopt(M_MMAP_MAX, NONE)) and bool(mallopt(M_TRIM_THRESHOLD, NEVER))
