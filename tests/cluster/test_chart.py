"""The chart on a real API server, through Helm's engine: accepted, installed, upgraded, rolled back, uninstalled.

`make test-cluster` runs it with KUBECONFIG. It makes namespaces of its own and removes them. A server without nodes is
enough: pods are admitted, or refused, before any node is asked. Needs the rights to make namespaces and cluster roles.
"""

from __future__ import annotations

import json
import re
from typing import Any

import helm_python as helm
import pytest

from tests.cluster.api import KUBECONFIG, Api, eventually, names
from tools.chart.render import CHART, ci_values, render

pytestmark = pytest.mark.cluster

RELEASE = "robustcert"
NOTHING_BUT_READ = ("create", "update", "patch", "delete", "deletecollection")
# What no program of ours needs, anywhere: verb, group, resource.
NEVER = [
    *[(verb, "", "secrets") for verb in ("get", "list", "watch", *NOTHING_BUT_READ)],
    *[(verb, "", "configmaps") for verb in ("get", "list", *NOTHING_BUT_READ)],
    *[(verb, "", "pods") for verb in ("get", "list", *NOTHING_BUT_READ)],
    ("create", "", "pods/exec"),
    ("create", "", "pods/portforward"),
    ("create", "", "serviceaccounts/token"),
    ("impersonate", "", "serviceaccounts"),
    *[(verb, "apps", "deployments") for verb in NOTHING_BUT_READ],
    *[(verb, "batch", "jobs") for verb in ("get", *NOTHING_BUT_READ)],
    *[(verb, "rbac.authorization.k8s.io", "roles") for verb in (*NOTHING_BUT_READ, "bind", "escalate")],
    *[(verb, "rbac.authorization.k8s.io", "clusterroles") for verb in (*NOTHING_BUT_READ, "bind", "escalate")],
    ("create", "admissionregistration.k8s.io", "validatingwebhookconfigurations"),
    ("*", "*", "*"),
]
WATCHED = [("apps", "deployments"), ("serving.kserve.io", "inferenceservices")]
# What Kubeflow's server asks about in a profile, for the calls of controller and upload; docs/permissions.md says why.
OF_CONTROLLER = [
    *[("pipelines", verb) for verb in ("get", "list")],
    *[("experiments", verb) for verb in ("create", "list")],
    *[("runs", verb) for verb in ("create", "get", "list", "terminate")],
]
OF_UPLOAD = [("pipelines", verb) for verb in ("create", "get", "list")]
KUBEFLOW = "pipelines.kubeflow.org"


def quiet(**others: Any) -> dict[str, Any]:
    """Values whose objects every API server knows, and that wait for nothing: no operators, no hook."""
    off = {part: {"enabled": False} for part in ("monitors", "rules", "alertmanagerConfig")}
    values = {**ci_values()["minimal"], "pipelines": {"upload": {"enabled": False}}, "monitoring": off}
    return {**values, **others}


def schedules(**changed: Any) -> dict[str, Any]:
    return {"schedules": [{"name": "digits", "model": "digits", "schedule": "* * * * *", **changed}]}


def served(api: Api, values: dict[str, Any], *, namespace: str) -> list[dict[str, Any]]:
    """What the chart renders, of it what has a kind that this server knows."""
    return [thing for thing in render(values, name=RELEASE, namespace=namespace) if api.knows(thing)]


@pytest.mark.parametrize("name", sorted(ci_values()))
def test_the_server_accepts_every_object_of(name: str, api: Api, namespace: str) -> None:
    objects = served(api, ci_values()[name], namespace=namespace)
    kinds = {thing["kind"] for thing in objects}
    assert {"Deployment", "StatefulSet", "NetworkPolicy", "ServiceAccount"} <= kinds
    here = [thing for thing in objects if thing["metadata"].get("namespace", namespace) == namespace]
    for thing in [each for each in here if each["kind"] == "ServiceAccount"]:  # a pod that names none is refused
        here.remove(thing)
        api.create(thing, namespace=namespace)
    named = set(re.findall(r'"priorityClassName": "([^"]+)"', json.dumps(here)))
    with api.priority_classes(named):
        assert [refused for thing in here if (refused := api.refusal(thing, namespace=namespace))] == []


