"""Volumes and environment of pods: each name once, each mount has its volume, each volume is mounted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from tools.chart.checks.release import Check, Release, Wrong, look, wrong


def volume_names_unique(release: Release) -> Iterator[Wrong]:
    """No two volumes of a pod have one name."""
    for pod in release.pods:
        for name in _repeated(volume.get("name") for _, volume in pod.volumes()):
            path = f"{pod.spec_path}.volumes[{name}]"
            yield wrong(pod.owner, path, "a name once", got=f"{name} again", remedy="rename one")


def mount_paths_unique(release: Release) -> Iterator[Wrong]:
    """No two mounts of a container are at one path, nor one below another that is read-only."""
    for pod in release.pods:
        for path, container in pod.containers():
            mounts = container.get("volumeMounts") or ()
            places = [PurePosixPath(mount["mountPath"]) for mount in mounts]
            fixed = [PurePosixPath(mount["mountPath"]) for mount in mounts if mount.get("readOnly")]
            hidden = [place for place in places if any(other in place.parents for other in fixed)]
            for place in (*_repeated(places), *hidden):
                got = f"{place}, which another mount covers"
                yield wrong(pod.owner, f"{path}.volumeMounts", "paths apart", got=got, remedy="move one")


def mounts_have_volumes(release: Release) -> Iterator[Wrong]:
    """Every mount has its volume, at an absolute path."""
    for pod in release.pods:
        names = [volume.get("name") for _, volume in pod.volumes()]
        for path, container in pod.containers():
            for mount in container.get("volumeMounts") or ():
                place = f"{path}.volumeMounts[{mount['name']}]"
                if mount["name"] not in names:
                    remedy = f"name one of {', '.join(map(str, names))}"
                    yield wrong(pod.owner, place, "a volume of the pod", got=mount["name"], remedy=remedy)
                if not mount["mountPath"].startswith("/"):
                    yield wrong(pod.owner, place, "an absolute path", got=mount["mountPath"], remedy="begin with /")


def volumes_are_mounted(release: Release) -> Iterator[Wrong]:
    """Every volume is mounted by a container."""
    for pod in release.pods:
        mounted = {mount["name"] for _, item in pod.containers() for mount in item.get("volumeMounts") or ()}
        for path, volume in pod.volumes():
            if volume.get("name") not in mounted:
                yield wrong(pod.owner, path, "a mount of it", got="none", remedy="mount it, or remove it")


def require_emptydir_requests_and_limits(release: Release) -> Iterator[Wrong]:
    """What a pod may write to its node has a limit."""
    for pod in release.pods:
        for path, volume in pod.volumes():
            if volume.get("emptyDir") is not None and not volume["emptyDir"].get("sizeLimit"):
                yield wrong(pod.owner, f"{path}.emptyDir.sizeLimit", "a limit", got="none", remedy="set one")


def environment_names_unique(release: Release) -> Iterator[Wrong]:
    """No container has a variable twice."""
    for pod in release.pods:
        for path, container in pod.containers():
            for name in _repeated(item["name"] for item in container.get("env") or ()):
                yield wrong(pod.owner, f"{path}.env[{name}]", "a name once", got=f"{name} again", remedy="remove one")


def secrets_are_not_whole_environments(release: Release) -> Iterator[Wrong]:
    """No Secret becomes an environment as a whole, unless the values ask for it."""
    wanted = {name for part in _programs(release) for name in _whole_secrets(part.get("extraEnvFrom"))}
    for pod in release.pods:
        for path, container in pod.containers():
            for name in _whole_secrets(container.get("envFrom")):
                if name not in wanted:
                    remedy = "name the keys that it needs"
                    yield wrong(pod.owner, f"{path}.envFrom", "no whole Secret", got=name, remedy=remedy)


def volumes_of_keys_are_read_only(release: Release) -> Iterator[Wrong]:
    """Keys and settings are mounted read-only, also where Kubernetes would see to it."""
    kinds = ("secret", "configMap", "projected")
    for pod in release.pods:
        fixed = {volume["name"] for _, volume in pod.volumes() if any(kind in volume for kind in kinds)}
        for path, container in pod.containers():
            for mount in container.get("volumeMounts") or ():
                if mount["name"] in fixed and mount.get("readOnly") is not True:
                    place = f"{path}.volumeMounts[{mount['name']}].readOnly"
                    yield wrong(pod.owner, place, "true", got=mount.get("readOnly"), remedy="say so")


def _programs(release: Release) -> list[dict[str, object]]:
    parts = (look(release.values, path) for path in ("exporter", "controller", "drift", "recertification"))
    return [*parts, look(release.values, "pipelines.upload")]


def _whole_secrets(entries: object) -> list[str]:
    listed = entries if isinstance(entries, list) else []
    return [item["secretRef"]["name"] for item in listed if item.get("secretRef")]


def _repeated(values: Iterable[object]) -> list[object]:
    return [value for value, times in Counter(values).items() if times > 1]


VOLUMES: tuple[Check, ...] = (
    volume_names_unique,
    mount_paths_unique,
    mounts_have_volumes,
    volumes_are_mounted,
    volumes_of_keys_are_read_only,
    require_emptydir_requests_and_limits,
    environment_names_unique,
    secrets_are_not_whole_environments,
)
