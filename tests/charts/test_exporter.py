"""The exporter as the chart installs it: the real program, started with what is rendered, on a small real store."""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from kubernetes.config import incluster_config
from prometheus_client.parser import text_string_to_metric_families

from monitoring.exporter.__main__ import _parser
from monitoring.exporter.settings import read_settings
from tests.charts.node import Node, free_port, of_kind, own_environment, the
from tests.charts.releases import release
from tests.monitoring.exporter.api_server import ApiServer
from tests.monitoring.exporter.fleet import Fleet, Unflushed
from tools.chart.programs import Exporter

LONGEST = 60.0
KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: test
contexts: [{{name: test, context: {{cluster: test, user: test}}}}]
clusters: [{{name: test, cluster: {{server: "{url}"}}}}]
users: [{{name: test, user: {{}}}}]
"""


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    """A store with one certificate, where the claim `store` is mounted."""
    fleet = Fleet(store=Unflushed(tmp_path / "node/store"))
    fleet.add(0)
    return fleet


def installed(fleet: Fleet, folder: Path, *, deployed: dict[str, Any]) -> tuple[Node, list[dict[str, Any]]]:
    """A node with the exporter's pod on it, and all objects of the release."""
    public = fleet.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    values = {
        "store": {"uri": "file:///store", "persistentVolumeClaim": "certificates", "secretName": ""},
        "trustedKeys": {"keys": {"issuer.pub": public}},
        "exporter": {"service": {"port": free_port()}, "deployed": deployed},
    }
    objects = release(values)
    return Node(folder / "node", objects, the(objects, "Deployment", "robustcert-exporter")), objects


@contextlib.contextmanager
def started(node: Node, **environment: str) -> Iterator[None]:
    """The program, once its startup probe has succeeded."""
    variables = own_environment(**node.environment(), **environment)
    with subprocess.Popen(node.command(), env=variables, stderr=subprocess.PIPE, text=True) as process:
        try:
            _wait_for(node.url("startupProbe"), process)
            yield
        finally:
            process.kill()


def _wait_for(url: str, process: subprocess.Popen[str] | None = None) -> None:
    end = time.monotonic() + LONGEST
    while not _succeeds(url):
        assert process is None or process.poll() is None, process.stderr.read() if process.stderr else ""
        assert time.monotonic() < end, url
        time.sleep(0.02)


