"""Local runs: real child processes that outlive their controller, are adopted, ended, and leave no zombies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from monitoring.recertification_webhook.backends.backend import BackendRun, Order, make_backend
from monitoring.recertification_webhook.backends.local import LocalBackend
from monitoring.recertification_webhook.settings import BackendSettings, LocalSettings, Settings

CHILD = "tests.monitoring.recertification_webhook.backends.small_child"
SOON = 20.0
ORDER = Order(
    name="recertification-digits-r-1",
    model="digits",
    version="",
    certificate_sha256="ab" * 32,
    reason="x",
    run_id="r-1",
)

SUBMIT = """
import sys
from pathlib import Path
from monitoring.recertification_webhook.backends.backend import Order
from monitoring.recertification_webhook.backends.local import LocalBackend
from monitoring.recertification_webhook.settings import LocalSettings
backend = LocalBackend(LocalSettings(folder=Path(sys.argv[1]), signing_key=Path("k")), store="s", child=sys.argv[2])
print(backend.submit(Order(name=sys.argv[3], model="digits", version="", certificate_sha256="", reason="", run_id="r")))
"""


def until(condition: Callable[[], object]) -> None:
    """Waits for something that happens soon."""
    end = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.01)


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[LocalBackend]:
    settings = LocalSettings(folder=tmp_path / "runs", signing_key=tmp_path / "issuer", shards=2, workers=3)
    found = LocalBackend(settings, store="store", child=CHILD)
    yield found
    for folder in (tmp_path / "runs").glob("*"):
        found.cancel(folder.name)
        until(lambda folder=folder: (run := found.look(folder.name)) is None or run.state != "active")
    until(lambda: found._reap() or not found._children)


def told(folder: Path, what: str) -> None:
    """Tells the small child of a run what to do: succeed, fail, refuse, crash."""
    (folder / ORDER.name / "do").write_text(what)


def state(backend: LocalBackend) -> str:
    found = backend.look(ORDER.name)
    return "" if found is None else found.state


def pid(folder: Path) -> int:
    until((folder / ORDER.name / "process.json").exists)
    return int(json.loads((folder / ORDER.name / "process.json").read_text())["pid"])


def test_a_run_is_active_until_its_child_says_how_it_ended(backend: LocalBackend, tmp_path: Path) -> None:
    assert backend.find(ORDER.name) == []
    started = backend.submit(ORDER)
    assert started == BackendRun(run_id=ORDER.name, name=ORDER.name, state="active", url=started.url)
    assert backend.find(ORDER.name) == [started]
    order = json.loads((tmp_path / "runs" / ORDER.name / "order.json").read_text())
    assert (order["run_id"], order["shards"], order["workers"], order["store"]) == ("r-1", 2, 3, "store")
    told(tmp_path / "runs", "succeed")
    until(lambda: state(backend) == "succeeded")
    assert (tmp_path / "runs" / ORDER.name / "run.log").read_text() == "begun r-1\n"


@pytest.mark.parametrize(("what", "refused"), [("fail", False), ("refuse", True)])
def test_a_failure_says_whether_another_run_would_help(
    backend: LocalBackend, tmp_path: Path, what: str, refused: bool
) -> None:
    backend.submit(ORDER)
    told(tmp_path / "runs", what)
    until(lambda: state(backend) == "failed")
    found = backend.look(ORDER.name)
    assert found is not None
    assert (found.error, found.refused) == (what, refused)


def test_asking_twice_is_one_child(backend: LocalBackend, tmp_path: Path) -> None:
    backend.submit(ORDER)
    first = pid(tmp_path / "runs")
    assert backend.submit(ORDER).state == "active"
    assert pid(tmp_path / "runs") == first
    told(tmp_path / "runs", "succeed")
    until(lambda: state(backend) == "succeeded")
    assert backend.submit(ORDER).state == "succeeded"
    assert (tmp_path / "runs" / ORDER.name / "run.log").read_text().count("begun") == 1


def test_a_killed_child_is_a_failed_run(backend: LocalBackend, tmp_path: Path) -> None:
    backend.submit(ORDER)
    os.kill(pid(tmp_path / "runs"), signal.SIGKILL)
    until(lambda: state(backend) == "failed")
    found = backend.look(ORDER.name)
    assert found is not None
    assert found.error == "the process was killed"


def test_ending_a_run_ends_its_children_too_and_leaves_no_zombie(backend: LocalBackend, tmp_path: Path) -> None:
    backend.submit(ORDER)
    child = pid(tmp_path / "runs")
    told(tmp_path / "runs", "spawn")
    note = tmp_path / "runs" / ORDER.name / "grandchild"
    until(note.exists)
    grandchild = int(note.read_text())
    backend.cancel(ORDER.name)
    until(lambda: state(backend) == "failed")
    until(lambda: not alive(child) and not alive(grandchild))
    backend.cancel(ORDER.name)


def alive(process: int) -> bool:
    """Whether a process is there, zombies included, unless it waits for another parent than us."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return False
    return fields[0] != "Z" or int(fields[1]) == os.getpid()


def test_a_run_outlives_the_controller_that_started_it_and_the_next_one_adopts_it(
    backend: LocalBackend, tmp_path: Path
) -> None:
    """The first controller is a process of its own, killed by SIGKILL right after it asked."""
    arguments = (str(tmp_path / "runs"), CHILD, ORDER.name)
    first = subprocess.Popen([sys.executable, "-c", SUBMIT, *arguments], stdout=subprocess.PIPE, text=True)
    assert first.stdout is not None
    with first, first.stdout as out:
        assert "state='active'" in out.readline()
        first.kill()
    assert state(backend) == "active"
    assert backend.submit(ORDER).state == "active"
    told(tmp_path / "runs", "succeed")
    until(lambda: state(backend) == "succeeded")
    assert (tmp_path / "runs" / ORDER.name / "run.log").read_text().count("begun") == 1


def test_a_folder_without_a_child_is_no_run(backend: LocalBackend, tmp_path: Path) -> None:
    """A crash between making the folder and starting the child."""
    (tmp_path / "runs" / ORDER.name).mkdir(parents=True)
    (tmp_path / "runs" / ORDER.name / "lock").touch()
    assert backend.find(ORDER.name) == []
    assert backend.submit(ORDER).state == "active"


def test_the_settings_make_the_backend(tmp_path: Path) -> None:
    paths = {name: tmp_path / name for name in ("trusted_keys", "database", "audit_log")}
    given = BackendSettings(local=LocalSettings(folder=tmp_path / "runs", signing_key=tmp_path / "key"))
    assert make_backend(Settings(store="s", backend=given, **paths)).find("nothing") == []
