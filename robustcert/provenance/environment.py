"""What a result was computed with: versions, processor, device, and what is known not to be deterministic.

`environment()` is stable: two runs on one machine with one installation give equal values, so that it can stand in a
certificate. Flags are read from torch as results are computed, within `canonical_execution`. Times and memory belong
to the run record (robustcert/provenance/resource_use.py).
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import robustcert
from robustcert.provenance.digests import canonical_json, sha256_bytes, sha256_file

if TYPE_CHECKING:
    import torch

PACKAGES = ("numpy", "scipy", "torch", "scikit-learn", "pyarrow", "safetensors", "kfp", "triton")
NVIDIA_DRIVER = Path("/proc/driver/nvidia/version")
PACKAGE_FOLDER = Path(robustcert.__file__).parent


def environment() -> dict[str, object]:
    """Versions, processor and device as a JSON object of strings; loads torch, to ask it what it uses."""
    return {
        "robustcert": robustcert.__version__,
        "codeSha256": code_sha256(),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "packages": {name: _version(name) for name in PACKAGES},
        **_torch_environment(),
    }


def environment_sha256(found: dict[str, object]) -> str:
    """Digest of an environment: equal digests are the condition for bit-exact repetition."""
    return sha256_bytes(canonical_json(found))


def joined_environments(found: Sequence[Mapping[str, object]]) -> dict[str, object]:
    """One environment of several machines: where they differ, their values are joined, so that it equals none of them.

    >>> joined_environments([{"gpu": "A", "threads": "1"}, {"gpu": "B", "threads": "1"}])
    {'gpu': 'A | B', 'threads': '1'}
    """
    joined: dict[str, object] = {}
    for name in sorted({name for environment in found for name in environment}):
        values = [environment.get(name, "none") for environment in found]
        if all(isinstance(value, dict) for value in values):
            joined[name] = joined_environments(values)  # type: ignore[arg-type]
        else:
            joined[name] = values[0] if values.count(values[0]) == len(values) else " | ".join(sorted(map(str, values)))
    return joined


@cache
def code_sha256() -> str:
    """SHA-256 over every Python and data file of the installed package: names and contents."""
    files = sorted(path for path in PACKAGE_FOLDER.rglob("*") if path.suffix in {".py", ".yaml", ".json", ".jinja"})
    listing = [[path.relative_to(PACKAGE_FOLDER).as_posix(), sha256_file(path)] for path in files]
    return sha256_bytes(canonical_json(listing))


def source_revision(folder: Path) -> dict[str, object] | None:
    """Commit of the git work tree that holds `folder` and whether it has changes; None outside a work tree."""
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return None
    return {"commit": commit, "dirty": bool(_git(folder, "status", "--porcelain"))}


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],  # noqa: S607
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _torch_environment() -> dict[str, object]:
    import torch

    from robustcert.models.execution_device import execution_device

    device = execution_device()
    return {
        "cpuCapability": torch.backends.cpu.get_cpu_capability(),
        "mathLibraries": _math_libraries(torch.__config__.show()),
        "device": device.type,
        **_gpu_environment(device),
        "cuda": torch.version.cuda or "none",
        "cudnn": str(torch.backends.cudnn.version() or "none"),
        **_execution_flags(),
        "memoryLayout": "channels first in float32, channels last in bfloat16",
        "noise": _noise_path(device),
        "nonDeterministicOperations": "none known on this device; torch refuses those it knows",
    }


def _gpu_environment(device: torch.device) -> dict[str, object]:
    import torch

    if device.type != "cuda":
        return {"gpu": "none", "gpuDriver": "none", "gpuCapability": "none", "cublasWorkspace": "none"}
    return {
        "gpu": torch.cuda.get_device_name(0),
        "gpuDriver": gpu_driver(),
        "gpuCapability": ".".join(map(str, torch.cuda.get_device_capability(0))),
        "cublasWorkspace": os.environ.get("CUBLAS_WORKSPACE_CONFIG", "none"),
    }


def _execution_flags() -> dict[str, object]:
    """What torch says of itself where results are computed."""
    import torch

    from robustcert.models.canonical_execution import canonical_execution

    with canonical_execution():
        flags = {
            "threadsPerProcess": torch.get_num_threads(),
            "deterministicAlgorithms": torch.are_deterministic_algorithms_enabled(),
            "float32MatmulPrecision": torch.get_float32_matmul_precision(),
            "cudnnEnabled": torch.backends.cudnn.enabled,
            "cudnnDeterministic": torch.backends.cudnn.deterministic,
            "cudnnBenchmark": torch.backends.cudnn.benchmark,
            "tf32": torch.backends.cudnn.allow_tf32 or torch.backends.cuda.matmul.allow_tf32,
        }
    return {name: str(flag).lower() for name, flag in flags.items()}


def _noise_path(device: torch.device) -> str:
    from robustcert.smoothing.device_noise import noise_path

    return noise_path(device)


def gpu_driver(file: Path = NVIDIA_DRIVER) -> str:
    """Version of the NVIDIA driver, as its kernel module tells it; `unknown` where it tells nothing."""
    try:
        found = re.search(r"\b\d+\.\d+(\.\d+)*\b", file.read_text().partition("\n")[0])
    except OSError:
        return "unknown"
    return found[0] if found else "unknown"


def _math_libraries(description: str) -> str:
    kept = [line.strip(" -") for line in description.splitlines() if "oneAPI" in line or "MKL-DNN" in line]
    return "; ".join(kept) or "unknown"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def peak_memory_bytes() -> int:
    """Largest resident set of this process so far; Linux counts KiB, macOS bytes."""
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
