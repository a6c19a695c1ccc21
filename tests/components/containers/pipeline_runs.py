"""One compiled pipeline run twice: in processes, and in containers by kfp's unmodified DockerRunner.

kfp.local puts no pipeline input into the name of an image, so the copy that is run names the image itself; nothing
else differs from the committed file.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import yaml

USER = os.getuid() or 65532  # root gives its folders to the image's user; anyone else runs the steps as themselves
STRICT = {"read_only": True, "tmpfs": {"/tmp": ""}, "cap_drop": ["ALL"], "network_mode": "none"}  # noqa: S108
STRICT |= {"security_opt": ["no-new-privileges"], "user": f"{USER}:{USER}"}
STORE, KEY, SOURCE = "/store", "/run/issuer", "/source"  # in the containers


@dataclass(frozen=True, kw_only=True)
class Run:
    """A finished run: the folder of its tasks, its store, and its log."""

    tasks: Path
    store: Path
    log: str

    def artifacts(self, name: str) -> dict[str, bytes]:
        """Task (with its loop iteration) -> the bytes of its artifact of that name."""
        found = {path.parent.relative_to(self.tasks).as_posix(): path for path in self.tasks.rglob(name)}
        return {task: path.read_bytes() for task, path in sorted(found.items())}


def with_image(pipeline: Path, image: str, target: Path) -> Path:
    """Writes the compiled pipeline with `image` in every executor; returns `target`."""
    documents = list(yaml.safe_load_all(pipeline.read_text()))
    for executor in documents[0]["deploymentSpec"]["executors"].values():
        executor["container"]["image"] = image
    target.write_text(yaml.safe_dump_all(documents))
    return target


def run_in_processes(folder: Path, *, pipeline: Path, arguments: Mapping[str, Any], key: Path, source: Path) -> Run:
    """Runs it as `robustcert run` does: each task a process on this machine."""
    paths = {"store": str(folder / "store"), "signing_key": str(key), "source_folder": str(source)}
    return _run(folder, pipeline=pipeline, arguments={**arguments, **paths}, docker_arguments=None, host=None)


def run_in_containers(
    folder: Path, *, pipeline: Path, arguments: Mapping[str, Any], key: Path, source: Path, host: str
) -> Run:
    """Runs each task in a container: no privileges, no network, a read-only root; folders are mounted."""
    folder.mkdir()
    mounts = [[str(folder / "store"), STORE, False], [str(key), KEY, True], [str(source), SOURCE, True]]
    for path in (folder / "store", folder / "root"):
        path.mkdir()
    for path in (folder, folder / "store", folder / "root", key, source, *source.iterdir()):
        os.chown(path, USER, -1)
    paths = {"store": STORE, "signing_key": KEY, "source_folder": SOURCE}
    return _run(
        folder,
        pipeline=pipeline,
        arguments={**arguments, **paths},
        docker_arguments={**STRICT, "mounts": mounts},
        host=host,
    )


def _run(
    folder: Path,
    *,
    pipeline: Path,
    arguments: Mapping[str, Any],
    docker_arguments: Mapping[str, Any] | None,
    host: str | None,
) -> Run:
    for path in (folder, folder / "store", folder / "root"):
        path.mkdir(exist_ok=True)
    request = {"pipeline": str(pipeline), "root": str(folder / "root"), "arguments": arguments}
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("kfp_run.py"))],
        input=json.dumps({**request, "docker": docker_arguments}),
        env={**os.environ, **({"DOCKER_HOST": host} if host else {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
    )
    assert done.returncode == 0, done.stdout[-6000:]
    (tasks,) = (folder / "root").iterdir()
    return Run(tasks=tasks, store=folder / "store", log=done.stdout)


@contextmanager
def watched(client: docker.DockerClient) -> Iterator[list[dict[str, Any]]]:
    """What dockerd knew of every container that was created meanwhile, before anything in it ran to its end."""
    seen: list[dict[str, Any]] = []
    events = client.events(decode=True, filters={"type": "container", "event": "create"})

    def note() -> None:
        for event in events:
            seen.append(client.api.inspect_container(event["id"]))

    thread = threading.Thread(target=note, daemon=True)
    thread.start()
    yield seen
    events.close()
    thread.join(10)
