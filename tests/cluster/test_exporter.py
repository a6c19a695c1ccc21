"""The exporter on a real API server, with the rights that the chart gives it and no others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import helm_python as helm
import pytest
import yaml
from kubernetes import client

from robustcert.certificate.keys import new_key, write_key_pair
from tests.cluster.api import KUBECONFIG, Api, eventually
from tests.cluster.test_chart import RELEASE, quiet
from tests.monitoring.exporter.test___main__ import running, scraped
from tools.chart.render import CHART

pytestmark = pytest.mark.cluster

MODEL = "4f0c8d2a91b3" + 52 * "0"


def test_the_exporter_sees_workloads_by_its_service_account_alone(api: Api, namespace: str, tmp_path: Path) -> None:
    with helm.Config(kubeconfig_path=KUBECONFIG, namespace=namespace) as there:
        there.install(CHART, RELEASE, quiet(), namespace=namespace)
        account = account_of(api, namespace, tmp_path)
        write_key_pair(tmp_path / "issuer", new_key("ed25519"), passphrase=None)
        (tmp_path / "store").mkdir()
        arguments = ("--store", str(tmp_path / "store"), "--trusted-keys", str(tmp_path / "issuer.pub"), "--kubernetes")
        with running(*arguments, KUBECONFIG=str(account)) as (_, url):
            api.create(workload("digits-api"), namespace=namespace)
            assert eventually(lambda: shown(url, namespace) == {("digits", MODEL[:12], "digits-api")}, seconds=60)
            client.AppsV1Api(api.connection).delete_namespaced_deployment("digits-api", namespace)
            assert eventually(lambda: shown(url, namespace) == set(), seconds=60)
        there.uninstall(RELEASE)


def shown(url: str, namespace: str) -> set[tuple[str, str, str]]:
    """Model, version and name of each workload of the namespace that is shown."""
    series = [dict(labels) for name, labels in scraped(url) if name == "robustcert_deployed"]
    return {(each["model"], each["version"], each["workload"]) for each in series if each["namespace"] == namespace}


def workload(name: str) -> dict[str, Any]:
    """A Deployment that says which model it serves; its pods need not run."""
    labels = {"app": name}
    marks = {"robustcert.io/model": "digits", "robustcert.io/model-sha256": MODEL}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "api", "image": "example.org/api:1"}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "annotations": marks},
        "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": pod},
    }


def account_of(api: Api, namespace: str, folder: Path) -> Path:
    """A kubeconfig with a token of the exporter's ServiceAccount and nothing of the person who runs the test."""
    asked = client.AuthenticationV1TokenRequest(spec=client.V1TokenRequestSpec(audiences=[], expiration_seconds=600))
    token = api.core.create_namespaced_service_account_token(f"{RELEASE}-exporter", namespace, asked).status.token
    own = yaml.safe_load(Path(KUBECONFIG).read_text())
    own["users"] = [{"name": "exporter", "user": {"token": token}}]
    for context in own["contexts"]:
        context["context"]["user"] = "exporter"
    path = folder / "exporter.kubeconfig"
    path.write_text(yaml.safe_dump(own))
    path.chmod(0o600)
    return path
