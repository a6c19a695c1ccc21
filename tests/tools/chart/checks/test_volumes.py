"""Volumes and environment of pods."""

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
    found,
    put,
)

KEYS = {"name": "keys", "configMap": {"name": "r-keys"}}
MOUNT = {"name": "data", "mountPath": "/var/lib/robustcert"}
WHOLE = [{"secretRef": {"name": "tokens"}}]


@pytest.mark.parametrize(
    ("change", "check"),
    [
        (put(EXPORTER, IN_POD + "volumes.2", KEYS), "volume-names-unique"),
        (put(CONTROLLER, IN_CONTAINER + "volumeMounts.4", MOUNT), "mount-paths-unique"),
        (
            put(CONTROLLER, IN_CONTAINER + "volumeMounts.4", {**MOUNT, "mountPath": "/etc/keys/more"}),
            "mount-paths-unique",
        ),
        (
            put(DRIFT, IN_DRIFT + "containers.0.volumeMounts.2", {"name": "data", "mountPath": "/x"}),
            "mounts-have-volumes",
        ),
        (
            put(DRIFT, IN_DRIFT + "containers.0.volumeMounts.2", {"name": "tmp", "mountPath": "x"}),
            "mounts-have-volumes",
        ),
        (
            put(DRIFT, IN_DRIFT + "volumes.2", {"name": "spare", "emptyDir": {"sizeLimit": "1Mi"}}),
            "volumes-are-mounted",
        ),
        (put(DRIFT, IN_DRIFT + "volumes.0.emptyDir", {}), "require-emptydir-requests-and-limits"),
        (put(EXPORTER, IN_CONTAINER + "env.2", {"name": "AWS_REGION", "value": "x"}), "environment-names-unique"),
        (put(CONTROLLER, IN_CONTAINER + "envFrom", WHOLE), "secrets-are-not-whole-environments"),
        (put(CONTROLLER, IN_CONTAINER + "volumeMounts.1.readOnly", GONE), "volumes-of-keys-are-read-only"),
        (put(EXPORTER, IN_CONTAINER + "volumeMounts.1.readOnly", False), "volumes-of-keys-are-read-only"),
    ],
)
def test_each_change_is_found_by_its_check(change: Change, check: str) -> None:
    assert found(changed(change)) == {check}


def test_a_whole_secret_is_an_environment_where_the_values_ask_for_it() -> None:
    values = {**VALUES, "controller": {**VALUES["controller"], "extraEnvFrom": WHOLE}}
    assert found(changed(put(CONTROLLER, IN_CONTAINER + "envFrom", WHOLE), values=values)) == set()


def test_a_volume_may_be_mounted_below_another_that_can_be_written_to() -> None:
    below = {"name": "data", "mountPath": "/var/lib/robustcert/deeper"}
    assert found(changed(put(CONTROLLER, IN_CONTAINER + "volumeMounts.4", below))) == set()
