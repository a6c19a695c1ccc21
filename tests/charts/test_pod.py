"""What all pods of ours have in common, and what a user may add; both programs are looked at in each test."""

from __future__ import annotations

from typing import Any

import pytest

from tests.charts.node import of_kind, the
from tests.charts.releases import NAMES, release

PROGRAMS = ("exporter", "controller")
KINDS = {"exporter": "Deployment", "controller": "StatefulSet"}
PUBLIC = """-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----
"""


def workload(objects: list[dict[str, Any]], program: str) -> dict[str, Any]:
    """The workload of a program."""
    (found,) = of_kind(objects, KINDS[program])
    return found


def pod(objects: list[dict[str, Any]], program: str) -> dict[str, Any]:
    """Its pod's spec."""
    spec: dict[str, Any] = workload(objects, program)["spec"]["template"]["spec"]
    return spec


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("program", PROGRAMS)
def test_pods_are_of_the_level_restricted_and_write_to_nothing_but_volumes(program: str, name: str) -> None:
    spec = pod(release(among=name), program)
    (container,) = spec["containers"]
    assert container["securityContext"] == {
        "runAsNonRoot": True,
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    assert {"name": "tmp", "mountPath": "/tmp"} in container["volumeMounts"]  # where the image writes
    (tmp,) = (volume["emptyDir"] for volume in spec["volumes"] if volume["name"] == "tmp")
    assert tmp["sizeLimit"]


@pytest.mark.parametrize("program", PROGRAMS)
def test_user_and_groups_are_chosen_by_the_values_or_by_the_cluster(program: str) -> None:
    chosen = pod(release({"podSecurity": {"runAsUser": 1234567, "runAsGroup": 2, "fsGroup": 3}}), program)
    context = chosen["securityContext"]
    assert (context["runAsUser"], context["runAsGroup"], context["fsGroup"]) == (1234567, 2, 3)
    left = pod(release({"podSecurity": {"runAsUser": None, "runAsGroup": None, "fsGroup": None}}), program)
    assert set(left["securityContext"]) == {"runAsNonRoot", "seccompProfile"}


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_pod_is_placed_where_the_values_say(program: str) -> None:
    placed = {
        "nodeSelector": {"pool": "services"},
        "tolerations": [{"key": "dedicated", "operator": "Exists", "tolerationSeconds": 60, "effect": "NoExecute"}],
        "affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": []}},
        "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}],
        "priorityClassName": "platform",
    }
    spec = pod(release({program: placed}), program)
    assert {key: spec[key] for key in placed} == placed
    assert not set(placed) & set(pod(release(), program))


