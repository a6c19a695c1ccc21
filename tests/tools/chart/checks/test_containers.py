"""What every container of ours has beyond Pod Security."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from monitoring.exporter.server import PAGES
from monitoring.recertification_webhook.server import GRACE_SECONDS
from tests.tools.chart.checks.good_release import (
    CONTROLLER,
    DRIFT,
    EXPORTER,
    GONE,
    IN_CONTAINER,
    IN_DRIFT,
    IN_POD,
    VALUES,
    Change,
    changed,
    found,
    put,
)
from tools.chart.checks.containers import ANSWERED, ENDING_SECONDS, PROBES

PROBE = IN_CONTAINER + "livenessProbe.httpGet."


@pytest.mark.parametrize(
    ("change", "check"),
    [
        (put(EXPORTER, IN_CONTAINER + "securityContext.readOnlyRootFilesystem", False), "require-ro-rootfs"),
        (put(DRIFT, IN_DRIFT + "containers.0.securityContext.readOnlyRootFilesystem", GONE), "require-ro-rootfs"),
        (put(EXPORTER, IN_CONTAINER + "resources", GONE), "require-requests-limits"),
        (put(EXPORTER, IN_CONTAINER + "resources.requests.cpu", GONE), "require-requests-limits"),
        (put(EXPORTER, IN_CONTAINER + "resources.limits.memory", GONE), "require-requests-limits"),
        (put(EXPORTER, IN_CONTAINER + "resources.requests.memory", "0"), "require-requests-limits"),
        (put(EXPORTER, IN_CONTAINER + "livenessProbe", GONE), "require-pod-probes"),
        (put(CONTROLLER, IN_CONTAINER + "readinessProbe", GONE), "require-pod-probes"),
        (put(EXPORTER, PROBE + "path", "/readyz"), "ensure-probes-different"),
        (put(EXPORTER, PROBE + "port", "http"), "probes-name-ports"),
        (put(EXPORTER, PROBE + "port", 9465), "probes-name-ports"),
        (put(EXPORTER, IN_CONTAINER + "startupProbe", {"tcpSocket": {"port": 80}}), "probes-name-ports"),
        (put(EXPORTER, PROBE + "path", "/live"), "probes-name-paths"),
        (put(CONTROLLER, PROBE + "port", "metrics"), "probes-name-paths"),
        (put(EXPORTER, PROBE + "scheme", "HTTPS"), "probes-speak-tls"),
        (put(CONTROLLER, IN_POD + "terminationGracePeriodSeconds", 15), "grace-covers-the-end"),
        (put(EXPORTER, IN_POD + "terminationGracePeriodSeconds", 0), "grace-covers-the-end"),
        (put(CONTROLLER, IN_CONTAINER + "ports.2", {"name": "more", "containerPort": 8090}), "ports-unique"),
        (put(CONTROLLER, IN_CONTAINER + "ports.2", {"name": "http", "containerPort": 8092}), "ports-unique"),
    ],
)
def test_each_change_is_found_by_its_check(change: Change, check: str) -> None:
    assert found(changed(change)) == {check}


def test_a_probe_may_name_a_port_by_number_or_ask_by_socket() -> None:
    assert found(changed(put(EXPORTER, PROBE + "port", 9464))) == set()
    assert found(changed(put(EXPORTER, IN_CONTAINER + "startupProbe", {"tcpSocket": {"port": "metrics"}}))) == set()


def with_tls(**tls: object) -> dict[str, Any]:
    """Values with TLS of the controller's interface."""
    issuer = {"name": "ca", "kind": "Issuer"}
    return {**VALUES, "controller": {**VALUES["controller"], "tls": {"enabled": True, "issuer": issuer, **tls}}}


HOOK = "spec.receivers.0.webhookConfigs.0.url"
SECURE = put("AlertmanagerConfig/r", HOOK, "https://r-controller.r.svc:80/v1/alertmanager")
BY_HTTPS = [put(CONTROLLER, IN_CONTAINER + f"{name}.httpGet.scheme", "HTTPS") for name in PROBES]


def test_with_tls_the_controllers_interface_is_asked_by_https_and_its_metrics_are_not() -> None:
    assert found(changed(SECURE, values=with_tls())) == {"probes-speak-tls"}
    assert found(changed(SECURE, *BY_HTTPS, values=with_tls())) == set()


def test_with_clients_certificates_the_interface_can_not_be_asked_by_the_kubelet() -> None:
    values = with_tls(clientCa={"name": "clients", "key": "ca.crt"})
    assert found(changed(SECURE, *BY_HTTPS, values=values)) == {"probes-speak-tls"}
    asked = {"path": "/metrics", "port": "metrics"}
    other = [
        put(CONTROLLER, IN_CONTAINER + "livenessProbe", {"httpGet": asked, "periodSeconds": 20}),
        put(CONTROLLER, IN_CONTAINER + "readinessProbe", {"httpGet": asked}),
    ]
    assert found(changed(SECURE, *other, values=values)) == set()


def test_the_paths_and_seconds_of_the_list_are_the_programs() -> None:
    assert set(ANSWERED["exporter", "metrics"]) == set(PAGES)
    assert ENDING_SECONDS["controller"] == GRACE_SECONDS


def test_the_controller_answers_the_paths_of_the_list(root: Path) -> None:
    documented = (root / "monitoring/recertification_webhook/openapi.json").read_text()
    assert all(f'"{path}"' in documented for path in ANSWERED["controller", "http"])
