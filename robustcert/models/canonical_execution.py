"""How every result that a certificate rests on is computed, so that it repeats bit for bit on one machine.

One thread within an operation, float32 as it is written, deterministic algorithms only. Measured: with fixed batches of
256 rows, results then depend on neither order nor contents of the other rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch


@contextmanager
def canonical_execution() -> Iterator[None]:
    """Canonical settings of torch inside; the settings found are put back after, whatever happens.

    On a GPU, cuBLAS needs a variable as well, which `robustcert.models.execution_device` sees to.
    """
    with ExitStack() as restore:
        restore.callback(torch.set_num_threads, torch.get_num_threads())
        restore.callback(torch.set_float32_matmul_precision, torch.get_float32_matmul_precision())
        restore.callback(torch.set_deterministic_debug_mode, torch.get_deterministic_debug_mode())
        torch.set_num_threads(1)
        torch.set_float32_matmul_precision("highest")
        torch.set_deterministic_debug_mode("error")  # use_deterministic_algorithms would import the compiler: 1.3 s
        restore.enter_context(torch.autocast("cpu", enabled=False))
        restore.enter_context(
            torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
        )
        if torch.cuda.is_available():
            restore.enter_context(torch.autocast("cuda", enabled=False))
        yield
