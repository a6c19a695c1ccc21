"""The validator against wrong objects, a real API server's recorded verdicts and kubernetes-validate's own."""

import copy
import functools
import json
import random
from typing import Any

import kubernetes_validate
import pytest
import yaml
from kubernetes_validate import utils as package

from robustcert.errors import InputError
from tests.tools.chart.mutations import VERDICTS, examples, mutations
from tools.chart.kubernetes_schemas import VERSIONS, custom_kinds, schema_findings
from tools.chart.render import CHART, ci_values, render

Object = dict[str, Any]

NAMES = sorted(ci_values())
POD = {
    "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
    "containers": [
        {
            "name": "a",
            "image": "registry.example.org/a:1",
            "ports": [{"name": "http", "containerPort": 80}],
            "resources": {"requests": {"cpu": 1, "memory": "64Mi"}},
            "livenessProbe": {"httpGet": {"path": "/", "port": "http"}},
        }
    ],
}
DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "a", "labels": {"app": "a"}},
    "spec": {
        "replicas": 1,
        "selector": {"matchLabels": {"app": "a"}},
        "template": {"metadata": {"labels": {"app": "a"}}, "spec": POD},
    },
}
CRONJOB = {
    "apiVersion": "batch/v1",
    "kind": "CronJob",
    "metadata": {"name": "a"},
    "spec": {
        "schedule": "@daily",
        "timeZone": "Etc/UTC",
        "jobTemplate": {"spec": {"template": {"spec": {**POD, "restartPolicy": "Never"}}}},
    },
}
INGRESS = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "a"}, "spec": {}}
BUDGET = {
    "apiVersion": "policy/v1",
    "kind": "PodDisruptionBudget",
    "metadata": {"name": "a"},
    "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "a"}}},
}
RIGHT = {item["kind"]: item for item in (DEPLOYMENT, CRONJOB, INGRESS, BUDGET, *examples())}
# kind, path, the wrong value (None removes it), what is said of it
WRONG: list[tuple[str, str, Any, str]] = [
    ("Deployment", "specs", {}, r"Deployment/a: the object: expected known fields, got specs; is spec meant\?"),
    ("Deployment", "spec.replica", 1, r"spec: expected known fields, got replica; is replicas meant\?"),
    (
        "Deployment",
        "spec.template.spec.containers.0.imge",
        "a",
        r"spec\.template\.spec\.containers\.0: .* is image meant",
    ),
    ("Deployment", "spec.template.spec.containers.0.livenessProbe.httpGet.prot", 1, r"livenessProbe\.httpGet: .* prot"),
    ("Deployment", "metadata.label", {}, r"metadata: expected known fields, got label"),
    ("Deployment", "metadata.labels.app", 1, r"metadata\.labels\.app: 1 is not of type"),
    ("Deployment", "spec.replicas", "1", r"spec\.replicas: '1' is not of type"),
    ("Deployment", "spec.template.spec.containers", {"name": "a"}, r"containers: \{'name': 'a'\} is not of type"),
    (
        "Deployment",
        "spec.template.spec.containers.0.ports.0.containerPort",
        "http",
        r"containerPort: 'http' is not of type",
    ),
    ("Deployment", "spec.template.spec.containers.0.name", None, r"containers\.0: 'name' is a required property"),
    ("Deployment", "spec.selector", None, r"spec: 'selector' is a required property"),
    ("CronJob", "spec.schedule", None, r"spec: 'schedule' is a required property"),
    ("CronJob", "spec.jobTemplate.spec.template.spec.container", [], r"is containers meant\?"),
    ("CronJob", "apiVersion", "batch/v1beta1", r"got batch/v1beta1 CronJob; use batch/v1"),
    ("PodDisruptionBudget", "apiVersion", "policy/v1beta1", r"got policy/v1beta1 PodDisruptionBudget; use policy/v1"),
    ("Ingress", "apiVersion", "networking.k8s.io/v1beta1", r"got networking\.k8s\.io/v1beta1 Ingress; use networking"),
    ("Ingress", "apiVersion", "extensions/v1beta1", r"use networking\.k8s\.io/v1"),
    ("Deployment", "apiVersion", "apps.example.org/v1", r"got apps\.example\.org/v1 Deployment; use apps/v1"),
    ("Deployment", "kind", "Deploymnt", r"Deploymnt; is Deployment meant\?"),
    ("Deployment", "kind", "Certainly", r"Certainly; add its CRD to tools/chart/crds"),
    ("Deployment", "kind", None, r"got apps/v1 None"),
    ("Deployment", "apiVersion", None, r"got None Deployment; use apps/v1"),
    ("PrometheusRule", "spec.groups.0.rules.1.expression", "1", r"rules\.1: expected known fields, got expression"),
    ("PrometheusRule", "spec.groups.0.rules.1.for", "10 minutes", r"for: '10 minutes' does not match"),
    ("ServiceMonitor", "spec.endpoints.0.honourLabels", True, r"is honorLabels meant\?"),
    ("AlertmanagerConfig", "spec.receivers.0.webhookConfigs.0.httpConfig.bearerToken", "a", r"got bearerToken"),
    ("AlertmanagerConfig", "spec.route.matchers.0.matchType", "~", r"matchType: '~' is not one of"),
    ("Certificate", "spec.issuerRef", None, r"spec: 'issuerRef' is a required property"),
    ("ExternalSecret", "apiVersion", "external-secrets.io/v1beta1", r"use external-secrets\.io/v1"),
    ("ExternalSecret", "metadata.label", {}, r"metadata: expected known fields, got label"),
    ("HelmRelease", "apiVersion", "helm.toolkit.fluxcd.io/v2beta2", r"use helm\.toolkit\.fluxcd\.io/v2"),
    ("Application", "spec.sources.0.helm.valueObject", {}, r"is valuesObject meant\?"),
]
# A field, where it stands, and the first version whose API has it: the release notes of Kubernetes.
SINCE: list[tuple[str, str, Any, str]] = [
    (
        "Deployment",
        "spec.template.spec.containers.0.securityContext",
        {"appArmorProfile": {"type": "RuntimeDefault"}},
        "1.30",
    ),
    ("Deployment", "spec.template.spec.resources", {"requests": {"cpu": 1}}, "1.32"),
    ("Deployment", "spec.template.spec.hostnameOverride", "a", "1.34"),
    ("PodDisruptionBudget", "spec.unhealthyPodEvictionPolicy", "AlwaysAllow", "1.29"),
]
# What differs from the server because a rule in CEL says it, which schemas do not carry.
BY_RULE = {("HelmRelease", "spec.chartRef: remove")}


