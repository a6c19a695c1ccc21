"""What selects pods, and the ports between them: Services, monitors, NetworkPolicies, budgets, workloads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tools.chart.checks.release import Check, Object, Pod, Release, Wrong, labels_of, look, matches, name_of, wrong

UNSTABLE = ("app.kubernetes.io/version", "helm.sh/chart", "app.kubernetes.io/managed-by")


def selectors_match_templates(release: Release) -> Iterator[Wrong]:
    """A workload selects the pods that it makes."""
    for item, pod in _workloads(release):
        selector = look(item, "spec.selector")
        if not selector or not matches(selector, pod.labels):
            got, remedy = f"{selector} and {pod.labels}", "take robustcert.selector for both"
            yield wrong(item, "spec.selector", "labels of its own pods", got=got, remedy=remedy)


def selectors_are_stable(release: Release) -> Iterator[Wrong]:
    """No selector has a label that changes between releases: it could never be upgraded."""
    for item, selector, path in _selectors(release):
        keys = {*look(selector, "matchLabels"), *(entry["key"] for entry in selector.get("matchExpressions") or ())}
        common = set(look(release.values, "commonLabels"))
        for key in sorted(keys & {*UNSTABLE, *common}):
            yield wrong(item, path, "labels that stay", got=key, remedy="take robustcert.selector")


def selectors_are_apart(release: Release) -> Iterator[Wrong]:
    """No workload selects another one's pods."""
    for item, own in _workloads(release):
        found = release.selected(look(item, "spec.selector"), namespace=release.namespace_of(item))
        for pod in found:
            if pod.owner is not own.owner:
                got = f"{pod.owner['kind']}/{name_of(pod.owner)} too"
                yield wrong(item, "spec.selector", "its own pods alone", got=got, remedy="add the component")


def services_select_one_workload(release: Release) -> Iterator[Wrong]:
    """A Service selects the pods of exactly one workload that runs for ever."""
    for item in release.of("Service"):
        found = _owners(_pods_of_service(release, item))
        if len(found) != 1 or not _pods_of_service(release, item)[0].long_running:
            got = ", ".join(found) or "none"
            yield wrong(item, "spec.selector", "pods of one workload", got=got, remedy="take robustcert.selector")


def service_ports_exist(release: Release) -> Iterator[Wrong]:
    """A port of a Service leads to a port of its pods, has a name, and is there once."""
    for item in release.of("Service"):
        ports = look(item, "spec").get("ports") or []
        for pod in _pods_of_service(release, item):
            for port in ports:
                target, place = port.get("targetPort", port.get("port")), f"spec.ports[{port.get('name')}]"
                if target not in pod.ports():
                    what, remedy = f"a port of {name_of(pod.owner)}", f"take one of {list(pod.ports())}"
                    yield wrong(item, f"{place}.targetPort", what, got=target, remedy=remedy)
        for key in ("name", "port"):
            if len({port.get(key) for port in ports}) < len(ports) or any(port.get(key) is None for port in ports):
                yield wrong(item, "spec.ports", f"a {key} for each port", got=ports, remedy="name each once")


def monitors_find_their_targets(release: Release) -> Iterator[Wrong]:
    """A ServiceMonitor selects a Service with its port; a PodMonitor that does not look elsewhere, a pod."""
    for item in release.of("ServiceMonitor"):
        selected = [service for service in release.of("Service") if _monitored(release, item, service)]
        names = {port.get("name") for service in selected for port in look(service, "spec").get("ports") or ()}
        yield from _unknown_ports(item, "spec.endpoints", "a Service", names)
    for item in release.of("PodMonitor"):
        if not look(item, "spec.namespaceSelector"):
            pods = release.selected(look(item, "spec.selector"), namespace=release.namespace_of(item))
            names = {name for pod in pods for name in pod.ports() if isinstance(name, str)}
            yield from _unknown_ports(item, "spec.podMetricsEndpoints", "a pod", names)


def monitors_ask_for_metrics(release: Release) -> Iterator[Wrong]:
    """A monitor asks for /metrics, and gives up before the next time."""
    for item in release.of("ServiceMonitor", "PodMonitor"):
        for key in ("endpoints", "podMetricsEndpoints"):
            for index, endpoint in enumerate(look(item, "spec").get(key) or ()):
                if (got := endpoint.get("path", "/metrics")) != "/metrics":
                    yield wrong(item, f"spec.{key}[{index}].path", "/metrics", got=got, remedy="ask for that")


def policies_select_pods(release: Release) -> Iterator[Wrong]:
    """A NetworkPolicy selects a pod of the release, or all of its namespace."""
    for item in release.of("NetworkPolicy"):
        selector = look(item, "spec.podSelector")
        if selector and not release.selected(selector, namespace=release.namespace_of(item)):
            yield wrong(item, "spec.podSelector", "some pod", got=selector, remedy="take robustcert.selector")


def policy_ports_exist(release: Release) -> Iterator[Wrong]:
    """A port that a NetworkPolicy opens inwards is one of the pods' that it selects."""
    for item in release.of("NetworkPolicy"):
        pods = release.selected(look(item, "spec.podSelector"), namespace=release.namespace_of(item))
        known = {port for pod in pods for port in pod.ports()}
        for rule in look(item, "spec").get("ingress") or ():
            for port in rule.get("ports") or ():
                if pods and port.get("port") not in known:
                    remedy = f"take one of {sorted(map(str, known))}"
                    yield wrong(item, "spec.ingress", "a port of its pods", got=port.get("port"), remedy=remedy)


