"""One dockerd, one base and one image for all container tests; `make test-containers` runs them."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest

from components.image import IMAGE
from tests.components.containers.building import Builder, copy_checkout
from tests.components.containers.daemon import docker_daemon
from tests.components.containers.offline import served, stand_in_base, wheels

STAND_IN = "robustcert-stand-in-base"
RunInImage = Callable[..., str]


@pytest.fixture(scope="session")
def docker_host() -> Iterator[str]:
    """DOCKER_HOST of whoever runs the tests, or of a dockerd that is started for them."""
    if given := os.environ.get("DOCKER_HOST"):
        yield given
    else:
        with docker_daemon() as host:
            yield host


@pytest.fixture(scope="session")
def client(docker_host: str) -> Iterator[docker.DockerClient]:
    connected = docker.DockerClient(base_url=docker_host, timeout=600)
    yield connected
    connected.close()


@pytest.fixture(scope="session")
def builder(
    root: Path, docker_host: str, client: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Builder]:
    """Builds without the internet: from the base of whoever runs the tests, or from a stand-in."""
    base = os.environ.get("BASE") or _stand_in(client)
    configuration = tmp_path_factory.mktemp("pip") / "pip.conf"
    with served(wheels(root)) as address:
        configuration.write_text(f"[global]\nno-index = true\nfind-links = {address}\n")
        yield Builder(docker_host=docker_host, base=base, pip_configuration=configuration)


def _stand_in(client: docker.DockerClient) -> str:
    """Loads the stand-in for the official base, unless this daemon has it; returns its name."""
    archive = stand_in_base()
    tag = archive.name.rpartition("-")[2]
    if not client.images.list(name=f"{STAND_IN}:{tag}"):
        client.api.import_image_from_file(str(archive), STAND_IN, tag, changes=['CMD ["python3"]'])
    return f"{STAND_IN}:{tag}"


@pytest.fixture(scope="session")
def checkout(root: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A copy of the checkout, and its commit."""
    folder = tmp_path_factory.mktemp("checkout")
    return folder, copy_checkout(root, folder)


@pytest.fixture(scope="session")
def image(builder: Builder, checkout: tuple[Path, str]) -> str:
    """The image that the compiled pipelines name, built from this checkout."""
    builder.image(checkout[0], tag=IMAGE)
    return IMAGE


@pytest.fixture(scope="session")
def run_in_image(docker_host: str, image: str) -> RunInImage:
    """Runs a command in the image as a cluster would that trusts it least, and returns what it printed.

    CalledProcessError holds what a failed command printed. Through the client's own program, which is attached to the
    container: what the daemon keeps as its log may lack the end.
    """
    strict = ["docker", "--host", docker_host, "run", "--rm", "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL"]  # noqa: S108
    strict += ["--network", "none", "--security-opt", "no-new-privileges"]

    def run(command: list[str], *, of: str = image, options: tuple[str, ...] = ()) -> str:
        done = subprocess.run([*strict, *options, of, *command], capture_output=True, text=True, check=True)
        return done.stdout

    return run
