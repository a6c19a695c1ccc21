"""Pod Security Standards, level `restricted`: what all of Kubernetes 1.29 to 1.37 let in.

Source: Kubernetes, Pod Security Standards, with the controls of `baseline` that it contains. Checks have the names
that Kyverno's policies have. Exceptions for Windows and user namespaces don't count here: no pod of ours is one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tools.chart.checks.release import Check, Object, Pod, Release, Wrong, annotations_of, look, wrong

VOLUME_TYPES = (
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
)
SYSCTLS = (
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_syncookies",
)
SELINUX_TYPES = ("", "container_t", "container_init_t", "container_kvm_t")
PROFILES = ("RuntimeDefault", "Localhost")
APPARMOR = "container.apparmor.security.beta.kubernetes.io/"
PROBES = ("livenessProbe", "readinessProbe", "startupProbe", "lifecycle.postStart", "lifecycle.preStop")


def disallow_host_namespaces(release: Release) -> Iterator[Wrong]:
    """No pod shares the node's network, processes or memory between processes."""
    for pod in release.pods:
        for key in ("hostNetwork", "hostPID", "hostIPC"):
            if pod.spec.get(key):
                yield wrong(pod.owner, f"{pod.spec_path}.{key}", "false", got="true", remedy="remove it")


def disallow_host_process(release: Release) -> Iterator[Wrong]:
    """No pod runs on the host of a Windows node."""
    for pod, path, context in _contexts(release):
        if look(context, "windowsOptions.hostProcess"):
            path = f"{path}.windowsOptions.hostProcess"
            yield wrong(pod.owner, path, "false", got="true", remedy="remove it")


def disallow_privileged_containers(release: Release) -> Iterator[Wrong]:
    """No container is privileged."""
    for pod, path, context in _contexts(release):
        if context.get("privileged"):
            yield wrong(pod.owner, f"{path}.privileged", "false", got="true", remedy="remove it")


def disallow_capabilities_strict(release: Release) -> Iterator[Wrong]:
    """Every container drops all capabilities and adds none but NET_BIND_SERVICE."""
    for pod, path, context in _container_contexts(release):
        dropped, added = (look(context, f"capabilities.{key}") or [] for key in ("drop", "add"))
        place = f"{path}.capabilities"
        if "ALL" not in dropped:
            yield wrong(pod.owner, f"{place}.drop", "[ALL]", got=dropped, remedy="drop all capabilities")
        if further := [name for name in added if name != "NET_BIND_SERVICE"]:
            yield wrong(pod.owner, f"{place}.add", "no capability", got=further, remedy="remove it")


def disallow_host_path(release: Release) -> Iterator[Wrong]:
    """No volume is a path of the node."""
    for pod in release.pods:
        for path, volume in pod.volumes():
            if volume.get("hostPath") is not None:
                remedy = "take a claim or an emptyDir"
                yield wrong(pod.owner, f"{path}.hostPath", "no path of the node", got=volume["hostPath"], remedy=remedy)


def disallow_host_ports(release: Release) -> Iterator[Wrong]:
    """No container takes a port of the node."""
    for pod in release.pods:
        for path, container in pod.containers():
            for port in container.get("ports") or ():
                if port.get("hostPort"):
                    place = f"{path}.ports[{port.get('name', port.get('containerPort'))}].hostPort"
                    yield wrong(pod.owner, place, "none", got=port["hostPort"], remedy="use a Service")


def disallow_host_probes(release: Release) -> Iterator[Wrong]:
    """No probe and no lifecycle handler names a host: the kubelet would ask it from the node (since 1.34)."""
    for pod in release.pods:
        for path, container in pod.containers():
            for key in (f"{probe}.{way}" for probe in PROBES for way in ("httpGet", "tcpSocket")):
                if host := look(container, key).get("host"):
                    yield wrong(
                        pod.owner, f"{path}.{key}.host", "none", got=host, remedy="leave it to the pod's address"
                    )


def restrict_apparmor_profiles(release: Release) -> Iterator[Wrong]:
    """AppArmor's default profile is not taken away, by a field or by the annotation of older versions."""
    for pod, path, context in _contexts(release):
        kind = look(context, "appArmorProfile").get("type")
        if kind is not None and kind not in PROFILES:
            place = f"{path}.appArmorProfile.type"
            yield wrong(pod.owner, place, " or ".join(PROFILES), got=kind, remedy="remove it")
    for pod in release.pods:
        for key, profile in annotations_of(pod.template).items():
            allowed = profile in ("", "runtime/default") or profile.startswith("localhost/")
            if key.startswith(APPARMOR) and not allowed:
                place = f"{pod.path}.metadata.annotations[{key}]"
                yield wrong(pod.owner, place, "runtime/default", got=profile, remedy="remove it")


def disallow_selinux(release: Release) -> Iterator[Wrong]:
    """SELinux' user and role are not set, and its type is one for containers."""
    for pod, path, context in _contexts(release):
        options = look(context, "seLinuxOptions")
        bad = {key: options[key] for key in ("user", "role") if options.get(key)}
        if options.get("type", "") not in SELINUX_TYPES:
            bad["type"] = options["type"]
        for key, value in bad.items():
            place = f"{path}.seLinuxOptions.{key}"
            yield wrong(pod.owner, place, "the runtime's own", got=value, remedy="remove it")


