"""What is recorded of an environment is stable, complete, and true of this machine."""

from __future__ import annotations

import platform
import subprocess
from pathlib import Path

import torch

from robustcert.provenance.digests import canonical_json
from robustcert.provenance.environment import (
    code_sha256,
    environment,
    environment_sha256,
    peak_memory_bytes,
    source_revision,
)


def test_an_environment_is_equal_twice_and_has_a_canonical_form() -> None:
    assert environment() == environment()
    assert environment_sha256(environment()) == environment_sha256(environment())
    assert canonical_json(environment())


def test_it_names_what_the_interpreter_and_torch_say_of_themselves() -> None:
    found = environment()
    assert found["python"] == platform.python_version()
    assert found["packages"]["torch"] == torch.__version__  # type: ignore[index]
    assert found["cpuCapability"] == torch.backends.cpu.get_cpu_capability()


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
