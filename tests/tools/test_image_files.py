"""What is removed from an image, what stays, and that a second time gives the same bytes."""

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tools.image_files import finish, strip

EPOCH = 1_600_000_000


def planted(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("NAME = {'a', 'b', 'c'}\n")


def left(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if not path.is_dir()}


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    site = tmp_path / "lib/python3.11/site-packages"
    planted(site, "torch/test/t", "torch/include/a.h", "torch/bin/torch_shm_manager", "torch/bin/protoc")
    planted(site, "torch/testing/__init__.py", "scipy/a/tests/test_b.py", "scipy/a/b.py", "scipy/a/c.pxd", "scipy/d.so")
    (site / "scipy/template.py").write_text("not python {{\n")
    return tmp_path


@pytest.mark.parametrize("library", ["usr/lib/python3/dist-packages", "usr/local/lib/python3.11/site-packages"])
def test_the_base_loses_its_installers_and_nothing_else(tmp_path: Path, library: str) -> None:
    planted(
        tmp_path, f"{library}/pip/__init__.py", f"{library}/setuptools/a.py", f"{library}/pip-24.0.dist-info/RECORD"
    )
    planted(tmp_path, "usr/local/lib/python3.11/ensurepip/__init__.py", "usr/bin/pip3", "usr/local/bin/pip3.11")
    planted(tmp_path, "usr/bin/apt-get", "var/lib/apt/lists/some_Packages", "usr/share/python-wheels/pip.whl")
    kept = {f"{library}/piping.py", "usr/bin/python3", "usr/bin/sh", "var/lib/dpkg/status"}
    planted(tmp_path, *kept)
    strip(tmp_path)
    assert left(tmp_path) == kept


def test_no_program_of_the_base_raises_privileges_afterwards(tmp_path: Path) -> None:
    planted(tmp_path, "usr/bin/su", "usr/bin/wall", "usr/bin/ls")
    for name, mode in (("su", 0o4755), ("wall", 0o2755), ("ls", 0o755)):
        (tmp_path / "usr/bin" / name).chmod(mode)
    strip(tmp_path)
    assert {stat.S_IMODE((tmp_path / "usr/bin" / name).stat().st_mode) for name in ("su", "wall", "ls")} == {0o755}


def test_the_environment_keeps_what_runs_and_gets_byte_code_and_one_time(environment: Path) -> None:
    finish(environment, epoch=EPOCH)
    site = environment / "lib/python3.11/site-packages"
    sources = {"torch/bin/torch_shm_manager", "torch/testing/__init__.py", "scipy/a/b.py", "scipy/d.so"}
    tag = sys.implementation.cache_tag
    byte_code = {f"torch/testing/__pycache__/__init__.{tag}.pyc", f"scipy/a/__pycache__/b.{tag}.pyc"}
    assert left(site) == sources | byte_code | {"scipy/template.py"}
    assert {path.stat().st_mtime for path in [environment, *environment.rglob("*")]} == {EPOCH}


def test_the_byte_code_is_not_checked_against_the_time_of_its_source(environment: Path) -> None:
    finish(environment, epoch=EPOCH)
    (path,) = environment.rglob("b.*.pyc")
    assert path.read_bytes()[4:8] == b"\x01\x00\x00\x00"  # PEP 552: by hash, not to be checked


def test_a_second_process_makes_the_same_bytes(environment: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    made = []
    for _ in range(2):
        command = [sys.executable, "tools/image_files.py", "finish", str(environment)]
        subprocess.run(command, check=True, env={"PYTHONHASHSEED": "0"}, cwd=Path(__file__).parent.parent.parent)
        made.append({path: path.read_bytes() for path in environment.rglob("*.pyc")})
    assert made[0] == made[1] != {}
