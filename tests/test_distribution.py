"""The wheel: what is in it, what it asks for, and that it works away from the checkout."""

import os
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from robustcert import __version__

VERIFIER_NEEDS_NONE_OF = {"torch", "kfp", "scikit-learn", "pandas", "minio", "onnx", "evidently", "kubernetes"}


def build(root: Path, folder: Path) -> Path:
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(root)]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(root, tmp_path_factory.mktemp("wheel"))


def test_the_wheel_holds_the_package_and_the_compiled_pipelines_and_nothing_else(root: Path, wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {name.partition("/")[0] for name in names} == {"robustcert", f"robustcert-{__version__}.dist-info"}
    compiled = [*(root / "pipelines").glob("*.yaml"), *(root / "pipelines/by_uri").glob("*.yaml")]
    packed = {name for name in names if name.startswith("robustcert/pipelines/")}
    assert packed == {f"robustcert/{path.relative_to(root).as_posix()}" for path in compiled}
    assert len(packed) >= 12
    assert f"robustcert-{__version__}.dist-info/licenses/LICENSE" in names
    assert [name for name in names if name.endswith((".pyc", "README.md"))] == []


def test_a_verifier_is_asked_for_nothing_heavy(wheel: Path) -> None:
    text = zipfile.ZipFile(wheel).read(f"robustcert-{__version__}.dist-info/METADATA").decode()
    required = [Requirement(line) for line in Parser().parsestr(text).get_all("Requires-Dist", [])]
    core = {requirement.name for requirement in required if requirement.marker is None}
    assert {"cryptography", "numpy", "pydantic"} <= core
    assert core & VERIFIER_NEEDS_NONE_OF == set()


def test_the_same_checkout_builds_the_same_bytes(root: Path, wheel: Path, tmp_path: Path) -> None:
    assert build(root, tmp_path).read_bytes() == wheel.read_bytes()


def test_the_unpacked_wheel_finds_its_pipeline_away_from_the_checkout(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path)
    program = "from robustcert.local_run import compiled_pipeline; print(compiled_pipeline('certified_training'))"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-c", program]
    run = subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True, text=True)
    path = Path(run.stdout.strip())
    assert path == tmp_path / "robustcert/pipelines/certified_training.yaml"
    assert path.is_file()
