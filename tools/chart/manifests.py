"""The chart without Helm: manifests/base and the folders beside it, rendered by Helm's engine and made plain.

Plain means what suits `kubectl apply -k`, Argo CD and Flux: no hooks and no tests of Helm's, no checksums, and marks of
Argo CD and Flux in place of Helm's where an object is to be kept. A Job's name carries the release already, since its
pods can't be changed.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import yaml

from tools.chart.render import Object, render

ROOT: Final = Path(__file__).parent.parent.parent
MANIFESTS: Final = ROOT / "manifests"
VALUES: Final = MANIFESTS / "base-values.yaml"
WATCHED: Final = {"monitors": {"enabled": True}, "rules": {"enabled": True}, "alertmanagerConfig": {"enabled": True}}
# Folder -> what is changed in the values; it holds the objects that base has not.
OPTIONS: Final[dict[str, dict[str, Object]]] = {
    "prometheus-operator": {"monitoring": WATCHED},
    "kubeflow-profile": {"kubeflow": {"namespace": "robustcert-certification"}},
}
COMPONENT: Final = "app.kubernetes.io/component"
MANAGED_BY: Final = "app.kubernetes.io/managed-by"
TESTS: Final = "test"  # component of `helm test`
HELM: Final = "helm.sh/"
CHECKSUM: Final = "checksum/"
KEEP: Final = "helm.sh/resource-policy"
KEPT: Final = {
    "argocd.argoproj.io/sync-options": "Prune=false,Delete=false",
    "kustomize.toolkit.fluxcd.io/prune": "disabled",
}
# A Job's pods can't be changed: Argo CD makes it anew after each sync, as Helm does, and Flux where it differs.
ANEW: Final = {
    "argocd.argoproj.io/hook": "PostSync",
    "argocd.argoproj.io/hook-delete-policy": "BeforeHookCreation",
    "kustomize.toolkit.fluxcd.io/force": "enabled",
}
SETTINGS: Final = ("ConfigMap", "controller")  # kind and component of what an overlay replaces
MARK: Final = "# Made from charts/robustcert and manifests/base-values.yaml by `make generate`; edits are lost.\n"


def generated() -> dict[Path, str]:
    """Every file of base and of the folders beside it -> its text; InputError where the chart does not render.

    Made from the chart as it is on the disk: what the chart itself has from `make generate` is to be written before.
    """
    values = yaml.safe_load(VALUES.read_text())
    base = plain(render(values))
    files = _folder(MANIFESTS / "base", base)
    names = {identity(item) for item in base}
    for folder, changes in OPTIONS.items():
        merged = {**values, **{part: {**values.get(part, {}), **change} for part, change in changes.items()}}
        added = [item for item in plain(render(merged)) if identity(item) not in names]
        files |= _folder(MANIFESTS / folder, added)
    return files


def orphans(folder: Path = MANIFESTS) -> list[Path]:
    """Files of the generated folders that nothing makes any more."""
    made = {path.relative_to(MANIFESTS) for path in generated()}
    found = (path for name in ("base", *OPTIONS) for path in sorted((folder / name).rglob("*")) if path.is_file())
    return [path for path in found if path.relative_to(folder) not in made]


def plain(objects: Iterable[Object]) -> list[Object]:
    """The objects without what only Helm understands, in their order."""
    return [_plain(item) for item in objects if item["metadata"]["labels"][COMPONENT] != TESTS]


def identity(item: Object) -> tuple[str, str, str]:
    """Kind, namespace and name, which no two objects share."""
    metadata = item["metadata"]
    return item["kind"], metadata.get("namespace", ""), metadata["name"]


def _plain(item: Object) -> Object:
    given = item["metadata"]
    labels = {name: text for name, text in given["labels"].items() if not name.startswith(HELM)}
    annotations = {name: text for name, text in _annotations(item).items() if not name.startswith(HELM)}
    if _annotations(item).get(KEEP) == "keep":
        annotations |= KEPT
    if item["kind"] == "Job":
        annotations |= ANEW
    rest = {name: value for name, value in given.items() if name not in ("labels", "annotations")}
    metadata = {**rest, "labels": {**labels, MANAGED_BY: "kustomize"}, **_unless_empty("annotations", annotations)}
    made = {**item, "metadata": metadata}
    if "template" in item.get("spec", {}):
        made["spec"] = {**item["spec"], "template": _without_checksums(item["spec"]["template"])}
    return made


def _without_checksums(template: Object) -> Object:
    """An overlay that changes a ConfigMap would not change its checksum; kustomize renames a generated one instead."""
    kept = {name: text for name, text in _annotations(template).items() if not name.startswith(CHECKSUM)}
    rest = {name: value for name, value in template["metadata"].items() if name != "annotations"}
    return {**template, "metadata": {**rest, **_unless_empty("annotations", kept)}}


def _unless_empty(name: str, value: dict[str, str]) -> dict[str, dict[str, str]]:
    return {name: value} if value else {}


def _annotations(item: Object) -> dict[str, str]:
    return item["metadata"].get("annotations") or {}


def _folder(folder: Path, objects: list[Object]) -> dict[Path, str]:
    """A file for each program, the settings, and the kustomization that names them."""
    programs: dict[str, list[Object]] = {}
    settings = [item for item in objects if (item["kind"], item["metadata"]["labels"][COMPONENT]) == SETTINGS]
    for item in objects:
        if item not in settings:
            programs.setdefault(item["metadata"]["labels"][COMPONENT], []).append(item)
    kustomization: Object = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}
    kustomization["resources"] = [f"{program}.yaml" for program in sorted(programs)]
    files = {folder / f"{program}.yaml": _text(items) for program, items in programs.items()}
    for item in settings:
        kustomization |= _generator(item)
        files |= {folder / _file_of(key): MARK + text for key, text in item["data"].items()}
    return {folder / "kustomization.yaml": _text([kustomization]), **files}


def _generator(settings: Object) -> Object:
    """kustomize makes the ConfigMap; its name changes with its content, so that a change restarts the program."""
    metadata = settings["metadata"]
    named = {name: metadata[name] for name in ("name", "namespace")}
    files = [f"{key}={_file_of(key)}" for key in settings["data"]]
    return {"configMapGenerator": [{**named, "files": files}], "generatorOptions": {"labels": metadata["labels"]}}


def _file_of(key: str) -> str:
    return f"{Path(key).stem}-settings{Path(key).suffix}"


def _text(objects: list[Object]) -> str:
    return MARK + yaml.dump_all(objects, Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True)


class _Dumper(yaml.CSafeDumper):
    """YAML as people write it: text of several lines as a block."""


def _represent_text(dumper: Any, text: str) -> Any:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _represent_text)
