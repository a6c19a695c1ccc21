"""Addresses inside the cluster: those of this release lead to a Service and a port of it, by the right scheme."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tools.chart.checks.release import Check, Object, Release, Wrong, look, name_of, wrong

URL = re.compile(r"\b(https?)://([a-z0-9.-]+)(?::([0-9]+))?(?=[/\s\"']|$)")
PORTS = {"http": 80, "https": 443}


def addresses_lead_to_services(release: Release) -> Iterator[Wrong]:
    """An address whose host is a name in this release's namespace is that of a Service of it, with its port."""
    services = {name_of(item): item for item in release.of("Service")}
    for item, path, text in _texts(release):
        for scheme, host, port in URL.findall(text):
            name, own = _own(release, host)
            if not own:
                continue
            ports = [entry.get("port") for entry in look(services.get(name, {}), "spec").get("ports") or ()]
            if int(port or PORTS[scheme]) not in ports:
                what = "a Service and a port that are rendered"
                remedy = f"{name} has {ports}" if name in services else f"take one of {', '.join(services)}"
                yield wrong(item, path, what, got=f"{scheme}://{host}:{port}", remedy=remedy)


def addresses_speak_tls(release: Release) -> Iterator[Wrong]:
    """The controller's interface is asked by https exactly where it serves that."""
    wanted = "https" if look(release.values, "controller.tls").get("enabled") is True else "http"
    for item, path, text in _texts(release):
        for scheme, host, _ in URL.findall(text):
            name, own = _own(release, host)
            if own and name.endswith("-controller") and scheme != wanted:
                yield wrong(item, path, f"{wanted}://", got=f"{scheme}://{host}", remedy="use robustcert.controllerUrl")


def _own(release: Release, host: str) -> tuple[str, bool]:
    """Name of a Service, and whether it is one of ours: NAME.NAMESPACE.svc, or a bare NAME."""
    name, _, rest = host.partition(".")
    bare = not rest and (name.startswith(f"{release.name}-") or name in map(name_of, release.of("Service")))
    return name, bare or rest.startswith(f"{release.namespace}.svc")


def _texts(release: Release) -> Iterator[tuple[Object, str, str]]:
    """Texts of pods, of receivers of alerts, and of the controller's settings."""
    for item in release.of("Deployment", "StatefulSet", "CronJob", "Job", "Pod", "AlertmanagerConfig"):
        yield from ((item, path, text) for path, text in _below(item.get("spec"), "spec"))
    for item in release.of("ConfigMap"):
        yield from (
            (item, f"data[{key}]", str(text)) for key, text in look(item, "data").items() if key.endswith(".yaml")
        )


def _below(part: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(part, str):
        yield path, part
    elif isinstance(part, Mapping):
        yield from (found for key, value in part.items() for found in _below(value, f"{path}.{key}"))
    elif isinstance(part, list):
        yield from (found for index, value in enumerate(part) for found in _below(value, f"{path}[{index}]"))


ADDRESSES: tuple[Check, ...] = (addresses_lead_to_services, addresses_speak_tls)
