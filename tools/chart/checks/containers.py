"""What every container of ours has beyond Pod Security: a read-only root, resources, probes that ask what is there."""

from __future__ import annotations

from collections.abc import Iterator

from tools.chart.checks.quantities import amount
from tools.chart.checks.release import Check, Object, Pod, Release, Wrong, look, wrong

PROBES = ("livenessProbe", "readinessProbe")
ALL_PROBES = (*PROBES, "startupProbe")
# What each long-running program answers, by the name of its port; tests compare it with the programs.
ANSWERED = {
    ("exporter", "metrics"): ("/metrics", "/healthz", "/readyz"),
    ("controller", "http"): ("/healthz", "/readyz"),
    ("controller", "metrics"): ("/metrics",),
}
# Seconds that a program may need to end: the controller answers what is in progress (its server's GRACE_SECONDS).
ENDING_SECONDS = {"controller": 15}
DEFAULT_GRACE_SECONDS = 30


def require_ro_rootfs(release: Release) -> Iterator[Wrong]:
    """No container can write to its root."""
    for pod, path, container in _containers(release):
        if look(container, "securityContext.readOnlyRootFilesystem") is not True:
            place = f"{path}.securityContext.readOnlyRootFilesystem"
            yield wrong(pod.owner, place, "true", got="none", remedy="mount an emptyDir where it writes")


def require_requests_limits(release: Release) -> Iterator[Wrong]:
    """Every container requests processor and memory and has a limit of memory, none of them nothing."""
    for pod, path, container in _containers(release):
        for part, resource in (("requests", "cpu"), ("requests", "memory"), ("limits", "memory")):
            given = look(container, f"resources.{part}").get(resource)
            if given is None or amount(given) == 0:
                place = f"{path}.resources.{part}.{resource}"
                yield wrong(pod.owner, place, "an amount", got=given, remedy="give one, docs/sizing.md")


def require_pod_probes(release: Release) -> Iterator[Wrong]:
    """Every container that runs for ever is asked whether it lives and whether it is ready."""
    for pod, path, container in _containers(release):
        for probe in PROBES if pod.long_running and ".containers[" in path else ():
            if not container.get(probe):
                yield wrong(pod.owner, f"{path}.{probe}", "a probe", got="none", remedy="ask one of its paths")


def ensure_probes_different(release: Release) -> Iterator[Wrong]:
    """Liveness and readiness are different questions: who is not ready is not therefore killed."""
    for pod, path, container in _containers(release):
        alive, ready = (container.get(probe) for probe in PROBES)
        if alive is not None and alive == ready:
            remedy = "ask another path, or more patiently"
            yield wrong(
                pod.owner, f"{path}.livenessProbe", "another than readinessProbe", got="the same", remedy=remedy
            )


def probes_name_ports(release: Release) -> Iterator[Wrong]:
    """A probe asks a port that its container has."""
    for pod, path, probe, asked in _asked(release):
        if asked.get("port") not in (ports := pod.ports()):
            place, what = f"{path}.{probe}.port", "a port of the container"
            yield wrong(pod.owner, place, what, got=repr(asked.get("port")), remedy=f"take one of {list(ports)}")


def probes_name_paths(release: Release) -> Iterator[Wrong]:
    """A probe by HTTP asks a path that the program answers on that port."""
    for pod, path, probe, asked in _asked(release):
        answered = _answered(pod, asked.get("port"))
        if probe.endswith("httpGet") and pod.ports().get(asked.get("port", "")) and asked.get("path") not in answered:
            got = f"{asked.get('path')!r} on port {asked.get('port')!r}"
            remedy = f"take one of {', '.join(answered) or 'another port'}"
            yield wrong(pod.owner, f"{path}.{probe}.path", "a path that it answers", got=got, remedy=remedy)


def probes_speak_tls(release: Release) -> Iterator[Wrong]:
    """A probe by HTTP speaks TLS exactly where the program does, and asks nobody who wants a client's certificate."""
    tls = look(release.values, "controller.tls")
    for pod, path, probe, asked in _asked(release):
        of_interface = pod.component == "controller" and _port_name(pod, asked.get("port")) == "http"
        wanted = "HTTPS" if of_interface and tls.get("enabled") is True else "HTTP"
        if probe.endswith("httpGet") and (got := asked.get("scheme", "HTTP")) != wanted:
            yield wrong(pod.owner, f"{path}.{probe}.scheme", wanted, got=got, remedy="follow controller.tls.enabled")
        if wanted == "HTTPS" and look(tls, "clientCa").get("name"):
            what, remedy = "a port without clients' certificates", "ask the port metrics"
            yield wrong(pod.owner, f"{path}.{probe}.port", what, got=asked.get("port"), remedy=remedy)


def grace_covers_the_end(release: Release) -> Iterator[Wrong]:
    """A pod has more time to end than its program takes."""
    for pod in release.pods:
        grace = pod.spec.get("terminationGracePeriodSeconds", DEFAULT_GRACE_SECONDS)
        if grace <= (most := ENDING_SECONDS.get(pod.component, 1)):
            place = f"{pod.spec_path}.terminationGracePeriodSeconds"
            yield wrong(pod.owner, place, f"more than {most}", got=grace, remedy="give it time to answer")


def ports_unique(release: Release) -> Iterator[Wrong]:
    """No two ports of a pod have one name or one number and protocol."""
    for pod in release.pods:
        listed = [port for _, item in pod.containers("containers") for port in item.get("ports") or ()]
        names = [port["name"] for port in listed if "name" in port]
        numbers = [(port["containerPort"], port.get("protocol", "TCP")) for port in listed]
        for value in {*names, *numbers}:
            if (times := (names + numbers).count(value)) > 1:
                yield wrong(pod.owner, pod.spec_path, "a port once", got=f"{value} {times} times", remedy="rename it")


def _containers(release: Release) -> Iterator[tuple[Pod, str, Object]]:
    for pod in release.pods:
        for path, container in pod.containers():
            yield pod, path, container


def _asked(release: Release) -> Iterator[tuple[Pod, str, str, Object]]:
    """Pod, path of a container, probe with its way, and what it asks."""
    for pod, path, container in _containers(release):
        for probe in (f"{name}.{way}" for name in ALL_PROBES for way in ("httpGet", "tcpSocket", "grpc")):
            if asked := look(container, probe):
                yield pod, path, probe, asked


def _port_name(pod: Pod, port: object) -> str:
    """The name of a port that is given by name or number; empty where it has none."""
    numbers = pod.ports()
    return next((str(name) for name in numbers if isinstance(name, str) and port in (name, numbers[name])), "")


def _answered(pod: Pod, port: object) -> tuple[str, ...]:
    return ANSWERED.get((pod.component, _port_name(pod, port)), ())


CONTAINERS: tuple[Check, ...] = (
    require_ro_rootfs,
    require_requests_limits,
    require_pod_probes,
    ensure_probes_different,
    probes_name_ports,
    probes_name_paths,
    probes_speak_tls,
    grace_covers_the_end,
    ports_unique,
)
