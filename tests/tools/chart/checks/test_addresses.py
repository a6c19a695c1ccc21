"""Addresses inside the cluster lead to Services of the release."""

from __future__ import annotations

import pytest

from tests.tools.chart.checks.good_release import UPLOAD, VALUES, Change, changed, found, put

WEBHOOK = "spec.receivers.0.webhookConfigs.0.url"
HOST = "spec.template.spec.containers.0.args.0"


def webhook(url: str) -> Change:
    return put("AlertmanagerConfig/r", WEBHOOK, url)


@pytest.mark.parametrize(
    ("change", "checks"),
    [
        (webhook("http://r-controler.r.svc:80/v1"), {"addresses-lead-to-services"}),
        (webhook("http://r-controller.r.svc:8090/v1"), {"addresses-lead-to-services"}),
        (webhook("http://r-controller.r.svc.cluster.local:81"), {"addresses-lead-to-services"}),
        (webhook("http://r-controller:8090/"), {"addresses-lead-to-services"}),
        (webhook("https://r-controller.r.svc/v1"), {"addresses-lead-to-services", "addresses-speak-tls"}),
        (webhook("https://r-controller.r.svc:80/v1"), {"addresses-speak-tls"}),
        (put(UPLOAD, HOST, "--host=http://r-exporter.r.svc:9465"), {"addresses-lead-to-services"}),
        (
            put("ConfigMap/r-dashboard", "data.more~yaml", "url: 'http://r-controller.r.svc:81'"),
            {"addresses-lead-to-services"},
        ),
    ],
)
def test_each_change_is_found_by_its_checks(change: Change, checks: set[str]) -> None:
    assert found(changed(change)) == checks


@pytest.mark.parametrize(
    "url",
    [
        "http://r-controller.r.svc/v1",
        "http://r-controller:8091",
        "http://r-controller.r.svc.cluster.local:80/v1",
        "http://controller.elsewhere.svc:1/",
        "https://kubeflow.example.org/pipeline",
    ],
)
def test_right_addresses_and_those_of_others_are_left_alone(url: str) -> None:
    assert found(changed(webhook(url))) == set()


def test_with_tls_the_controller_is_asked_by_https() -> None:
    tls = {"enabled": True, "issuer": {"name": "ca", "kind": "Issuer"}}
    values = {**VALUES, "controller": {**VALUES["controller"], "tls": tls}}
    assert "addresses-speak-tls" in found(changed(values=values))
    assert "addresses-speak-tls" not in found(changed(webhook("https://r-controller.r.svc:80/v1"), values=values))