def _succeeds(url: str) -> bool:
    try:
        return httpx.get(url, timeout=10, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def test_it_answers_its_probes_and_the_port_that_its_service_names(fleet: Fleet, tmp_path: Path) -> None:
    node, objects = installed(fleet, tmp_path, deployed={"enabled": False})
    with started(node):
        _wait_for(node.url("readinessProbe"))
        assert _succeeds(node.url("livenessProbe"))
        (port,) = the(objects, "Service", "robustcert-exporter")["spec"]["ports"]
        assert port["port"] == node.port(port["targetPort"])
        text = httpx.get(f"http://127.0.0.1:{port['port']}/metrics", timeout=10, trust_env=False).text
    shown = {family.name for family in text_string_to_metric_families(text)}
    assert {"robustcert_certificate_info", "robustcert_exporter_objects"} <= shown
    assert "robustcert_exporter_watch_connected" not in {name for name in shown if f"{name}{{" in text}


@pytest.mark.parametrize(
    ("namespaces", "kind", "path"),
    [([], "ClusterRole", "/apis/"), (["serving"], "Role", "/namespaces/serving/")],
)
def test_it_asks_kubernetes_for_what_its_role_allows_and_for_nothing_else(
    namespaces: list[str], kind: str, path: str, fleet: Fleet, tmp_path: Path
) -> None:
    node, objects = installed(fleet, tmp_path, deployed={"enabled": True, "namespaces": namespaces})
    with ApiServer() as server:
        (tmp_path / "kubeconfig").write_text(KUBECONFIG.format(url=server.url))
        with started(node, KUBECONFIG=str(tmp_path / "kubeconfig")):
            end = time.monotonic() + LONGEST
            while len(asked(server)) < 4:
                assert time.monotonic() < end
                time.sleep(0.02)
        assert all(path in place for place, _ in server.asked)
        (role,) = (item for item in of_kind(objects, kind) if _of_exporter(item))
        assert asked(server) == allowed(role["rules"])


def asked(server: ApiServer) -> set[tuple[str, str, str]]:
    """API group, resource and verb of everything that the server was asked for."""
    return {
        (place.split("/")[2], place.rpartition("/")[2], "watch" if "watch" in query else "list")
        for place, query in server.asked
    }


def allowed(rules: list[dict[str, Any]]) -> set[tuple[str, str, str]]:
    """The same of a role; names of objects would narrow it."""
    assert all(set(rule) == {"apiGroups", "resources", "verbs"} for rule in rules)
    return {
        (group, resource, verb)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def test_its_role_is_the_documented_one(root: Path) -> None:
    text = (root / "docs/exporter.md").read_text()
    (block,) = (part.partition("```")[0] for part in text.split("```yaml\n") if "kind: ClusterRole" in part)
    documented = yaml.safe_load(block)
    (role,) = of_kind(release(), "ClusterRole")
    assert role["rules"] == documented["rules"]


@pytest.mark.parametrize("namespaces", [[], ["serving"]])
def test_its_role_is_bound_to_its_account(namespaces: list[str]) -> None:
    objects = release({"exporter": {"deployed": {"namespaces": namespaces}}}, name="watch", namespace="certificates")
    (binding,) = (item for item in of_kind(objects, "ClusterRoleBinding", "RoleBinding") if _of_exporter(item))
    (role,) = (item for item in of_kind(objects, "ClusterRole", "Role") if _of_exporter(item))
    reference = binding["roleRef"]
    assert (reference["kind"], reference["name"]) == (role["kind"], role["metadata"]["name"])
    assert role["metadata"].get("namespace") == binding["metadata"].get("namespace") == (namespaces or [None])[0]
    (subject,) = binding["subjects"]
    account = the(objects, "ServiceAccount", "watch-robustcert-exporter")["metadata"]
    assert (subject["kind"], subject["name"], subject["namespace"]) == (
        "ServiceAccount",
        account["name"],
        "certificates",
    )


def _of_exporter(item: dict[str, Any]) -> bool:
    return bool(item["metadata"]["labels"]["app.kubernetes.io/component"] == "exporter")


def test_cluster_wide_names_differ_between_namespaces() -> None:
    names = {
        item["metadata"]["name"]
        for namespace in ("one", "two")
        for item in of_kind(release(namespace=namespace), "ClusterRole", "ClusterRoleBinding")
    }
    assert names == {"robustcert-exporter-one", "robustcert-exporter-two"}


def test_where_it_watches_nothing_it_has_neither_role_nor_token() -> None:
    objects = release({"exporter": {"deployed": {"enabled": False}}})
    assert [item for item in of_kind(objects, "ClusterRole", "ClusterRoleBinding", "Role") if _of_exporter(item)] == []
    pod = the(objects, "Deployment", "robustcert-exporter")["spec"]["template"]["spec"]
    assert [volume for volume in pod["volumes"] if "projected" in volume] == []
    assert pod["automountServiceAccountToken"] is False


def test_its_token_lies_where_the_kubernetes_client_looks(tmp_path: Path) -> None:
    objects = release()
    pod = the(objects, "Deployment", "robustcert-exporter")["spec"]["template"]["spec"]
    (volume,) = (volume for volume in pod["volumes"] if "projected" in volume)
    (mount,) = (m for m in pod["containers"][0]["volumeMounts"] if m["name"] == volume["name"])
    token, authority, namespace = volume["projected"]["sources"]
    assert f"{mount['mountPath']}/{token['serviceAccountToken']['path']}" == incluster_config.SERVICE_TOKEN_FILENAME
    assert "audience" not in token["serviceAccountToken"]
    (item,) = authority["configMap"]["items"]
    assert f"{mount['mountPath']}/{item['path']}" == incluster_config.SERVICE_CERT_FILENAME
    assert authority["configMap"]["name"] == "kube-root-ca.crt"
    assert namespace["downwardAPI"]["items"][0]["fieldRef"] == {"fieldPath": "metadata.namespace"}


def test_its_defaults_are_the_program_s() -> None:
    chart, program = Exporter(), read_settings(None, store="s", trusted_keys="k")
    shared = ("interval", "staleness", "readers")
    assert {name: getattr(chart, name) for name in shared} == {name: getattr(program, name) for name in shared}
    assert chart.service.port == program.port


@pytest.mark.parametrize(
    "edge", [{"interval": 1, "staleness": 1, "readers": 1}, {"interval": 3600, "staleness": 86400, "readers": 128}]
)
def test_what_the_values_allow_the_program_takes(edge: dict[str, int]) -> None:
    pod = the(release({"exporter": edge}), "Deployment", "robustcert-exporter")["spec"]["template"]["spec"]
    given = vars(_parser().parse_args(pod["containers"][0]["args"]))
    taken = read_settings(None, **{name: given[name] for name in ("store", "trusted_keys", *edge)})
    assert {name: getattr(taken, name) for name in edge} == edge


def test_a_bucket_is_read_with_the_secret_that_may_only_read() -> None:
    store = {"endpoint": "https://minio.example:9000", "region": "eu-1", "readOnlySecretName": "reader"}
    objects = release({"store": {**store, "ca": {"name": "authorities"}}})
    node = the(objects, "Deployment", "robustcert-exporter")["spec"]["template"]["spec"]["containers"][0]
    plain = {entry["name"]: entry["value"] for entry in node["env"] if "value" in entry}
    assert plain == {
        "AWS_ENDPOINT_URL_S3": "https://minio.example:9000",
        "AWS_REGION": "eu-1",
        "SSL_CERT_FILE": "/etc/robustcert/store-ca/ca.crt",
    }
    secret = {entry["valueFrom"]["secretKeyRef"]["name"] for entry in node["env"] if "valueFrom" in entry}
    assert secret == {"reader"}


def test_the_claim_of_a_store_is_mounted_for_reading_alone() -> None:
    objects = release({"store": {"uri": "file:///store/team", "persistentVolumeClaim": "certificates"}})
    container = the(objects, "Deployment", "robustcert-exporter")["spec"]["template"]["spec"]["containers"][0]
    assert {"name": "store", "mountPath": "/store", "readOnly": True} in container["volumeMounts"]
    assert "--store=file:///store/team" in container["args"]


def test_every_option_that_is_rendered_is_one_of_the_program() -> None:
    options = {option for action in _actions(_parser()) for option in action.option_strings}
    for namespaces in ([], ["serving"]):
        objects = release({"exporter": {"deployed": {"namespaces": namespaces}, "extraArguments": ["--port=1"]}})
        args = the(objects, "Deployment", "robustcert-exporter")["spec"]["template"]["spec"]["containers"][0]["args"]
        assert {argument.partition("=")[0] for argument in args} <= options
        assert args[-1] == "--port=1"


def _actions(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    return parser._actions


def test_without_it_nothing_of_it_is_left() -> None:
    objects = release({"exporter": {"enabled": False}})
    left = {item["kind"] for item in objects if item["metadata"]["name"].startswith("robustcert-exporter")}
    assert left <= {"PrometheusRule"}  # alerts on what another exporter shows