def changed(item: Object, path: str, value: Any) -> Object:
    """A copy with another value at a path; without that key for None."""
    found = copy.deepcopy(item)
    holder: Any = found
    *keys, last = path.split(".")
    for key in keys:
        holder = holder[int(key) if isinstance(holder, list) else key]
    if value is None:
        del holder[last]
    else:
        holder[last] = value
    return found


@functools.cache
def rendered(name: str) -> list[Object]:
    return render(ci_values()[name])


@pytest.mark.parametrize("name", NAMES)
def test_every_object_of_the_chart_is_taken_by_every_version(name: str) -> None:
    assert len(rendered(name)) > 10
    assert [finding for version in VERSIONS for finding in schema_findings(rendered(name), version=version)] == []


@pytest.mark.parametrize("version", VERSIONS)
def test_right_objects_have_no_findings(version: str) -> None:
    assert schema_findings(RIGHT.values(), version=version) == []


@pytest.mark.parametrize("version", [VERSIONS[0], VERSIONS[-1]])
@pytest.mark.parametrize(("kind", "path", "value", "said"), WRONG)
def test_a_wrong_object_is_one_finding(kind: str, path: str, value: Any, said: str, version: str) -> None:
    (finding,) = schema_findings([changed(RIGHT[kind], path, value)], version=version)
    with pytest.raises(ValueError, match=said):
        raise ValueError(finding)


