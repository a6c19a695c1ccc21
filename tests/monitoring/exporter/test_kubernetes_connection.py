"""How the watches reach a cluster: through kubeconfig here, and never without one."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitoring.exporter.kubernetes_connection import connect, watches
from monitoring.exporter.kubernetes_watch import ApiError
from robustcert.errors import InputError
from tests.monitoring.exporter.api_server import DEPLOYMENTS, ApiServer
from tests.monitoring.exporter.test_kubernetes_watch import QUICK, configure, names, service, until


def test_both_kinds_are_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ApiServer() as api:
        configure(api, tmp_path, monkeypatch)
        api.put("inferenceservices", service("a"))
        api.put("deployments", service("b"))
        started = watches(namespace="", pace=QUICK)
        for watch in started:
            watch.start()
        until(lambda: [names(watch) for watch in started] == [{"a"}, {"b"}])
        assert [watch.kind for watch in started] == ["inferenceservices", "deployments"]
        for watch in started:
            watch.stop()


def test_a_refusal_carries_its_status_and_the_token_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ApiServer() as api:
        configure(api, tmp_path, monkeypatch)
        api.refused["deployments"] = 403
        with pytest.raises(ApiError, match="HTTP status 403") as error:
            connect()(DEPLOYMENTS, {"limit": "1"}, 5.0)
        assert error.value.status == 403
        assert api.authorizations == ["Bearer a-token"]


def test_without_a_cluster_it_says_what_to_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = "kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION"
    monkeypatch.setattr(place, str(tmp_path / "none"))
    with pytest.raises(InputError, match=r"expected a Kubernetes configuration, got .*; run in a cluster, or name"):
        connect()
