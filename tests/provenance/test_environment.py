"""What is recorded of an environment is stable, complete, and true of this machine."""

from __future__ import annotations

import platform
import subprocess
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch

from robustcert.models import canonical_execution
from robustcert.provenance.digests import canonical_json
from robustcert.provenance.environment import (
    code_sha256,
    environment,
    environment_sha256,
    gpu_driver,
    peak_memory_bytes,
    source_revision,
)
from robustcert.smoothing.device_noise import noise_path


def test_an_environment_is_equal_twice_and_has_a_canonical_form() -> None:
    assert environment() == environment()
    assert environment_sha256(environment()) == environment_sha256(environment())
    assert canonical_json(environment())


def test_it_names_what_the_interpreter_and_torch_say_of_themselves() -> None:
    found = environment()
    assert found["python"] == platform.python_version()
    assert found["packages"]["torch"] == torch.__version__
    assert found["cpuCapability"] == torch.backends.cpu.get_cpu_capability()


def test_without_a_gpu_the_device_is_the_cpu_and_no_driver_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    found = environment()
    assert (found["device"], found["gpu"], found["gpuDriver"]) == ("cpu", "none", "none")
    assert (found["gpuCapability"], found["cublasWorkspace"], found["noise"]) == ("none", "none", "numpy")


def test_a_gpu_is_named_with_its_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: f"GPU {index}")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda index: (9, index))
    found = environment()
    assert (found["device"], found["gpu"], found["gpuDriver"]) == ("cuda", "GPU 0", gpu_driver())
    assert (found["gpuCapability"], found["cublasWorkspace"]) == ("9.0", ":4096:8")
    assert found["noise"] == noise_path(torch.device("cuda"))


def test_flags_are_those_in_force_where_results_are_computed() -> None:
    """Not those of the process around it, which may be anything."""
    flags = {
        "threadsPerProcess": "1",
        "deterministicAlgorithms": "true",
        "float32MatmulPrecision": "highest",
        "cudnnEnabled": "true",
        "cudnnDeterministic": "true",
        "cudnnBenchmark": "false",
        "tf32": "false",
    }
    precision = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        with torch.backends.cudnn.flags(benchmark=True, deterministic=False, allow_tf32=True):
            found = environment()
    finally:
        torch.set_float32_matmul_precision(precision)
    assert {name: found[name] for name in flags} == flags


def test_a_flag_that_computing_leaves_on_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The record follows torch, not the intention."""
    monkeypatch.setattr(canonical_execution, "canonical_execution", nullcontext)
    with torch.backends.cudnn.flags(benchmark=True, deterministic=False, allow_tf32=True):
        found = environment()
    assert (found["cudnnBenchmark"], found["cudnnDeterministic"], found["tf32"]) == ("true", "false", "true")


def test_the_driver_is_the_version_that_its_kernel_module_tells(tmp_path: Path) -> None:
    told = tmp_path / "version"
    told.write_text(
        "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 22:23:56 UTC 2024\nGCC 12.3.0\n"
    )
    assert gpu_driver(told) == "550.54.15"
    told.write_text("nothing")
    assert gpu_driver(told) == gpu_driver(tmp_path / "absent") == "unknown"


def test_the_code_digest_covers_the_package_and_is_a_sha256() -> None:
    assert len(code_sha256()) == 64


def test_a_git_work_tree_tells_its_commit_and_whether_it_is_dirty(tmp_path: Path) -> None:
    assert source_revision(tmp_path / "nowhere") is None
    git = ["git", "-C", str(tmp_path), "-c", "user.name=t", "-c", "user.email=t@example.org"]
    (tmp_path / "spec.yaml").write_text("a")
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "one"]):
        subprocess.run([*git, *command], check=True, capture_output=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    assert source_revision(tmp_path) == {"commit": head, "dirty": False}
    (tmp_path / "spec.yaml").write_text("b")
    assert source_revision(tmp_path) == {"commit": head, "dirty": True}


def test_peak_memory_is_at_least_a_block_that_was_held() -> None:
    before = peak_memory_bytes()
    block = bytearray(before + (64 << 20))
    block[:: 1 << 12] = b"x" * len(block[:: 1 << 12])
    assert peak_memory_bytes() >= before + (32 << 20)
