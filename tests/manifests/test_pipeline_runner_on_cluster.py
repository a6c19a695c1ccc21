"""Who may sign, asked of a real API server: Roles by SubjectAccessReview, the policy by pods that it admits or refuses.

`make test-cluster` runs it with KUBECONFIG; Kubernetes 1.30 or later, without nodes is enough. Everything gets names of
its own and is removed; pods are only asked for (dry run).
"""

from __future__ import annotations

import copy
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client, config, dynamic

from tests.cluster.api import KUBECONFIG, Api, eventually

pytestmark = pytest.mark.cluster

RUNNER = Path(__file__).parent.parent.parent / "manifests/pipeline-runner"
ARGO = "system:serviceaccount:kubeflow:argo"
KEY = "robustcert-signing-key"
Pod = dict[str, Any]


@dataclass
class Installed:
    """Both namespaces as the server has them, by names of this test's own, and the policy over them."""

    certification: str
    development: str
    made: list[tuple[Any, str, str | None]] = field(default_factory=list)


def documents(folder: str) -> list[dict[str, Any]]:
    listed = yaml.safe_load((RUNNER / folder / "kustomization.yaml").read_text())["resources"]
    texts = [(RUNNER / folder / name).read_text() for name in listed if name.endswith(".yaml")]
    return [one for text in texts for one in yaml.safe_load_all(text)]


@pytest.fixture(scope="module")
def api() -> Api:
    return Api()


@pytest.fixture(scope="module")
def installed(api: Api) -> Iterator[Installed]:
    mark = f"robustcert-test-{secrets.token_hex(4)}"
    there = Installed(f"{mark}-certification", f"{mark}-development")
    try:
        for folder, namespace in {"certification": there.certification, "development": there.development}.items():
            for one in [*documents(folder), *documents("run")]:
                make(api, there, one, namespace=namespace)
        for one in documents("key-policy"):
            renamed = yaml.safe_load(yaml.safe_dump(one))
            renamed["metadata"]["name"] = mark
            if "policyName" in renamed["spec"]:
                renamed["spec"]["policyName"] = mark
            make(api, there, renamed, namespace=None)
        stranger = {"namespace": there.development, "user": ARGO}
        eventually(lambda: refusal(run_pod(), **stranger), seconds=30)  # policies take a moment to be seen
        yield there
    finally:
        for kind, name, namespace in reversed(there.made):
            kind.delete(name=name, **({"namespace": namespace} if namespace else {}))


def make(api: Api, there: Installed, one: dict[str, Any], *, namespace: str | None) -> None:
    kind = api.objects.resources.get(api_version=one["apiVersion"], kind=one["kind"])
    if one["kind"] == "Namespace":
        one["metadata"]["name"], namespace = namespace, None
    where = {"namespace": namespace} if namespace else {}
    kind.create(body=one, query_params=[("fieldValidation", "Strict")], **where)
    there.made.append((kind, one["metadata"]["name"], namespace))


def run_pod() -> Pod:
    """The step certificate-issue as Kubeflow and Argo make it, as far as the policy looks at it."""
    step = ["--executor_input", "{}", "--function_to_execute", "certificate_issue"]
    main = {
        "name": "main",
        "image": "ghcr.io/robustcert/robustcert:0.1.0",
        "command": ["/kfp-launcher/launch"],
        "args": step,
        "volumeMounts": [{"name": KEY, "mountPath": "/var/run/secrets/robustcert/signing-key"}],
        "env": [from_secret("ROBUSTCERT_KEY_PASSPHRASE", "passphrase")],
    }
    wait = {"name": "wait", "image": "quay.io/argoproj/argoexec:v4.0.8"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "certified-training-x7k2p-system-container-impl-1203",
            "labels": {"pipelines.kubeflow.org/v2_component": "true", "pipeline/runid": "0f1e"},
        },
        "spec": {
            "serviceAccountName": "robustcert-run",
            "containers": [main, wait],
            "volumes": [{"name": KEY, "secret": {"secretName": KEY, "optional": True}}],
        },
    }


