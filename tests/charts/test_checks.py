"""Values that are each allowed and together wrong: one line says what was expected, what came, and what to do."""

from __future__ import annotations

from typing import Any

import pytest

from robustcert.errors import InputError
from tests.charts.releases import release
from tests.charts.test_pod import PUBLIC

TLS = {"enabled": True, "secretName": "tls"}
JOB = {"name": "a", "certificate": "a", "window": "s3://w/a", "schedule": "0 * * * *"}
SCHEDULE = {"name": "a", "model": "a", "schedule": "0 * * * *"}
NO_ALERTS = {"alertmanagerConfig": {"enabled": False}}
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"store": {"uri": ""}}, "expected store.uri, got none; name the bucket"),
    (
        {"store": {"uri": "file:///store"}},
        "expected store.persistentVolumeClaim, got store.uri file:///store without it",
    ),
    (
        {"store": {"uri": "file:///data", "persistentVolumeClaim": "c"}},
        "expected store.uri to begin with file:///store, where the claim is mounted, got file:///data",
    ),
    (
        {"store": {"uri": "s3://models?endpoint=https://a", "endpoint": "https://b"}},
        "expected the endpoint in one place, got it in store.uri and in store.endpoint",
    ),
    ({"trustedKeys": {"configMapName": "c"}}, "expected one of trustedKeys.keys and .*, got both; leave one out"),
    (
        {"trustedKeys": {"keys": {"issuer.pub": None}}},
        "expected trustedKeys.keys or .*, got neither; give the issuer's",
    ),
    (
        {"trustedKeys": {"keys": {"issuer.txt": PUBLIC}}},
        r"names ending in .pub or .pem in trustedKeys.keys, got issuer.txt",
    ),
    (
        {"trustedKeys": {"keys": {"issuer.pub": PUBLIC.replace("PUBLIC", "PRIVATE")}}},
        "expected a public key as trustedKeys.keys.issuer.pub, got a private one",
    ),
    ({"trustedKeys": {"keys": {"issuer.pub": "x"}}}, "expected a public key in PEM as .*, got another text"),
    ({"externalSecrets": {"enabled": True}}, "expected externalSecrets.secretStore.name, got none"),
    (
        {"externalSecrets": {"enabled": True, "secretStore": {"name": "v"}}},
        "expected externalSecrets.secrets, got none",
    ),
    ({"kubeflow": {"runs": {"parameters": {"reason": "x"}}}}, "other names in kubeflow.runs.parameters, got reason"),
    (
        {"kubeflow": {"host": "http://kubeflow.example.org"}},
        "expected an https:// address as kubeflow.host, .*, got http://",
    ),
    (
        {"kubeflow": {"ca": {"name": "c"}}},
        "expected an https:// address as kubeflow.host, with kubeflow.ca, got http://",
    ),
    ({"controller": {"tls": {"enabled": True}}}, "expected controller.tls.secretName or .*issuer.name, got neither"),
    (
        {"controller": {"tls": {"clientCa": {"name": "c"}}}},
        "expected controller.tls.enabled, with .*clientCa, got false",
    ),
    ({"controller": {"tokens": {"name": ""}}}, "expected controller.tokens.name or .*, got neither; name the Secret"),
    (
        {"controller": {"settings": {"retryBase": "0.0s"}}},
        "expected more than nothing as controller.settings.retryBase, got 0.0s; give it a time",
    ),
    (
        {"controller": {"tls": {**TLS, "issuer": {"name": "i"}, "duration": "720h", "renewBefore": "1000h"}}},
        "expected controller.tls.renewBefore below controller.tls.duration, got 1000h; shorten it",
    ),
    (
        {"exporter": {"interval": 3600}},
        "expected exporter.staleness of at least exporter.interval, got 900 below 3600; else all is gone",
    ),
    ({"controller": {"metricsPort": 8090}}, "expected two ports as .*, got 8090; change one"),
    (
        {"controller": {"enabled": False}},
        "expected controller.enabled, with monitoring.alertmanagerConfig.enabled, got false",
    ),
    (
        {"controller": {"enabled": False}, "monitoring": NO_ALERTS, "recertification": {"schedules": [SCHEDULE]}},
        "expected controller.enabled, with recertification.schedules, got false",
    ),
    (
        {"controller": {"tls": {**TLS, "clientCa": {"name": "c"}}}},
        "expected monitoring.alertmanagerConfig.clientSecretName, with controller.tls.clientCa, got none",
    ),
    (
        {
            "controller": {"tls": {**TLS, "clientCa": {"name": "c"}}},
            "recertification": {"schedules": [SCHEDULE]},
            "monitoring": NO_ALERTS,
        },
        "expected --client-certificate in recertification.extraArguments, .*, got none",
    ),
    (
        {"controller": {"scheduleToken": {"name": ""}}, "recertification": {"schedules": [SCHEDULE]}},
        "expected controller.scheduleToken.name, got recertification.schedules without it",
    ),
    (
        {"monitoring": {"alertmanagerConfig": {"tokenSecretName": ""}}},
        "expected monitoring.alertmanagerConfig.tokenSecretName, got none",
    ),
    (
        {"pipelines": {"customResources": {"enabled": True}}},
        "expected one of pipelines.upload and .*, got both enabled",
    ),
    ({"drift": {"jobs": [JOB, JOB]}}, "expected each name once in drift.jobs, got a twice; rename one"),
    (
        {"recertification": {"schedules": [SCHEDULE, SCHEDULE]}},
        "each name once in recertification.schedules, got a twice",
    ),
    ({"drift": {"jobs": [JOB], "key": {"name": ""}}}, "expected drift.key.name, got drift.jobs without it"),
]


@pytest.mark.parametrize(("changes", "message"), REFUSED, ids=[message[:50] for _, message in REFUSED])
def test_what_does_not_go_together_is_refused_with_one_line(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        release(changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"kubeflow": {"host": "http://ml-pipeline.kubeflow.svc.cluster.local:8888"}},
        {"kubeflow": {"host": "http://ml-pipeline:8888/pipeline"}},
        {"kubeflow": {"host": "http://kubeflow.example.org", "token": {"enabled": False}}},
        {"store": {"uri": "file:///store", "persistentVolumeClaim": "c"}},
        {"controller": {"tokens": {"name": ""}, "tls": {**TLS, "clientCa": {"name": "c"}}}, "monitoring": NO_ALERTS},
        {"drift": {"jobs": [JOB, {**JOB, "name": "b"}]}},
        {"pipelines": {"customResources": {"enabled": True}, "upload": {"enabled": False}}},
    ],
)
def test_what_goes_together_is_rendered(changes: dict[str, Any]) -> None:
    assert release(changes)
