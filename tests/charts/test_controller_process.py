"""The controller as the chart installs it, started: the real program with what is rendered, by HTTP and by TLS."""

from __future__ import annotations

import contextlib
import json
import signal
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.charts.node import Node, free_port, own_environment, the
from tests.charts.releases import release
from tests.charts.test_controller import TOKEN, Signer, controller_of, secrets_of
from tests.monitoring.recertification_webhook.small_store import SmallStore

LONGEST = 60.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A node whose claim `store` holds one certificate, beside it the issuer's public key."""
    (tmp_path / "node").mkdir()
    SmallStore(tmp_path / "node").issue("digits")
    return tmp_path


@contextlib.contextmanager
def started(node: Node) -> Iterator[list[dict[str, Any]]]:
    """The program until SIGTERM, which it answers with status 0; the lines of its log, once it has ended."""
    lines: list[dict[str, Any]] = []
    log = node.folder / "log"
    with (
        log.open("w") as file,
        subprocess.Popen(node.command(), env=own_environment(**node.environment()), stderr=file, text=True) as process,
    ):
        try:
            while '"listening"' not in log.read_text():
                assert process.poll() is None, log.read_text()
            yield lines
            process.send_signal(signal.SIGTERM)
            assert process.wait(LONGEST) == 0
            lines += map(json.loads, log.read_text().splitlines())
        finally:
            process.kill()


def installed(folder: Path, signer: Signer, *, tls: dict[str, Any]) -> tuple[Node, list[dict[str, Any]]]:
    """A node with the controller's pod on it, on free ports, and all objects of the release."""
    values = {
        "store": {"uri": "file:///store", "persistentVolumeClaim": "certificates"},
        "trustedKeys": {
            "keys": {"issuer.pub": (folder / "node/issuer.pub").read_text(), "controller.pub": signer.public}
        },
        "kubeflow": {"host": "http://127.0.0.1.svc:1", "token": {"enabled": False}},
        "monitoring": {"alertmanagerConfig": {"clientSecretName": "alertmanager-client"}},
        "controller": {
            "statusKey": {"name": "status"},
            "tls": tls,
            "service": {"port": free_port()},
            "metricsPort": free_port(),
        },
    }
    objects = release(values)
    given = secrets_of(values, signer, folder)
    return Node(folder / "node", objects, controller_of(objects), given=given), objects


@pytest.mark.parametrize(
    "tls",
    [
        {"enabled": False},
        {"enabled": True, "secretName": "tls"},
        {"enabled": True, "secretName": "tls", "clientCa": {"name": "clients"}},
    ],
    ids=["http", "https", "client certificates"],
)
def test_it_answers_its_probes_and_the_ports_that_its_service_names(tls: dict[str, Any], folder: Path) -> None:
    node, objects = installed(folder, Signer(), tls=tls)
    service = the(objects, "Service", "robustcert-controller")["spec"]
    ports = {port["name"]: port["port"] for port in service["ports"]}
    assert ports == {port["name"]: node.port(port["targetPort"]) for port in service["ports"]}
    assert service["ports"][0]["appProtocol"] == ("https" if tls["enabled"] else "http")  # what a mesh goes by
    unverified = httpx.create_ssl_context(verify=False, trust_env=False)  # as the kubelet asks
    with started(node) as lines, httpx.Client(verify=unverified, trust_env=False, timeout=30) as kubelet:
        while (ready := kubelet.get(node.url("readinessProbe"))).status_code != 200:
            assert ready.status_code == 503
        for probe in ("startupProbe", "livenessProbe"):
            assert kubelet.get(node.url(probe)).status_code == 200
        metrics = kubelet.get(f"http://127.0.0.1:{ports['metrics']}/metrics").text
        with client(folder, tls) as person:
            asked = person.get(f"http{'s' if tls['enabled'] else ''}://127.0.0.1:{ports['http']}/v1/requests")
    assert asked.status_code == 200
    assert "robustcert_recertification_last_reconcile_timestamp_seconds" in metrics
    assert [line for line in lines if line["level"] not in ("info", "warning")] == []


def client(folder: Path, tls: dict[str, Any]) -> httpx.Client:
    """A person with the token, and with a certificate where one is to be shown."""
    context: ssl.SSLContext | bool = False
    if tls["enabled"]:
        context = ssl.create_default_context(cafile=str(folder / "authority.pem"))
        if "clientCa" in tls:
            context.load_cert_chain(folder / "server.crt", folder / "server.key")
    return httpx.Client(verify=context, trust_env=False, timeout=30, headers={"Authorization": f"Bearer {TOKEN}"})