def from_secret(name: str, key: str) -> dict[str, Any]:
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": KEY, "key": key, "optional": True}}}


def refusal(pod: Pod, *, namespace: str, user: str) -> str:
    """Why the server would not make the pod for `user`, who may otherwise do everything; empty where it would."""
    connection = config.new_client_from_config(config_file=KUBECONFIG)
    connection.set_default_header("Impersonate-User", user)
    connection.set_default_header("Impersonate-Group", "system:masters")
    try:
        client.CoreV1Api(connection).create_namespaced_pod(namespace, pod, dry_run="All")
    except client.exceptions.ApiException as error:
        return str(error.body)
    return ""


def by_environment(pod: Pod) -> None:
    del pod["spec"]["volumes"], pod["spec"]["containers"][0]["volumeMounts"], pod["spec"]["containers"][0]["env"]
    pod["spec"]["containers"][1]["env"] = [from_secret("KEY", "key")]


def by_all_of_its_keys(pod: Pod) -> None:
    by_environment(pod)
    pod["spec"]["containers"][1] |= {"env": [], "envFrom": [{"secretRef": {"name": KEY}}]}


def by_projection(pod: Pod) -> None:
    pod["spec"]["volumes"] = [{"name": KEY, "projected": {"sources": [{"secret": {"name": KEY}}]}}]
    pod["spec"]["containers"][0]["args"] = ["sleep"]


def before_the_step(pod: Pod) -> None:
    mount = pod["spec"]["containers"][0]["volumeMounts"]
    pod["spec"]["initContainers"] = [{"name": "look", "image": "busybox:1.37", "volumeMounts": mount}]


def main_of(pod: Pod) -> dict[str, Any]:
    return pod["spec"]["containers"][0]


CHANGES: dict[str, tuple[Callable[[Pod], object], str]] = {
    "another account": (lambda pod: pod["spec"].update(serviceAccountName="default"), "got default"),
    "no account": (lambda pod: pod["spec"].pop("serviceAccountName"), "got default"),
    "no run": (lambda pod: pod["metadata"].pop("labels"), "a pod of a Kubeflow run"),
    "another image": (lambda pod: main_of(pod).update(image="docker.io/library/busybox:1.37"), "image of Robustcert"),
    "a longer name": (
        lambda pod: main_of(pod).update(image="ghcr.io/robustcert/robustcert-x:1"),
        "image of Robustcert",
    ),
    "another step": (lambda pod: main_of(pod).update(args=["certification"]), "certificate-issue"),
    "a variable": (by_environment, "no other container"),
    "all keys as variables": (by_all_of_its_keys, "no other container"),
    "a projected volume": (by_projection, "certificate-issue"),
    "an init container": (before_the_step, "no other container"),
}


def test_the_step_that_signs_gets_the_key_where_argo_makes_it(installed: Installed) -> None:
    assert refusal(run_pod(), namespace=installed.certification, user=ARGO) == ""


@pytest.mark.parametrize("name", CHANGES)
def test_any_other_pod_with_the_key_is_refused(installed: Installed, name: str) -> None:
    change, reason = CHANGES[name]
    pod = run_pod()
    change(pod)
    assert reason in refusal(pod, namespace=installed.certification, user=ARGO)


def test_nobody_but_argo_makes_a_pod_with_the_key(installed: Installed) -> None:
    assert "got ann" in refusal(run_pod(), namespace=installed.certification, user="ann")


def test_the_development_namespace_holds_no_key_even_where_a_secret_of_that_name_is(installed: Installed) -> None:
    assert f"got {installed.development}" in refusal(run_pod(), namespace=installed.development, user=ARGO)


def test_pods_without_the_key_are_nobodys_business(installed: Installed) -> None:
    pod = copy.deepcopy(run_pod())
    pod["metadata"].pop("labels")
    pod["spec"] = {"containers": [{"name": "any", "image": "docker.io/library/busybox:1.37"}]}
    for namespace in (installed.certification, installed.development):
        assert refusal(pod, namespace=namespace, user="ann") == ""