@pytest.mark.parametrize("program", PROGRAMS)
def test_what_a_user_adds_to_a_pod_is_there_and_replaces_ours(program: str) -> None:
    added = {
        "extraEnv": [{"name": "AWS_REGION", "value": "eu-2"}, {"name": "TZ", "value": "Etc/UTC"}],
        "extraEnvFrom": [{"configMapRef": {"name": "platform"}}],
        "extraVolumes": [{"name": "scratch", "emptyDir": {}}],
        "extraVolumeMounts": [{"name": "scratch", "mountPath": "/scratch"}],
        "extraArguments": ["--log-level=debug: all"],
        "annotations": {"tier": "one"},
        "podAnnotations": {"sidecar": "none"},
        "podLabels": {"team": "vision"},
        "resources": {"limits": {"memory": "1Gi"}},
    }
    changes = {"store": {"region": "eu-1"}, "images": {"pullSecrets": ["one", "two"]}, program: added}
    item = workload(release(changes), program)
    template, (container,) = item["spec"]["template"], item["spec"]["template"]["spec"]["containers"]
    assert [entry for entry in container["env"] if entry["name"] in ("AWS_REGION", "TZ")] == added["extraEnv"]
    assert container["envFrom"] == added["extraEnvFrom"]
    assert added["extraVolumes"][0] in template["spec"]["volumes"]
    assert added["extraVolumeMounts"][0] in container["volumeMounts"]
    assert container["args"][-1] == "--log-level=debug: all"
    assert container["resources"]["limits"]["memory"] == "1Gi"
    assert item["metadata"]["annotations"]["tier"] == "one"
    assert template["metadata"]["annotations"]["sidecar"] == "none"
    assert template["metadata"]["labels"]["team"] == "vision"
    assert item["spec"]["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    assert template["spec"]["imagePullSecrets"] == [{"name": "one"}, {"name": "two"}]


@pytest.mark.parametrize("program", PROGRAMS)
def test_labels_that_select_pods_stay_the_same_from_release_to_release(program: str) -> None:
    changes = {
        "images": {"monitoring": {"tag": "9.9.9"}},
        program: {"podLabels": {"a": "b"}},
        "commonLabels": {"c": "d"},
    }
    before, after = (workload(release(values), program)["spec"]["selector"] for values in ({}, changes))
    assert (
        before
        == after
        == {
            "matchLabels": {
                "app.kubernetes.io/name": "robustcert",
                "app.kubernetes.io/instance": "robustcert",
                "app.kubernetes.io/component": program,
            }
        }
    )


@pytest.mark.parametrize("program", PROGRAMS)
def test_services_accounts_and_budgets_are_of_the_same_name(program: str) -> None:
    objects = release()
    name = f"robustcert-{program}"
    found = {item["kind"] for item in objects if item["metadata"]["name"] == name}
    assert found >= {KINDS[program], "Service", "ServiceAccount", "PodDisruptionBudget"}
    assert pod(objects, program)["serviceAccountName"] == name
    assert the(objects, "ServiceAccount", name)["automountServiceAccountToken"] is False
    mine = release(
        {program: {"serviceAccount": {"create": False, "name": "mine"}, "podDisruptionBudget": {"enabled": False}}}
    )
    assert pod(mine, program)["serviceAccountName"] == "mine"
    left = {item["kind"] for item in mine if item["metadata"]["name"] == name}
    assert not left & {"ServiceAccount", "PodDisruptionBudget"}


@pytest.mark.parametrize("program", PROGRAMS)
def test_scrape_annotations_name_the_port_of_the_metrics(program: str) -> None:
    objects = release({"monitoring": {"scrapeAnnotations": True}, program: {"service": {"annotations": {"a": "b"}}}})
    service = the(objects, "Service", f"robustcert-{program}")
    (port,) = (port["port"] for port in service["spec"]["ports"] if port["name"] == "metrics")
    assert service["metadata"]["annotations"] == {
        "a": "b",
        "prometheus.io/scrape": "true",
        "prometheus.io/port": str(port),
        "prometheus.io/path": "/metrics",
    }
    assert "annotations" not in the(release(), "Service", f"robustcert-{program}")["metadata"]


@pytest.mark.parametrize("program", PROGRAMS)
def test_trusted_keys_are_those_of_the_values_or_of_a_config_map_that_exists(program: str) -> None:
    keys = {"issuer.pub": PUBLIC, "controller.pem": PUBLIC}
    made = release({"trustedKeys": {"keys": keys}})
    assert the(made, "ConfigMap", "robustcert-trusted-keys")["data"] == keys
    volume = {"name": "trusted-keys", "configMap": {"name": "robustcert-trusted-keys"}}
    assert volume in pod(made, program)["volumes"]
    named = release({"trustedKeys": {"keys": {"issuer.pub": None}, "configMapName": "mine"}})
    assert [item for item in of_kind(named, "ConfigMap") if item["metadata"]["name"].endswith("trusted-keys")] == []
    assert {"name": "trusted-keys", "configMap": {"name": "mine"}} in pod(named, program)["volumes"]


def test_secrets_that_the_operator_makes_bear_the_names_that_the_pods_use() -> None:
    secrets = {
        "robustcert-store": {
            "AWS_ACCESS_KEY_ID": {"key": "s3", "property": "id"},
            "AWS_SECRET_ACCESS_KEY": {"key": "s3b"},
        }
    }
    external = {"enabled": True, "secretStore": {"name": "vault", "kind": "SecretStore"}, "secrets": secrets}
    (made,) = of_kind(release({"externalSecrets": external}), "ExternalSecret")
    assert made["apiVersion"] == "external-secrets.io/v1"
    assert made["metadata"]["name"] == made["spec"]["target"]["name"] == "robustcert-store"
    assert made["spec"]["secretStoreRef"] == {"name": "vault", "kind": "SecretStore"}
    assert made["spec"]["data"] == [
        {"secretKey": "AWS_ACCESS_KEY_ID", "remoteRef": {"key": "s3", "property": "id"}},
        {"secretKey": "AWS_SECRET_ACCESS_KEY", "remoteRef": {"key": "s3b"}},
    ]
    assert of_kind(release(), "ExternalSecret", "Secret") == []


def test_further_objects_are_installed_as_they_are_written() -> None:
    extra = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "more"},
        "data": {"a": "{{ .Release.Name }}"},
    }
    assert the(release({"extraObjects": [extra, {**extra, "metadata": {"name": "two"}}]}), "ConfigMap", "more") == extra


def test_the_gate_renders_nothing() -> None:
    assert [item for item in release() if "admission" in item["metadata"]["name"]] == []
    assert of_kind(release(), "ValidatingWebhookConfiguration", "ValidatingAdmissionPolicy") == []
