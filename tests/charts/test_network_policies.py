"""Who may connect to whom, for each kind of installation: the whole matrix, computed from what the chart renders."""

import copy
from typing import Any

import pytest

from tests.charts.network_world import COMPONENT, Reach, own_pods, pod_labels, reach, written
from tests.charts.reachability import Pod, connects
from tools.chart.render import ci_values, render

DNS = "53/udp 53"
# Everything that is allowed, and nothing else is.
ALLOWED = {
    "minimal": f"""
        exporter controller upload test > anywhere: {DNS}
        exporter controller > anywhere: 443
        exporter > anywhere: 6443
        controller upload > anywhere: 8888
        monitoring > exporter: 9464
        monitoring > controller: 8090 8091
        test > exporter: 9464
        test > controller: 8090
        """,
    "full": f"""
        exporter controller upload drift schedule test > name-server: {DNS}
        exporter controller upload drift schedule test > tracing: 4317
        exporter controller drift > minio: 9000
        exporter > kubernetes: 443 6443
        controller upload > company: 443
        monitoring monitoring-standby > exporter: 9464
        monitoring monitoring-standby > controller: 9091
        monitoring team-vision team-platform schedule > controller: 8443
        test > exporter: 9464
        """,
    "no-prometheus-operator": f"""
        exporter controller upload drift schedule test > anywhere: {DNS}
        exporter > anywhere: 443 6443
        controller upload > anywhere: 8888
        prometheus > exporter: 9464
        prometheus > controller: 8090 8091
        schedule test > controller: 8090
        test > exporter: 9464
        """,
    "multi-user-kubeflow": f"""
        exporter controller upload schedule test > anywhere: {DNS}
        exporter controller > anywhere: 9000
        exporter > anywhere: 443 6443
        controller upload > istio-system: 443
        monitoring > exporter: 9464
        monitoring > controller: 8091
        monitoring team-vision schedule test > controller: 8090
        test > exporter: 9464
        """,
    "air-gapped": """
        exporter controller upload drift test > name-server: 53/udp 53
        exporter controller drift > storage-network: 9443
        exporter > kubernetes api-server: 443 6443
        controller upload > kubeflow: 8888
        monitoring > exporter: 9464
        monitoring > controller: 8090 8091
        test > controller: 8090
        test > exporter: 9464
        """,
    "gpu": f"""
        exporter controller drift schedule test > anywhere: {DNS}
        exporter controller drift > anywhere: 9000
        exporter > anywhere: 443 6443
        controller > anywhere: 8888
        monitoring > exporter: 9464
        monitoring > controller: 8090 8091
        schedule test > controller: 8090
        test > exporter: 9464
        """,
}
POLICIES = ["all-pods", "controller", "default-deny", "drift", "exporter", "schedule", "test", "upload"]
BASE: dict[str, Any] = ci_values()["minimal"]


def difference(found: Reach, wanted: Reach) -> str:
    """What is open that should not be, and the other way round; empty where they agree."""
    lines = [f"open: {one}" for one in sorted(found - wanted)] + [f"shut: {one}" for one in sorted(wanted - found)]
    return "\n".join(lines)


