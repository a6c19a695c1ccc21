"""What `helm test` asks, as its pods ask it: real programs answer, and each wrong answer fails with one line."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.charts.pod_process import Pod, objects_of, only_container, pod_spec
from tests.monitoring.exporter.test___main__ import running as exporter_running
from tests.monitoring.exporter.test___main__ import scraped_when_ready
from tests.monitoring.recertification_webhook.http_server import MemoryController, Readiness, Running, running
from tests.monitoring.recertification_webhook.small_store import SmallStore
from tests.monitoring.recertification_webhook.test_server import Authority
from tools.chart.render import ci_values, render

Done = subprocess.CompletedProcess[str]

TOKEN = "schedule-token-0123456789abcdef0123456789"
CONTROLLER = "robustcert-controller.robustcert.svc:8090"
IMPATIENT = ("PATIENCE_SECONDS, PAUSE_SECONDS, ANSWER_SECONDS = 60.0, 2.0, 10.0", "0.0, 0.0, 10.0")


def values(**more: Any) -> dict[str, Any]:
    return {
        "store": {"uri": "s3://models/robustcert"},
        "trustedKeys": {"configMapName": "keys"},
        "recertification": {"schedules": [{"name": "digits", "model": "digits", "schedule": "0 3 * * 0"}]},
        **more,
    }


def pods(**more: Any) -> dict[str, dict[str, Any]]:
    """The pods of `helm test` by what they are about."""
    found = objects_of(render(values(**more)), "Pod", component="test")
    return {one["metadata"]["name"].removeprefix("robustcert-test-"): one for one in found}


def ask(folder: Path, pod: dict[str, Any], addresses: dict[str, str]) -> Done:
    """A pod's process, which asks once in place of for a minute."""
    for name in ("tmp", "token", "ca"):
        (folder / name).mkdir(exist_ok=True)
    mounts = {
        "/tmp": folder / "tmp",
        "/etc/robustcert/schedule-token": folder / "token",
        "/etc/robustcert/controller-ca": folder / "ca",
    }
    container = only_container(pod)
    assert IMPATIENT[0] in container["args"][0]
    once = container["args"][0].replace(
        IMPATIENT[0], f"PATIENCE_SECONDS, PAUSE_SECONDS, ANSWER_SECONDS = {IMPATIENT[1]}"
    )
    return Pod(mounts=mounts, addresses=addresses).run({**container, "args": [once, *container["args"][1:]]})


@pytest.fixture
def controller(tmp_path: Path) -> Iterator[Running]:
    tokens = tmp_path / "tokens"
    tokens.write_text(f"schedule operate {TOKEN}\nreader read reader-{TOKEN}\n")
    with running(MemoryController(), bearer_token_file=tokens) as server:
        yield server


def test_the_exporter_is_asked_for_a_look_at_the_store_that_succeeded(tmp_path: Path) -> None:
    small = SmallStore(tmp_path / "small")
    small.issue("digits", certified_at=datetime.now(UTC))
    arguments = ("--store", str(tmp_path / "small/store"), "--trusted-keys", str(small.public))
    pod = pods()["exporter"]
    with exporter_running(*arguments) as (_, url):
        scraped_when_ready(url)
        done = ask(tmp_path, pod, {"http://robustcert-exporter:9464": url})
    assert (done.returncode, done.stdout, done.stderr) == (0, "the exporter sees 1 certificates\n", "")
    gone = ask(tmp_path, pod, {"http://robustcert-exporter:9464": url})
    assert (gone.returncode, gone.stdout, gone.stderr.count("\n")) == (1, "", 1)
    assert gone.stderr.startswith("expected an answer from http://127.0.0.1:")


def test_the_controller_is_asked_whether_it_is_ready(controller: Running, tmp_path: Path) -> None:
    there = {f"http://{CONTROLLER}": controller.url}
    done = ask(tmp_path, pods()["controller"], there)
    assert (done.returncode, done.stdout, done.stderr) == (0, "the controller is ready\n", "")
    controller.controller.ready = Readiness(database_writable=False, loop_age_seconds=0.5)
    done = ask(tmp_path, pods()["controller"], there)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith("expected a controller that is ready, got 503")


@pytest.mark.parametrize(("token", "got"), [(TOKEN, ""), (f"reader-{TOKEN}", "403"), ("another-" + TOKEN, "401")])
def test_the_schedules_token_is_known_and_nothing_is_asked_for(
    controller: Running, tmp_path: Path, token: str, got: str
) -> None:
    (tmp_path / "token").mkdir()
    (tmp_path / "token/token").write_text(f"{token}\n")
    done = ask(tmp_path, pods()["schedule"], {f"http://{CONTROLLER}": controller.url})
    if got:
        assert (done.returncode, done.stderr.count("\n")) == (1, 1)
        assert f"expected a token that may ask, got {got}" in done.stderr
        assert TOKEN not in done.stderr
    else:
        assert (done.returncode, done.stdout) == (0, "the schedules' token may ask\n"), done.stderr
    assert controller.controller.offered == []


def test_with_tls_the_server_is_verified(tmp_path: Path) -> None:
    (tmp_path / "ca").mkdir()
    authority = Authority(tmp_path, "authority")
    certificate, key = authority.issue("server")
    pod = pods(controller={"tls": {"enabled": True, "secretName": "controller-tls"}})["controller"]
    with running(MemoryController(), tls={"certificate": certificate, "key": key}) as server:
        there = {f"https://{CONTROLLER}": server.url}
        for name, status in (("stranger", 1), ("authority", 0)):
            known = authority if name == "authority" else Authority(tmp_path, name)
            (tmp_path / "ca/ca.crt").write_bytes(known.path.read_bytes())
            assert ask(tmp_path, pod, there).returncode == status, name


def test_they_are_hooks_with_an_account_without_rights_and_no_token() -> None:
    objects = render(values())
    (account,) = objects_of(objects, "ServiceAccount", component="test")
    assert account["automountServiceAccountToken"] is False
    found = objects_of(objects, "Pod", component="test")
    assert len(found) == 3
    for pod in found:
        assert pod["metadata"]["annotations"] == {
            "helm.sh/hook": "test",
            "helm.sh/hook-delete-policy": "before-hook-creation,hook-succeeded",
        }
        spec = pod_spec(pod)
        assert (spec["serviceAccountName"], spec["automountServiceAccountToken"]) == ("robustcert-test", False)
        assert spec["restartPolicy"] == "Never"
        assert not re.search(r"\$\(", only_container(pod)["args"][0]), "Kubernetes would expand it"


@pytest.mark.parametrize("name", sorted(ci_values()))
def test_every_release_asks_about_what_it_runs_and_only_that(name: str) -> None:
    chosen = ci_values()[name]
    objects = render(chosen)
    about = {one["metadata"]["name"].rpartition("-test-")[2] for one in objects_of(objects, "Pod", component="test")}
    running_here = {one["metadata"]["labels"]["app.kubernetes.io/component"] for one in objects if "spec" in one}
    askable = not chosen.get("controller", {}).get("tls", {}).get("clientCa", {}).get("name")
    wanted = {"exporter"} | ({"controller"} if askable else set())
    assert about == wanted | ({"schedule"} & running_here if askable else set())
