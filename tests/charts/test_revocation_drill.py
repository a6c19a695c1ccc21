"""SEEDS 141, the drill: an alert suspends a certificate, the gate refuses to deploy its model, and lets it pass again.

The controller and every command of the gate are processes of their own; the gate's are those of the example's file.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from robustcert.certificate.keys import new_key, write_key_pair
from robustcert.certificate.published import publish_document
from robustcert.certificate.status import read_statuses
from robustcert.certificate.trust import load_trusted_keys
from robustcert.provenance.digests import sha256_file
from robustcert.storage.store import Store
from tests.certificate.stored import copied_store
from tests.chain import Chain
from tests.charts.pod_process import Pod, pod_spec
from tests.command_line import CommandLine
from tests.monitoring.recertification_webhook.deliveries_example import alert, alertmanager
from tests.monitoring.recertification_webhook.test___main__ import started

Object = dict[str, Any]

EXAMPLE = Path(__file__).parents[2] / "manifests/examples/deploy-gate.yaml"
STORE = "s3://models/robustcert?endpoint=https://minio.example.org"
TOKEN = "alertmanager-token-0123456789abcdef"
LONGEST = 60.0
SETTINGS = """
store: store
trustedKeys: keys
statusKey: controller
database: controller.sqlite
auditLog: audit.jsonl
backend: {kubeflow: {host: "http://127.0.0.1:1"}}
reconcileInterval: 100ms
listen: 127.0.0.1:0
metrics: 127.0.0.1:0
bearerTokenFile: tokens
"""


@pytest.fixture
def store(chain: Chain, tmp_path: Path) -> Store:
    """A store with one published certificate, and beside it what a controller and a gate need."""
    found = copied_store(chain, tmp_path)
    publish_document(found, chain.files.certificate.read_bytes(), now=datetime.now(UTC))
    write_key_pair(tmp_path / "controller", new_key("ed25519"), passphrase=None)
    (tmp_path / "keys").mkdir()
    shutil.copy(chain.public_key, tmp_path / "keys/issuer.pub")
    shutil.copy(tmp_path / "controller.pub", tmp_path / "keys/controller.pub")
    (tmp_path / "tokens").write_text(f"alertmanager deliver {TOKEN}\n")
    (tmp_path / "controller.yaml").write_text(SETTINGS)
    return found


@pytest.fixture
def controller(store: Store, tmp_path: Path) -> Iterator[str]:
    """The URL of the controller's process."""
    with started(tmp_path) as (_, listening):
        yield f"http://127.0.0.1:{listening['port']}"


def pods() -> list[Object]:
    """The pods of the example that have a gate: that of the Job, and that of the server."""
    documents = list(yaml.safe_load_all(EXAMPLE.read_text()))
    found = [pod_spec(one) for one in documents if one["kind"] in ("Job", "Deployment")]
    assert [one["kind"] for one in documents if "template" in one.get("spec", {})] == ["Job", "Deployment"]
    return found


def containers(pod: Object) -> tuple[Object, Object]:
    """The one that fetches the bundle and the one that verifies it."""
    every = {one["name"]: one for one in (*pod["initContainers"], *pod["containers"])}
    return every["certificate-bundle"], every["certificate-verify"]


def gate(folder: Path, chain: Chain, pod: Object) -> tuple[int, list[str]]:
    """Exit status and lines of the gate in a new pod."""
    temporary = folder / "pod"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    model = chain.files.model
    assert model is not None
    surroundings = Pod(
        mounts={"/tmp": temporary, "/etc/robustcert/trusted-keys": folder / "keys", "/models": model.parent},
        addresses={STORE: str(folder / "store"), "0" * 64: sha256_file(chain.files.certificate)},
    )
    fetch, verify = containers(pod)
    assert surroundings.run(fetch).returncode == 0
    done: subprocess.CompletedProcess[str] = surroundings.run(verify)
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines()


def deliver(url: str, chain: Chain) -> None:
    """The alert of gross drift, as Alertmanager sends it."""
    labels = {"alertname": "RobustcertInputsDriftedGrossly", "action": "suspend", "severity": "critical"}
    fired = alert(version=chain.predicate.model.sha256[:12], **labels)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with httpx.Client(base_url=url, trust_env=False, headers=headers, timeout=30) as client:
        answer = client.post("/v1/alertmanager", json=alertmanager(fired))
    assert answer.status_code == 202
    assert [one["result"] for one in answer.json()["alerts"]] == ["queued"]


def statuses(folder: Path, store: Store, chain: Chain) -> list[tuple[str, str]]:
    keys = load_trusted_keys(folder / "keys")
    found = read_statuses(store, sha256_file(chain.files.certificate), keys=keys)
    return [(one.status, one.decided_by) for one in found]


def test_an_alert_suspends_the_gate_refuses_and_a_reinstated_certificate_passes_again(
    chain: Chain, store: Store, controller: str, command_line: CommandLine, tmp_path: Path
) -> None:
    job, server = pods()
    status, lines = gate(tmp_path, chain, job)
    assert (status, lines[-1].partition(",")[0]) == (0, "VERIFIED: digits")

    deliver(controller, chain)
    end = time.monotonic() + LONGEST
    while not statuses(tmp_path, store, chain):
        assert time.monotonic() < end, (tmp_path / "log").read_text()
    assert statuses(tmp_path, store, chain) == [("suspended", "recertification controller")]

    for pod in (job, server):
        status, lines = gate(tmp_path, chain, pod)
        assert status == 1
        (refusal,) = [line for line in lines if line.startswith("REFUSED: ")]
        assert refusal == lines[-1]
        assert "suspended" in refusal
        assert "input-drift" in refusal

    given = ("--store", tmp_path / "store", "--key", tmp_path / "controller", "--trusted-keys", tmp_path / "keys")
    said = command_line("reinstate", "digits", "--cause", "the scanner was repaired", *given)
    assert said.status == 0, said.err
    status, lines = gate(tmp_path, chain, server)
    assert (status, lines[-1].partition(",")[0]) == (0, "VERIFIED: digits")


def test_a_gate_that_cannot_ask_the_store_does_not_pass(chain: Chain, store: Store, tmp_path: Path) -> None:
    job, _ = pods()
    (tmp_path / "store/statuses").write_text("in the way")
    status, lines = gate(tmp_path, chain, job)
    assert (status, lines[-1].startswith("REFUSED: ")) == (1, True)


def test_the_server_s_gate_is_about_the_very_file_that_it_serves() -> None:
    _, server = pods()
    _, verify = containers(server)
    (option,) = [word for word in verify["command"] if word.startswith("--model=")]
    folder = str(Path(option.partition("=")[2]).parent)
    (serves,) = [mount for mount in server["containers"][0]["volumeMounts"] if mount["mountPath"] == folder]
    (checked,) = [mount for mount in verify["volumeMounts"] if mount["mountPath"] == folder]
    assert serves["name"] == checked["name"]
