"""Where the server is and who asks: from options, from the environment, or from the pod."""

from __future__ import annotations

from pathlib import Path

import pytest

from robustcert.commands import cluster
from robustcert.errors import InputError
from robustcert.kubeflow.tokens import IN_CLUSTER_TOKEN_VARIABLE, TokenFile


@pytest.fixture
def pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files that a pod with a projected token has."""
    (tmp_path / "token").write_text("projected")
    (tmp_path / "namespace").write_text("team\n")
    monkeypatch.setenv(IN_CLUSTER_TOKEN_VARIABLE, str(tmp_path / "token"))
    monkeypatch.setattr(cluster, "IN_CLUSTER_NAMESPACE", tmp_path / "namespace")
    return tmp_path


def test_a_pod_needs_no_option(pod: Path) -> None:
    with cluster.connect(host=None, namespace=None, token_file=None, ca_file=None) as client:
        found = client.connection
    assert (found.host, found.namespace) == ("http://ml-pipeline.kubeflow.svc.cluster.local:8888", "team")
    assert found.token == TokenFile(pod / "token")


def test_options_come_first(pod: Path, tmp_path: Path) -> None:
    with cluster.connect(
        host="https://x.example.org", namespace="", token_file=tmp_path / "own", ca_file=None
    ) as client:
        found = client.connection
    assert (found.host, found.namespace, found.token) == ("https://x.example.org", "", TokenFile(tmp_path / "own"))


def test_elsewhere_a_host_is_needed(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected the URL of Kubeflow Pipelines, got none; give --host URL"):
        cluster.connect(host=None, namespace=None, token_file=None, ca_file=None)
    with cluster.connect(host="http://localhost:1", namespace=None, token_file=None, ca_file=None) as client:
        assert (client.connection.namespace, client.connection.token) == ("", None)
