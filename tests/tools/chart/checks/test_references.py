"""Every object that another one names is there, and so is every key."""

from __future__ import annotations

import pytest

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
    drop,
    found,
    put,
)
from tools.chart.checks.references import references

REF = IN_CONTAINER + "env.0.valueFrom.secretKeyRef."
RECEIVER = "spec.receivers.0.webhookConfigs.0.httpConfig.authorization.credentials."


@pytest.mark.parametrize(
    ("change", "check"),
    [
        (put(EXPORTER, REF + "name", "stor"), "references-exist"),
        (put(EXPORTER, REF + "key", "ACCESS_KEY"), "keys-exist"),
        (put(DRIFT, IN_DRIFT + "serviceAccountName", "drift"), "references-exist"),
        (drop("ServiceAccount/r-upload"), "references-exist"),
        (put(DRIFT, IN_DRIFT + "serviceAccountName", GONE), "references-exist"),
        (put(EXPORTER, IN_POD + "volumes.0.configMap.name", "keys"), "references-exist"),
        (put(CONTROLLER, IN_POD + "volumes.2.secret.secretName", "token"), "references-exist"),
        (drop("PersistentVolumeClaim/r-controller"), "references-exist"),
        (put(DRIFT, IN_DRIFT + "priorityClassName", "high"), "references-exist"),
        (put(DRIFT, IN_DRIFT + "imagePullSecrets", [{"name": "mirror"}]), "references-exist"),
        (put(DRIFT, IN_DRIFT + "containers.0.envFrom", [{"configMapRef": {"name": "more"}}]), "references-exist"),
        (put("PersistentVolumeClaim/r-controller", "spec.storageClassName", "fast"), "references-exist"),
        (put("Certificate/r-controller", "spec.issuerRef.name", "authority"), "references-exist"),
        (put("Certificate/r-controller", "spec.issuerRef.kind", "ClusterIssuer"), "references-exist"),
        (put("ExternalSecret/store", "spec.secretStoreRef.name", "safe"), "references-exist"),
        (put("AlertmanagerConfig/r", RECEIVER + "name", "alerts"), "references-exist"),
        (put("AlertmanagerConfig/r", RECEIVER + "key", "word"), "keys-exist"),
        (put(EXPORTER, IN_POD + "volumes.0.configMap.items", [{"key": "a.pub", "path": "a.pub"}]), "keys-exist"),
        (put(EXPORTER, IN_POD + "volumes.1.projected.sources.1.configMap.items.0.key", "ca.pem"), "keys-exist"),
        (put(EXPORTER, "spec.template.metadata.annotations", GONE), "checksums-present"),
        (put(CONTROLLER, "spec.template.metadata.annotations", {"note": "x"}), "checksums-present"),
    ],
)
def test_each_change_is_found_by_its_check(change: Change, check: str) -> None:
    assert found(changed(change)) == {check}


def test_an_object_of_another_namespace_does_not_count() -> None:
    assert "references-exist" in found(changed(put("ConfigMap/r-keys", "metadata.namespace", "grafana")))


def test_what_the_values_name_need_not_be_rendered() -> None:
    values = {**VALUES, "drift": {**VALUES["drift"], "priorityClassName": "high"}}
    assert found(changed(put(DRIFT, IN_DRIFT + "priorityClassName", "high"), values=values)) == set()
    assert found(changed(put(DRIFT, IN_DRIFT + "priorityClassName", "system-node-critical"))) == set()


def test_an_optional_key_may_be_absent() -> None:
    optional = put(EXPORTER, REF + "optional", True)
    assert found(changed(optional, put(EXPORTER, REF + "key", "AWS_SESSION_TOKEN"))) == set()


def test_all_kinds_of_references_are_gathered() -> None:
    kinds = {named.kind for named in references(changed())}
    assert kinds == {"ServiceAccount", "ConfigMap", "Secret", "PersistentVolumeClaim", "Issuer", "ClusterSecretStore"}