def test_a_release_is_installed_upgraded_rolled_back_and_removed(api: Api, namespace: str) -> None:
    with helm.Config(kubeconfig_path=KUBECONFIG, namespace=namespace) as there:
        assert there.install(CHART, RELEASE, quiet(), namespace=namespace)["status"] == "deployed"
        claim = read_claim(api, namespace)
        first = settings(api, namespace)
        assert pods_of(api, namespace, {"exporter": 1, "controller": 1})

        changed = quiet(controller={"settings": {"coolDown": "7h"}}, recertification=schedules(schedule="0 3 * * 0"))
        assert there.upgrade(CHART, RELEASE, changed, namespace=namespace)["revision"] == 2
        assert "coolDown: 7h" in settings(api, namespace)
        assert names(api.found("batch/v1", "CronJob", namespace=namespace)) == {"robustcert-schedule-digits"}

        there.rollback(RELEASE, version=1)
        assert settings(api, namespace) == first
        assert api.found("batch/v1", "CronJob", namespace=namespace) == []
        assert there.status(RELEASE)["revision"] == 3

        there.uninstall(RELEASE)
        left = eventually(lambda: nothing_but_the_claim(api, namespace), seconds=60)
        assert left
        assert read_claim(api, namespace)["metadata"]["uid"] == claim["metadata"]["uid"]


def test_a_changed_setting_restarts_the_controller_and_another_does_not(api: Api, namespace: str) -> None:
    with helm.Config(kubeconfig_path=KUBECONFIG, namespace=namespace) as there:
        there.install(CHART, RELEASE, quiet(), namespace=namespace)
        before = generation(api, namespace)
        there.upgrade(CHART, RELEASE, quiet(recertification=schedules(schedule="0 3 * * 0")), namespace=namespace)
        assert generation(api, namespace) == before
        there.upgrade(CHART, RELEASE, quiet(controller={"settings": {"coolDown": "7h"}}), namespace=namespace)
        assert generation(api, namespace) == before + 1
        there.uninstall(RELEASE)


def test_the_slot_of_a_schedule_reaches_its_pod(api: Api, namespace: str) -> None:
    with helm.Config(kubeconfig_path=KUBECONFIG, namespace=namespace) as there:
        there.install(CHART, RELEASE, quiet(recertification=schedules()), namespace=namespace)
        selector = "app.kubernetes.io/component=schedule"
        pods = eventually(lambda: api.found("v1", "Pod", namespace=namespace, selector=selector), seconds=150)
        there.uninstall(RELEASE)
    pod = pods[0]
    slot = pod["metadata"]["labels"]["batch.kubernetes.io/job-name"]
    assert slot.removeprefix("robustcert-schedule-digits-").isdecimal()
    fields = [entry.get("valueFrom", {}).get("fieldRef", {}) for entry in pod["spec"]["containers"][0]["env"]]
    assert "metadata.labels['batch.kubernetes.io/job-name']" in [field.get("fieldPath") for field in fields]


def test_each_program_may_do_what_it_needs_and_nothing_else(api: Api, namespace: str) -> None:
    with helm.Config(kubeconfig_path=KUBECONFIG, namespace=namespace) as there:
        there.install(CHART, RELEASE, quiet(recertification=schedules()), namespace=namespace)
        for group, resource in WATCHED:
            for verb, expected in {"list": True, "watch": True, "get": False, "delete": False}.items():
                asked = {"verb": verb, "group": group, "resource": resource, "namespace": "default"}
                assert api.allows(f"{namespace}:robustcert-exporter", **asked) is expected, asked
        assert [found for found in allowed_beyond(api, namespace) if "exporter" not in found[0]] == []
        there.uninstall(RELEASE)
    assert not api.allows(
        f"{namespace}:robustcert-exporter", verb="list", group="apps", resource="deployments", namespace="default"
    ), "a right that outlives the release"


