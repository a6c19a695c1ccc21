"""Who may connect to whom under NetworkPolicies, by the rules of networking.k8s.io/v1; written for the tests alone.

A pod that a policy selects is closed in that direction but for what some policy allows; one that none selects is open.
A connection needs the source's egress and the destination's ingress. Places outside the cluster have no namespace.
"""

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Door = tuple[str, int]  # protocol and port of the destination
Policy = dict[str, Any]
NAMESPACE_LABEL = "kubernetes.io/metadata.name"


@dataclass(frozen=True, kw_only=True)
class Pod:
    """A pod, or with an empty namespace an address outside the cluster."""

    address: str
    namespace: str = ""
    labels: Mapping[str, str] | None = None


def connects(source: Pod, destination: Pod, door: Door, *, policies: Iterable[Policy]) -> bool:
    """Whether the policies let `source` open a connection to `door` of `destination`."""
    policies = list(policies)
    leaves = _passes("Egress", own=source, other=destination, door=door, policies=policies)
    return leaves and _passes("Ingress", own=destination, other=source, door=door, policies=policies)


def _passes(direction: str, *, own: Pod, other: Pod, door: Door, policies: list[Policy]) -> bool:
    about_it = [policy for policy in policies if _about(policy, own) and direction in _types(policy["spec"])]
    if not about_it:
        return True
    rules = [rule for policy in about_it for rule in policy["spec"].get(direction.lower()) or []]
    peers = "to" if direction == "Egress" else "from"
    return any(_peer_fits(rule.get(peers), own, other) and _door_fits(rule.get("ports"), door) for rule in rules)


def _types(spec: dict[str, Any]) -> list[str]:
    return spec.get("policyTypes") or ["Ingress", *(["Egress"] if "egress" in spec else [])]


def _about(policy: Policy, pod: Pod) -> bool:
    return policy["metadata"]["namespace"] == pod.namespace and _selects(policy["spec"]["podSelector"], pod.labels)


def _peer_fits(peers: list[dict[str, Any]] | None, own: Pod, other: Pod) -> bool:
    """No peers, or an empty list, is everybody."""
    return not peers or any(_one_peer_fits(peer, own, other) for peer in peers)


def _one_peer_fits(peer: dict[str, Any], own: Pod, other: Pod) -> bool:
    if block := peer.get("ipBlock"):
        assert set(peer) == {"ipBlock"}
        return _within(other.address, block["cidr"]) and not any(
            _within(other.address, but) for but in block.get("except", ())
        )
    if not other.namespace:
        return False
    if "namespaceSelector" in peer:
        near = _selects(peer["namespaceSelector"], {NAMESPACE_LABEL: other.namespace})
    else:
        near = other.namespace == own.namespace
    return near and _selects(peer.get("podSelector") or {}, other.labels)


def _door_fits(ports: list[dict[str, Any]] | None, door: Door) -> bool:
    return not ports or any(_one_door_fits(port, door) for port in ports)


def _one_door_fits(port: dict[str, Any], door: Door) -> bool:
    protocol, number = door
    first = port.get("port", 0)
    assert isinstance(first, int), "names of ports are not resolved here"
    last = port.get("endPort", first)
    return port.get("protocol", "TCP") == protocol and (first == 0 or first <= number <= last)


def _within(address: str, cidr: str) -> bool:
    return ipaddress.ip_address(address) in ipaddress.ip_network(cidr)


def _selects(selector: dict[str, Any], labels: Mapping[str, str] | None) -> bool:
    has = labels or {}
    exact = all(has.get(name) == value for name, value in (selector.get("matchLabels") or {}).items())
    return exact and all(_expression_fits(one, has) for one in selector.get("matchExpressions") or ())


def _expression_fits(expression: dict[str, Any], labels: Mapping[str, str]) -> bool:
    key, values = expression["key"], expression.get("values", [])
    return {
        "In": labels.get(key) in values,
        "NotIn": labels.get(key) not in values,
        "Exists": key in labels,
        "DoesNotExist": key not in labels,
    }[expression["operator"]]
