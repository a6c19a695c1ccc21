"""Commands of the documentation that need a cluster: those of docs/install.md are run here, the others are listed.

With KUBECONFIG and kubectl; where there is no program `helm`, by Helm's engine. docs/install.md is followed to the
letter in the namespace `robustcert`, which must not exist; its profile `team` is ROBUSTCERT_TEST_NAMESPACE.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.charts.test_install_page import KEY, TO_PASTE
from tests.cluster.api import Api, eventually, names
from tests.test_documentation import BLOCK, COMMAND, DOCUMENTS, NOTE, ROOT

pytestmark = pytest.mark.cluster

ENVIRONMENT = dict(os.environ)
PAGE = ROOT / "docs/install.md"
NAMESPACE = "robustcert"
STORE = "AWS_ACCESS_KEY_ID=somebody\nAWS_SECRET_ACCESS_KEY=something\n"


def commands(text: str, *, not_run: bool) -> list[str]:
    """Commands of a page in their order; `not_run` alone takes those that its own test leaves out."""
    blocks = [block for block in BLOCK.finditer(text) if not not_run or "not run" in dict(NOTE.findall(block["notes"]))]
    return [line.replace("\n> ", "\n") for block in blocks for line, _ in COMMAND.findall(block["text"])]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkout's chart and manifests, and the files that docs/install.md speaks of."""
    checkout = tmp_path / "checkout"
    for part in ("charts", "manifests"):
        shutil.copytree(ROOT / part, checkout / part)
    values = re.search(r"^```yaml\n# values\.yaml\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert values
    profile = ENVIRONMENT["ROBUSTCERT_TEST_NAMESPACE"]
    text = values[1].replace("namespace: team", f"namespace: {profile}").replace(TO_PASTE, KEY)
    (checkout / "values.yaml").write_text(text)
    (checkout / "store.env").write_text(STORE)
    return checkout


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """With `robustcert` and `helm` among the programs."""
    programs = tmp_path / "programs"
    programs.mkdir()
    if not shutil.which("helm"):
        text = f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m tests.cluster.helm_command "$@"\n'
        (programs / "helm").write_text(text)
        (programs / "helm").chmod(0o755)
    path = os.pathsep.join([str(programs), str(Path(sys.executable).parent), ENVIRONMENT["PATH"]])
    return {**ENVIRONMENT, "PATH": path}


@pytest.fixture
def api() -> Iterator[Api]:
    """The server; the namespace is removed in the end."""
    api = Api()
    assert NAMESPACE not in names(api.found("v1", "Namespace", namespace="")), f"the namespace {NAMESPACE} exists"
    yield api
    api.core.delete_namespace(NAMESPACE)


def test_docs_install_does_what_it_says(folder: Path, environment: dict[str, str], api: Api) -> None:
    for line in commands(PAGE.read_text(), not_run=False):
        if not line.startswith("make "):
            done = subprocess.run(
                ["bash", "-c", line], cwd=folder, env=environment, check=False, capture_output=True, text=True
            )
            assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
    components = ["exporter", "controller", "drift", "schedule"]
    accounts = names(api.found("v1", "ServiceAccount", namespace=NAMESPACE))
    assert {f"robustcert-{each}" for each in components} <= accounts
    running = eventually(lambda: len(running_pods(api)) >= 2, seconds=300)
    assert running
    tested = subprocess.run(
        ["helm", "test", "robustcert", "--namespace", NAMESPACE],
        env=environment,
        check=False,
        capture_output=True,
        text=True,
    )
    assert tested.returncode == 0, tested.stderr


def running_pods(api: Api) -> list[str]:
    pods = api.found("v1", "Pod", namespace=NAMESPACE)
    return [pod["metadata"]["name"] for pod in pods if pod["status"].get("phase") == "Running"]


def test_list_of_commands_that_need_a_cluster(capsys: pytest.CaptureFixture[str]) -> None:
    listed = {path: commands(path.read_text(), not_run=True) for path in DOCUMENTS}
    with capsys.disabled():
        for path, lines in listed.items():
            for line in lines:
                said = "run above" if path == PAGE else "not run"
                sys.stdout.write(f"  {said}  {path.relative_to(ROOT)}: {line.splitlines()[0]}\n")
    assert listed[PAGE]