def may(user: str, group: str, *, verb: str, resource: str, namespace: str, name: str = "") -> bool:
    """The server's own answer; `resource` is `group/resource` or `resource`, with a part after a colon."""
    connection = config.new_client_from_config(config_file=KUBECONFIG)
    api_group, _, rest = resource.rpartition("/")
    kind, _, part = rest.partition(":")
    asked = client.V1ResourceAttributes(
        group=api_group, resource=kind, subresource=part or None, verb=verb, namespace=namespace, name=name or None
    )
    spec = client.V1SubjectAccessReviewSpec(user=user, groups=[group], resource_attributes=asked)
    reviews = client.AuthorizationV1Api(connection)
    return bool(reviews.create_subject_access_review(client.V1SubjectAccessReview(spec=spec)).status.allowed)


@pytest.mark.parametrize(
    "resource", ["secrets", "pods", "pods:exec", "serviceaccounts:token", "pipelines.kubeflow.org/runs", "configmaps"]
)
@pytest.mark.parametrize("verb", ["get", "list", "create", "update", "delete"])
def test_developers_may_do_nothing_where_certificates_are_signed(
    installed: Installed, verb: str, resource: str
) -> None:
    asked = {"verb": verb, "resource": resource}
    assert not may("dev", "robustcert-developers", namespace=installed.certification, **asked)


def test_developers_run_pipelines_in_their_own_namespace_and_read_no_secret(installed: Installed) -> None:
    def developer(verb: str, resource: str) -> bool:
        return may("dev", "robustcert-developers", verb=verb, resource=resource, namespace=installed.development)

    assert developer("create", "pipelines.kubeflow.org/runs")
    assert developer("get", "pods:log")
    for verb in ("get", "list", "create"):
        assert not developer(verb, "secrets")
    assert not developer("create", "pods")
    assert not developer("create", "pods:exec")
    assert not developer("create", "serviceaccounts:token")


def test_certifiers_start_runs_and_read_no_secret(installed: Installed) -> None:
    def certifier(verb: str, resource: str) -> bool:
        return may("ann", "robustcert-certifiers", verb=verb, resource=resource, namespace=installed.certification)

    assert certifier("create", "pipelines.kubeflow.org/runs")
    assert not certifier("create", "pipelines.kubeflow.org/pipelines")
    assert not certifier("get", "secrets")
    assert not certifier("create", "pods")
    assert not certifier("create", "argoproj.io/workflows")


def test_a_run_may_tell_its_result_and_read_neither_key_nor_credentials(installed: Installed) -> None:
    account = f"system:serviceaccount:{installed.certification}:robustcert-run"

    def run(verb: str, resource: str, name: str = "") -> bool:
        where = {"namespace": installed.certification, "name": name}
        return may(account, "system:serviceaccounts", verb=verb, resource=resource, **where)

    assert run("create", "argoproj.io/workflowtaskresults")
    assert run("patch", "argoproj.io/workflowtaskresults")
    assert run("get", "configmaps", "kfp-launcher")
    assert run("get", "secrets", "mlpipeline-minio-artifact")
    assert not run("get", "secrets", KEY)
    assert not run("get", "secrets", "robustcert-store")
    assert not run("list", "secrets")
    assert not run("create", "pods")
    assert not run("create", "pods:exec")
    assert not run("patch", "argoproj.io/workflows")


def test_the_server_finds_nothing_to_warn_of_in_the_policy(api: Api, installed: Installed) -> None:
    group = "admissionregistration.k8s.io/v1"
    policies: dynamic.Resource = api.objects.resources.get(api_version=group, kind="ValidatingAdmissionPolicy")
    name = installed.certification.removesuffix("-certification")
    status = eventually(lambda: policies.get(name=name).to_dict().get("status", {}), seconds=30)
    assert status["typeChecking"].get("expressionWarnings") in (None, [])