def disallow_proc_mount(release: Release) -> Iterator[Wrong]:
    """/proc is masked as usual."""
    for pod, path, context in _container_contexts(release):
        if context.get("procMount", "Default") != "Default":
            got = context["procMount"]
            yield wrong(pod.owner, f"{path}.procMount", "Default", got=got, remedy="remove it")


def restrict_sysctls(release: Release) -> Iterator[Wrong]:
    """Settings of the kernel are those that one pod alone feels."""
    for pod in release.pods:
        for item in look(pod.spec, "securityContext.sysctls") or ():
            if item["name"] not in SYSCTLS:
                path = f"{pod.spec_path}.securityContext.sysctls"
                yield wrong(pod.owner, path, "a safe sysctl", got=item["name"], remedy="remove it")


def restrict_volume_types(release: Release) -> Iterator[Wrong]:
    """Volumes are of the kinds that need no rights on the node."""
    for pod in release.pods:
        for path, volume in pod.volumes():
            kinds = [key for key, value in volume.items() if key != "name" and value is not None]
            if not kinds or not set(kinds) <= set(VOLUME_TYPES):
                what = f"one of {', '.join(VOLUME_TYPES)}"
                yield wrong(pod.owner, path, what, got=", ".join(kinds) or "no source", remedy="take such a volume")


def disallow_privilege_escalation(release: Release) -> Iterator[Wrong]:
    """Every container says allowPrivilegeEscalation: false."""
    for pod, path, context in _container_contexts(release):
        if (got := context.get("allowPrivilegeEscalation")) is not False:
            yield wrong(pod.owner, f"{path}.allowPrivilegeEscalation", "false", got=got, remedy="say so")


def require_run_as_nonroot(release: Release) -> Iterator[Wrong]:
    """Every container runs as somebody else than root, by its own word or by the pod's; nobody says otherwise."""
    for pod in release.pods:
        whole = _pod_context(pod).get("runAsNonRoot")
        if whole is False:
            yield _not_root(pod, f"{pod.spec_path}.securityContext", whole)
        for path, container in pod.containers():
            own = look(container, "securityContext").get("runAsNonRoot")
            if (whole if own is None else own) is not True:
                yield _not_root(pod, f"{path}.securityContext", own)


def require_run_as_non_root_user(release: Release) -> Iterator[Wrong]:
    """No user is 0."""
    for pod, path, context in _contexts(release):
        if context.get("runAsUser") == 0:
            yield wrong(pod.owner, f"{path}.runAsUser", "a user above 0", got=0, remedy="set podSecurity.runAsUser")


def restrict_seccomp_strict(release: Release) -> Iterator[Wrong]:
    """Every container has a seccomp profile, its own or the pod's; none is unconfined."""
    for pod in release.pods:
        whole = look(_pod_context(pod), "seccompProfile").get("type")
        if whole is not None and whole not in PROFILES:
            yield _no_profile(pod, f"{pod.spec_path}.securityContext", whole)
        for path, container in pod.containers():
            own = look(container, "securityContext.seccompProfile").get("type")
            if (whole if own is None else own) not in PROFILES:
                yield _no_profile(pod, f"{path}.securityContext", own)


def _not_root(pod: Pod, path: str, got: object) -> Wrong:
    return wrong(pod.owner, f"{path}.runAsNonRoot", "true", got=got, remedy="say so for the pod or the container")


def _no_profile(pod: Pod, path: str, got: object) -> Wrong:
    what = "RuntimeDefault or Localhost"
    return wrong(pod.owner, f"{path}.seccompProfile.type", what, got=got, remedy="say so for the pod or the container")


def _pod_context(pod: Pod) -> dict[str, Any]:
    found: dict[str, Any] = look(pod.spec, "securityContext")
    return found


def _contexts(release: Release) -> Iterator[tuple[Pod, str, Object]]:
    """Security contexts of pods and containers, each with its path."""
    for pod in release.pods:
        yield pod, f"{pod.spec_path}.securityContext", _pod_context(pod)
    yield from _container_contexts(release)


def _container_contexts(release: Release) -> Iterator[tuple[Pod, str, Object]]:
    for pod in release.pods:
        for path, container in pod.containers():
            yield pod, f"{path}.securityContext", look(container, "securityContext")


POD_SECURITY: tuple[Check, ...] = (
    disallow_host_namespaces,
    disallow_host_process,
    disallow_privileged_containers,
    disallow_capabilities_strict,
    disallow_host_path,
    disallow_host_ports,
    disallow_host_probes,
    restrict_apparmor_profiles,
    disallow_selinux,
    disallow_proc_mount,
    restrict_sysctls,
    restrict_volume_types,
    disallow_privilege_escalation,
    require_run_as_nonroot,
    require_run_as_non_root_user,
    restrict_seccomp_strict,
)