@pytest.mark.parametrize(("kind", "path", "value", "first"), SINCE)
def test_a_field_is_refused_by_each_version_that_lacks_it(kind: str, path: str, value: Any, first: str) -> None:
    item = changed(RIGHT[kind], path, value)
    taken = [version for version in VERSIONS if not schema_findings([item], version=version)]
    assert taken == list(VERSIONS[VERSIONS.index(first) :])


def test_each_wrong_part_of_each_object_is_named() -> None:
    both = changed(changed(DEPLOYMENT, "spec.replica", 1), "spec.paused", "no")
    found = schema_findings([both, {**INGRESS, "spce": {}}], version="1.33")
    assert [line.split(":")[0] for line in found] == ["Deployment/a", "Deployment/a", "Ingress/a"]


def test_a_long_value_is_cut_off_in_a_finding() -> None:
    (finding,) = schema_findings([changed(DEPLOYMENT, "spec.template.spec.containers", "a" * 10_000)], version="1.33")
    assert len(finding) < 300


@pytest.mark.parametrize("item", [{}, {"kind": "Pod"}, {"apiVersion": "v1", "kind": "Pod", "metadata": "a"}])
def test_what_is_hardly_an_object_is_a_finding(item: Object) -> None:
    assert len(schema_findings([item], version="1.30")) == 1


@pytest.mark.parametrize("version", ["1.28", "1.38", "v1.30", ""])
def test_another_version_is_refused(version: str) -> None:
    with pytest.raises(InputError, match=r"expected a version of 1\.29, .*1\.37, got"):
        schema_findings([], version=version)


def test_the_versions_are_those_of_the_package_from_the_oldest_that_the_chart_takes() -> None:
    held = [package.major_minor(version) for version in kubernetes_validate.utils.all_versions()]
    assert list(dict.fromkeys(held))[-len(VERSIONS) :] == list(VERSIONS)


def test_the_oldest_version_is_the_one_that_the_chart_asks_for() -> None:
    assert yaml.safe_load((CHART / "Chart.yaml").read_text())["kubeVersion"] == f">={VERSIONS[0]}.0-0"


def test_every_custom_resource_has_an_example() -> None:
    assert set(custom_kinds()) == {(item["apiVersion"], item["kind"]) for item in examples()}


@pytest.mark.parametrize("item", examples(), ids=lambda item: item["kind"])
def test_the_schemas_of_custom_resources_agree_with_an_api_server(item: Object) -> None:
    recorded = json.loads(VERDICTS.read_text())[item["kind"]]
    ours = {name: not schema_findings([one], version="1.36") for name, one in mutations(item)}
    different = {(item["kind"], name) for name in ours if ours[name] != recorded[name]}
    assert ours.keys() == recorded.keys()
    assert set(recorded.values()) == {True, False}
    assert different <= BY_RULE


@pytest.mark.parametrize("version", [VERSIONS[0], VERSIONS[-1]])
def test_the_verdict_on_objects_of_kubernetes_is_the_packages_own(
    version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package, "schema_contents", functools.cache(package.schema_contents))
    own = [
        item for name in NAMES for item in rendered(name) if (item["apiVersion"], item["kind"]) not in custom_kinds()
    ]
    chosen = random.Random(5).sample(own, 25)
    broken = [one for item in chosen for _, one in random.Random(6).choices(list(mutations(item)), k=3)]
    verdicts = [(_is_taken(item, version), not schema_findings([item], version=version)) for item in (*chosen, *broken)]
    assert {ours for _, ours in verdicts} == {True, False}
    assert [ours for _, ours in verdicts] == [theirs for theirs, _ in verdicts]


def _is_taken(item: Object, version: str) -> bool:
    try:
        kubernetes_validate.validate(item, version, strict=True)
    except kubernetes_validate.ValidationError:
        return False
    return True