def policies_of(objects: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {one["metadata"]["name"]: one for one in objects if one["kind"] == "NetworkPolicy"}


def ports_to(pods: set[str], values: dict[str, Any], *, place: str = "internet") -> set[int]:
    """TCP ports of an outside place, but the name server's and Kubernetes' own, that one of `pods` may reach."""
    objects = render({**BASE, "exporter": {"deployed": {"enabled": False}}, **values})
    return {port for source, to, (_, port) in reach(objects) if source in pods and to == place} - {53}


@pytest.mark.parametrize("name", ci_values())
def test_exactly_what_is_named_may_connect_and_nothing_else(name: str) -> None:
    objects = render(ci_values()[name])
    wanted = written(ALLOWED[name], pods=own_pods(objects))
    assert difference(reach(objects), wanted) == ""
    assert len(wanted) > 20


@pytest.mark.parametrize("name", ci_values())
def test_every_pod_of_a_release_is_shut_before_anything_is_allowed(name: str) -> None:
    objects = render(ci_values()[name])
    shut = [one for key, one in policies_of(objects).items() if key.endswith("-default-deny")]
    assert [one["spec"]["policyTypes"] for one in shut] == [["Ingress", "Egress"]]
    assert reach(objects, policies=shut) == set()
    (selector,) = (one["spec"]["podSelector"]["matchLabels"] for one in shut)
    assert selector
    assert all(selector.items() <= labels.items() for labels in pod_labels(objects))


@pytest.mark.parametrize("name", ci_values())
def test_pods_of_one_component_agree_on_what_policies_read(name: str) -> None:
    read = ("app.kubernetes.io/name", "app.kubernetes.io/instance", COMPONENT)
    found = [tuple(labels[key] for key in read) for labels in pod_labels(render(ci_values()[name]))]
    assert len(set(found)) == len({component for *_, component in found})


def test_a_release_has_a_policy_for_each_program_and_none_where_they_are_off() -> None:
    names = {name.removeprefix("vision-certificates-") for name in policies_of(render(ci_values()["full"]))}
    assert names == set(POLICIES)
    assert policies_of(render({**BASE, "networkPolicy": {"enabled": False}})) == {}


@pytest.fixture(scope="module")
def full() -> tuple[list[dict[str, Any]], Reach]:
    """The installation that has every program, and its matrix."""
    objects = render(ci_values()["full"])
    return objects, reach(objects)


def _without_source(policy: dict[str, Any]) -> None:
    del policy["spec"]["ingress"][0]["from"]


def _without_ports(policy: dict[str, Any]) -> None:
    del policy["spec"]["egress"][0]["ports"]


def _without_destination(policy: dict[str, Any]) -> None:
    del policy["spec"]["egress"][0]["to"]


def _about_nobody(policy: dict[str, Any]) -> None:
    policy["spec"]["podSelector"]["matchLabels"][COMPONENT] = "nobody"


def _one_way(policy: dict[str, Any]) -> None:
    policy["spec"]["policyTypes"] = ["Ingress"]


def _every_namespace(policy: dict[str, Any]) -> None:
    policy["spec"]["ingress"][0]["from"][0] = {"namespaceSelector": {}}


def _another_port(policy: dict[str, Any]) -> None:
    policy["spec"]["ingress"][0]["ports"][0]["port"] = 8080


def _everybody_of_the_release(policy: dict[str, Any]) -> None:
    policy["spec"]["egress"].append({"to": [{"podSelector": {}}]})


@pytest.mark.parametrize(
    ("subject", "break_it"),
    [
        ("default-deny", _about_nobody),
        ("exporter", _without_source),
        ("exporter", _without_ports),
        ("exporter", _every_namespace),
        ("exporter", _another_port),
        ("controller", _without_source),
        ("controller", _about_nobody),
        ("controller", _every_namespace),
        ("drift", _without_destination),
        ("schedule", _without_destination),
        ("schedule", _about_nobody),
        ("drift", _without_ports),
        ("upload", _without_destination),
        ("upload", _about_nobody),
        ("all-pods", _without_destination),
        ("all-pods", _one_way),
        ("all-pods", _everybody_of_the_release),
    ],
)
def test_a_broken_policy_changes_the_matrix(
    full: tuple[list[dict[str, Any]], Reach], subject: str, break_it: Any
) -> None:
    objects, right = full
    policies = copy.deepcopy(policies_of(objects))
    break_it(policies[f"vision-certificates-{subject}"])
    assert reach(objects, policies=list(policies.values())) != right


@pytest.mark.parametrize("subject", POLICIES)
def test_no_policy_is_superfluous(full: tuple[list[dict[str, Any]], Reach], subject: str) -> None:
    objects, right = full
    left = [one for name, one in policies_of(objects).items() if name != f"vision-certificates-{subject}"]
    assert len(left) == len(POLICIES) - 1
    assert reach(objects, policies=left) != right


@pytest.mark.parametrize(
    ("address", "port"),
    [
        ("https://s3.example.org", 443),
        ("http://s3.example.org", 80),
        ("http://minio.storage.svc:9000", 9000),
        ("https://[2001:db8::1]:9443", 9443),
        ("https://[2001:db8::443]", 443),
        ("https://host-80.example.org:8443", 8443),
    ],
)
def test_the_stores_port_is_that_of_its_address(address: str, port: int) -> None:
    kubeflow = {"networkPolicy": {"kubeflow": {"ports": [22]}}}
    assert ports_to({"controller"}, {"store": {**BASE["store"], "endpoint": address}, **kubeflow}) == {port, 22}
    uri = {"store": {"uri": f"s3://models/robustcert?region=eu&endpoint={address}"}}
    assert ports_to({"exporter"}, {**uri, **kubeflow}) == {port}


def test_an_address_may_be_quoted_as_in_a_query() -> None:
    assert ports_to({"exporter"}, {"store": {"uri": "s3://models/r?endpoint=http%3A%2F%2Fminio%3A9000"}}) == {9000}


@pytest.mark.parametrize(
    ("host", "port"),
    [
        ("http://ml-pipeline.kubeflow.svc:8888", 8888),
        ("https://kubeflow.example.org/pipeline", 443),
        ("http://gateway.kubeflow.svc/a:8090", 80),
    ],
)
def test_kubeflows_port_is_that_of_its_address(host: str, port: int) -> None:
    assert ports_to({"upload"}, {"kubeflow": {"host": host}}) == {port}


def test_a_port_that_is_named_goes_before_that_of_the_address() -> None:
    named = {"networkPolicy": {"kubeflow": {"ports": [8080]}, "store": {"ports": [9443]}}}
    assert ports_to({"upload"}, named) == {8080}
    assert ports_to({"exporter"}, named) == {9443}


def test_a_drift_job_reaches_the_servers_of_its_windows_too() -> None:
    job = {
        "name": "digits",
        "certificate": "digits",
        "schedule": "@daily",
        "window": "s3://logs/digits?endpoint=http://minio:9000",
    }
    assert ports_to({"drift"}, {"drift": {"jobs": [job]}}) == {443, 9000}
    assert ports_to({"exporter"}, {"drift": {"jobs": [job]}}) == {443}


def test_a_store_on_a_volume_and_no_watch_leave_the_exporter_nothing_but_names() -> None:
    on_volume = {"store": {"uri": "file:///store", "persistentVolumeClaim": "certificates"}}
    assert ports_to({"exporter"}, on_volume) == set()


def test_naming_no_namespace_lets_nobody_in() -> None:
    """An ingress rule without peers would let everybody in."""
    nobody = {"prometheusNamespaces": [], "alertmanagerNamespaces": [], "clientNamespaces": []}
    objects = render({**BASE, "networkPolicy": nobody})
    into = {(source, to, door) for source, to, door in reach(objects) if to in {"exporter", "controller"}}
    assert into == {("test", "exporter", ("TCP", 9464)), ("test", "controller", ("TCP", 8090))}


def test_the_evaluator_knows_open_pods_shut_ones_and_both_sides() -> None:
    """Against cases of the API's own documentation: isolated only in a named direction, both sides must agree."""
    web, client = Pod(address="10.0.0.1", namespace="a", labels={"app": "web"}), Pod(address="10.0.0.2", namespace="b")
    door = ("TCP", 80)
    shut = {"metadata": {"namespace": "a"}, "spec": {"podSelector": {}, "policyTypes": ["Ingress"]}}
    opened = {
        "metadata": {"namespace": "a"},
        "spec": {"podSelector": {"matchLabels": {"app": "web"}}, "ingress": [{"from": [{"namespaceSelector": {}}]}]},
    }
    assert connects(client, web, door, policies=[])
    assert not connects(client, web, door, policies=[shut])
    assert connects(web, client, door, policies=[shut])
    assert connects(client, web, door, policies=[shut, opened])
    silent = {"metadata": {"namespace": "b"}, "spec": {"podSelector": {}, "policyTypes": ["Egress"]}}
    assert not connects(client, web, door, policies=[shut, opened, silent])