def policies_open_nothing_wholly(release: Release) -> Iterator[Wrong]:
    """No rule of a NetworkPolicy opens all ports to everybody, and every direction with rules is a type of it."""
    for item in release.of("NetworkPolicy"):
        spec = look(item, "spec")
        for key, peers, kind in (("ingress", "from", "Ingress"), ("egress", "to", "Egress")):
            for rule in spec.get(key) or ():
                if not rule.get(peers) and not rule.get("ports"):
                    yield wrong(item, f"spec.{key}", "peers or ports", got="an empty rule", remedy="name them")
            if spec.get(key) and kind not in (spec.get("policyTypes") or ()):
                got = spec.get("policyTypes")
                yield wrong(item, "spec.policyTypes", f"{kind} among them", got=got, remedy="add it")


def require_netpol(release: Release) -> Iterator[Wrong]:
    """Where policies are made, every pod is fenced in both ways."""
    policies = release.of("NetworkPolicy") if look(release.values, "networkPolicy.enabled") is True else None
    for pod in release.pods if policies is not None else ():
        namespace = release.namespace_of(pod.owner)
        near = [item for item in policies or () if release.namespace_of(item) == namespace]
        kinds = {kind for item in near if matches(look(item, "spec.podSelector"), pod.labels) for kind in _types(item)}
        if missing := {"Ingress", "Egress"} - kinds:
            what, remedy = "a NetworkPolicy both ways", "select it by one"
            yield wrong(pod.owner, f"{pod.path}.metadata.labels", what, got=f"none for {missing}", remedy=remedy)


def budgets_select_pods(release: Release) -> Iterator[Wrong]:
    """A PodDisruptionBudget selects the pods of exactly one workload that runs for ever."""
    for item in release.of("PodDisruptionBudget"):
        selector = look(item, "spec.selector")
        found = release.selected(selector, namespace=release.namespace_of(item)) if selector else []
        if len(_owners(found)) != 1 or not found[0].long_running:
            got = ", ".join(_owners(found)) or "none"
            yield wrong(item, "spec.selector", "pods of one workload", got=got, remedy="take robustcert.selector")


def require_reasonable_pdbs(release: Release) -> Iterator[Wrong]:
    """A PodDisruptionBudget lets nodes be drained, unless the values say that it must not."""
    for item in release.of("PodDisruptionBudget"):
        spec, component = look(item, "spec"), labels_of(item).get("app.kubernetes.io/component", "")
        asked = look(release.values, f"{component}.podDisruptionBudget").get("maxUnavailable")
        most = spec.get("maxUnavailable")
        if "minAvailable" in spec or most is None or (str(most).rstrip("%") == "0" and asked != 0):
            got = {key: spec[key] for key in ("minAvailable", "maxUnavailable") if key in spec}
            yield wrong(item, "spec.maxUnavailable", "1", got=got, remedy="one pod would keep its node for ever")


def stateful_services_exist(release: Release) -> Iterator[Wrong]:
    """A StatefulSet names a Service that selects its pods."""
    for item in release.of("StatefulSet"):
        name = str(look(item, "spec").get("serviceName") or "")
        service = release.find("Service", name, namespace=release.namespace_of(item))
        if service is None or item not in [pod.owner for pod in _pods_of_service(release, service)]:
            yield wrong(item, "spec.serviceName", "a Service of its pods", got=repr(name), remedy="name its Service")


def _workloads(release: Release) -> Iterator[tuple[Object, Pod]]:
    for pod in release.pods:
        if pod.long_running:
            yield pod.owner, pod


def _selectors(release: Release) -> Iterator[tuple[Object, dict[str, Any], str]]:
    for item in release.of("Deployment", "StatefulSet", "DaemonSet", "PodDisruptionBudget", "ServiceMonitor"):
        yield item, look(item, "spec.selector"), "spec.selector"
    for item in release.of("Service"):
        yield item, {"matchLabels": look(item, "spec.selector")}, "spec.selector"
    for item in release.of("NetworkPolicy"):
        yield item, look(item, "spec.podSelector"), "spec.podSelector"


def _pods_of_service(release: Release, service: Object) -> list[Pod]:
    selector = look(service, "spec.selector")
    namespace = release.namespace_of(service)
    return release.selected({"matchLabels": selector}, namespace=namespace) if selector else []


def _owners(pods: list[Pod]) -> list[str]:
    return [f"{pod.owner['kind']}/{name_of(pod.owner)}" for pod in pods]


def _monitored(release: Release, monitor: Object, service: Object) -> bool:
    names = look(monitor, "spec.namespaceSelector.matchNames") or [release.namespace_of(monitor)]
    return release.namespace_of(service) in names and matches(look(monitor, "spec.selector"), labels_of(service))


def _unknown_ports(item: Object, path: str, what: str, names: set[Any]) -> Iterator[Wrong]:
    for index, endpoint in enumerate(look(item, path) or ()):
        if endpoint.get("port") not in names:
            remedy = f"take one of {sorted(map(str, names))}" if names else "mend its selector: it selects nothing"
            got = repr(endpoint.get("port"))
            yield wrong(item, f"{path}[{index}].port", f"a port of {what} that it selects", got=got, remedy=remedy)


def _types(policy: Object) -> list[str]:
    spec = look(policy, "spec")
    return list(spec.get("policyTypes") or ["Ingress", *(["Egress"] if spec.get("egress") else [])])


NETWORK: tuple[Check, ...] = (
    selectors_match_templates,
    selectors_are_stable,
    selectors_are_apart,
    services_select_one_workload,
    service_ports_exist,
    monitors_find_their_targets,
    monitors_ask_for_metrics,
    policies_select_pods,
    policy_ports_exist,
    policies_open_nothing_wholly,
    require_netpol,
    budgets_select_pods,
    require_reasonable_pdbs,
    stateful_services_exist,
)
