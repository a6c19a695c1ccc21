"""What an installation needs that the chart does not make: objects that the values name, and their keys.

Everything else that an object names must be rendered with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tools.chart.checks.release import Release, look

CREDENTIALS = frozenset({"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"})
TLS_KEYS = frozenset({"tls.crt", "tls.key", "ca.crt"})
ANY_KEY = frozenset[str]()

Given = dict[tuple[str, str], frozenset[str]]  # (kind, name) -> keys that may be asked for; none named: any

# Value -> kind of what it names.
NAMES = {
    "store.persistentVolumeClaim": "PersistentVolumeClaim",
    "trustedKeys.configMapName": "ConfigMap",
    "controller.persistence.existingClaim": "PersistentVolumeClaim",
    "controller.persistence.storageClassName": "StorageClass",
    "kubeflow.serviceAccount": "ServiceAccount",
}
# Value with `name` and `key` -> kind.
KEYS = {
    "store.ca": "ConfigMap",
    "kubeflow.ca": "ConfigMap",
    "controller.statusKey": "Secret",
    "controller.tokens": "Secret",
    "controller.scheduleToken": "Secret",
    "controller.grafana": "Secret",
    "controller.tls.clientCa": "Secret",
    "drift.key": "Secret",
}
# Value with the name of a Secret -> its keys.
SECRETS = {
    "store.secretName": CREDENTIALS,
    "store.readOnlySecretName": CREDENTIALS,
    "controller.tls.secretName": TLS_KEYS,
    "monitoring.alertmanagerConfig.tokenSecretName": frozenset({"token"}),
    "monitoring.alertmanagerConfig.clientSecretName": TLS_KEYS,
}
# Value with `name` and `kind`.
KINDS = ("controller.tls.issuer", "externalSecrets.secretStore")
# Made by Kubernetes in every namespace.
OF_THE_CLUSTER = {("ConfigMap", "kube-root-ca.crt"): frozenset({"ca.crt"})}
PROGRAMS = ("exporter", "controller", "drift", "recertification", "pipelines.upload")


def given_objects(values: Mapping[str, Any]) -> Given:
    """Kind and name of all that must exist, with the keys that are meant."""
    found = dict(OF_THE_CLUSTER)
    for kind, name, keys in _named(values):
        if name:
            known = found.get((kind, name), keys)
            found[kind, name] = known | keys if known and keys else ANY_KEY
    return found


def made_secrets(release: Release) -> Given:
    """Secrets that operators make from rendered objects -> their keys."""
    certificates = {str(look(item, "spec").get("secretName")): TLS_KEYS for item in release.of("Certificate")}
    external = {
        str(look(item, "spec.target").get("name") or look(item, "metadata").get("name")): frozenset(
            str(entry.get("secretKey")) for entry in look(item, "spec").get("data") or ()
        )
        for item in release.of("ExternalSecret")
    }
    return {("Secret", name): keys for name, keys in {**certificates, **external}.items()}


def _named(values: Mapping[str, Any]) -> Iterator[tuple[str, str, frozenset[str]]]:
    yield from ((kind, _text(values, path), ANY_KEY) for path, kind in NAMES.items())
    for path, kind in KEYS.items():
        yield kind, _text(values, f"{path}.name"), frozenset({_text(values, f"{path}.key")})
    yield from (("Secret", _text(values, path), keys) for path, keys in SECRETS.items())
    yield from ((_text(values, f"{path}.kind"), _text(values, f"{path}.name"), ANY_KEY) for path in KINDS)
    yield from (("Secret", name, ANY_KEY) for name in look(values, "images.pullSecrets") or ())
    for path in PROGRAMS:
        yield "PriorityClass", _text(values, f"{path}.priorityClassName"), ANY_KEY
        if look(values, f"{path}.serviceAccount.create") is False:
            yield "ServiceAccount", _text(values, f"{path}.serviceAccount.name") or "default", ANY_KEY
        for entry in _raw(look(values, path)):
            yield *entry, ANY_KEY


def _raw(program: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Kind and name of what a program's extra volumes and variables name."""
    for volume in program.get("extraVolumes") or ():
        for source in (volume, *(look(volume, "projected.sources") or ())):
            yield "ConfigMap", _text(source, "configMap.name")
            yield "Secret", _text(source, "secret.secretName") or _text(source, "secret.name")
            yield "PersistentVolumeClaim", _text(source, "persistentVolumeClaim.claimName")
    for entry in program.get("extraEnvFrom") or ():
        yield "ConfigMap", _text(entry, "configMapRef.name")
        yield "Secret", _text(entry, "secretRef.name")
    for entry in program.get("extraEnv") or ():
        yield "ConfigMap", _text(entry, "valueFrom.configMapKeyRef.name")
        yield "Secret", _text(entry, "valueFrom.secretKeyRef.name")


def _text(part: Any, path: str) -> str:
    return str(look(part, path) or "")