def test_in_a_profile_controller_and_upload_may_do_just_what_kubeflow_asks_about(api: Api, namespace: str) -> None:
    with api.namespace(f"{namespace}-profile") as profile:
        values = quiet(kubeflow={"namespace": profile, "host": "http://ml-pipeline.kubeflow.svc:8888"})
        values["pipelines"] = {"upload": {"enabled": True}}
        objects = render(values, name=RELEASE, namespace=namespace)
        access = [thing for thing in objects if thing["metadata"].get("namespace") == profile]
        assert {thing["kind"] for thing in access} == {"Role", "RoleBinding"}
        for thing in access:
            api.create(thing, namespace=profile)
        verbs = ("create", "get", "list", "terminate", "retry", "delete", "update", "archive", "unarchive")
        for program, needs in {"controller": OF_CONTROLLER, "upload": OF_UPLOAD}.items():
            for resource in ("pipelines", "experiments", "runs", "jobs", "viewers", "visualizations"):
                for verb in verbs:
                    asked = {"verb": verb, "group": KUBEFLOW, "resource": resource, "namespace": profile}
                    allowed = api.allows(f"{namespace}:robustcert-{program}", **asked)
                    assert allowed is ((resource, verb) in needs), (program, asked)
            asked = {"verb": "create", "group": KUBEFLOW, "resource": "runs", "namespace": namespace}
            assert not api.allows(f"{namespace}:robustcert-{program}", **asked), "only in the profile"


def allowed_beyond(api: Api, namespace: str) -> list[tuple[str, str, str, str]]:
    """What is allowed of NEVER, to any of the release's accounts, here and in kube-system."""
    accounts = [each["metadata"]["name"] for each in api.found("v1", "ServiceAccount", namespace=namespace)]
    assert {"robustcert-exporter", "robustcert-controller", "robustcert-schedule"} <= set(accounts)
    return [
        (account, verb, resource, where)
        for account in accounts
        for verb, group, resource in NEVER
        for where in (namespace, "kube-system")
        if api.allows(f"{namespace}:{account}", verb=verb, group=group, resource=resource, namespace=where)
    ]


def pods_of(api: Api, namespace: str, wanted: dict[str, int]) -> bool:
    """Whether each program has its pods: admitted under the level `restricted`, whether a node runs them or not."""

    def counted() -> bool:
        pods = api.found("v1", "Pod", namespace=namespace)
        components = [pod["metadata"]["labels"].get("app.kubernetes.io/component") for pod in pods]
        return all(components.count(name) == count for name, count in wanted.items())

    return bool(eventually(counted, seconds=60))


def settings(api: Api, namespace: str) -> str:
    """The controller's settings file."""
    return str(api.read("v1", "ConfigMap", "robustcert-controller", namespace=namespace)["data"]["controller.yaml"])


def generation(api: Api, namespace: str) -> int:
    """How often the specification of the controller's pods changed."""
    return int(
        api.read("apps/v1", "StatefulSet", "robustcert-controller", namespace=namespace)["metadata"]["generation"]
    )


def read_claim(api: Api, namespace: str) -> Any:
    return api.read("v1", "PersistentVolumeClaim", "robustcert-controller", namespace=namespace)


def nothing_but_the_claim(api: Api, namespace: str) -> bool:
    """Whether of the release only the controller's claim is left."""
    kinds = [("v1", "Service"), ("v1", "ServiceAccount"), ("apps/v1", "Deployment"), ("apps/v1", "StatefulSet")]
    kinds += [("batch/v1", "CronJob"), ("networking.k8s.io/v1", "NetworkPolicy"), ("policy/v1", "PodDisruptionBudget")]
    kinds += [("v1", "Pod"), ("rbac.authorization.k8s.io/v1", "Role"), ("v1", "ConfigMap"), ("v1", "Secret")]
    selector = f"app.kubernetes.io/instance={RELEASE}"
    return not any(api.found(*kind, namespace=namespace, selector=selector) for kind in kinds)
