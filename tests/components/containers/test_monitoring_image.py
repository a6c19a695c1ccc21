"""The image of the long-running programs: built from this checkout, run with nothing that it does not need."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.components.containers.building import Builder, run
from tests.components.containers.cache import cache_folder, cached
from tests.components.containers.daemon import building_client
from tests.components.containers.offline import DOWNLOAD, served
from tools.requirements import requirements

pytestmark = pytest.mark.containers

IMAGE = "robustcert-monitoring:test"
INSTALLED = "import importlib.metadata as m, json; print(json.dumps(sorted({i.name for i in m.distributions()})))"


def wheels(root: Path) -> Path:
    """A folder of every wheel that the image installs."""
    wanted = [*requirements(["monitoring", "s3", "cluster"], pyproject=root / "pyproject.toml"), "cyclonedx-bom"]

    def make(target: Path) -> None:
        names = target.with_name("wanted")
        names.write_text("\n".join(wanted))
        into = ["--dest", str(target)]
        run([*DOWNLOAD, *into, "--no-deps", "-r", str(root / "constraints-build.txt")], cwd=root)
        run([*DOWNLOAD, *into, "-c", str(root / "constraints.txt"), "-r", str(names)], cwd=root)
        names.unlink()

    recipe = "\n".join([(root / "constraints.txt").read_text(), (root / "constraints-build.txt").read_text(), *wanted])
    return cached(cache_folder(), "monitoring-wheels", recipe=recipe, make=make)


@pytest.fixture(scope="module")
def monitoring_image(builder: Builder, checkout: tuple[Path, str], root: Path, tmp_path_factory) -> str:
    configuration = tmp_path_factory.mktemp("pip") / "pip.conf"
    with served(wheels(root)) as address:
        configuration.write_text(f"[global]\nno-index = true\nfind-links = {address}\n")
        command = [building_client(), "build", "--file", "monitoring/Dockerfile", "--tag", IMAGE, "--network", "host"]
        command += ["--build-arg", f"BASE={builder.base}", "--secret", f"id=pip,src={configuration}", "."]
        run(command, cwd=checkout[0], DOCKER_HOST=builder.docker_host, DOCKER_BUILDKIT="1")
    return IMAGE


@pytest.fixture(scope="module")
def run_in_image(docker_host: str, monitoring_image: str) -> Callable[..., str]:
    """Runs a command in this image, and not in the much larger one of the steps, as conftest.py's of this name does."""
    strict = ["docker", "--host", docker_host, "run", "--rm", "--read-only", "--cap-drop", "ALL", "--network", "none"]
    strict += ["--security-opt", "no-new-privileges"]

    def run_command(command: list[str], *, options: tuple[str, ...] = ()) -> str:
        full = [*strict, *options, monitoring_image, *command]
        return subprocess.run(full, capture_output=True, text=True, check=True).stdout

    return run_command


def test_both_programs_teach_on_a_read_only_root_without_a_network(run_in_image) -> None:
    for program, word in (("exporter", "--trusted-keys"), ("recertification_webhook", "--config")):
        assert word in run_in_image(["python", "-m", f"monitoring.{program}", "--help"])
    with pytest.raises(subprocess.CalledProcessError) as caught:
        run_in_image(["touch", "/opt/robustcert/written"], options=("--user", "0:0"))
    assert "Read-only file system" in caught.value.stderr


def test_wrong_input_is_one_line(run_in_image) -> None:
    with pytest.raises(subprocess.CalledProcessError) as caught:
        run_in_image(["python", "-m", "monitoring.exporter"])
    assert (caught.value.returncode, caught.value.stderr.count("\n")) == (2, 1)


def test_it_holds_no_torch_no_installer_and_no_more_of_monitoring_than_runs(run_in_image) -> None:
    installed = set(json.loads(run_in_image(["python", "-c", INSTALLED])))
    assert {"robustcert", "kubernetes", "prometheus_client", "fastapi", "minio"} <= installed
    assert {"torch", "scikit-learn", "kfp", "evidently", "pip", "pytest"}.isdisjoint(installed)
    code = (
        "import monitoring, pathlib; print(sorted(p.name for p in pathlib.Path(monitoring.__file__).parent.iterdir()))"
    )
    assert run_in_image(["python", "-c", code]).strip() == (
        "['__init__.py', '__pycache__', 'exporter', 'recertification_webhook']"
    )


def test_its_user_has_no_privileges(client, monitoring_image: str) -> None:
    assert client.images.get(monitoring_image).attrs["Config"]["User"] == "65532:65532"
