"""Small changes of an object, and what a real kube-apiserver says of each: the recorded oracle of the schemas' tests.

`KUBECONFIG=... python -m tests.tools.chart.mutations` records verdicts.json anew. The server needs the projects' own
CRDs and a namespace `verdicts`; nothing is kept there, since all requests are dry runs.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent
EXAMPLES = FOLDER / "custom_resources.yaml"
VERDICTS = FOLDER / "verdicts.json"
KEPT = ("apiVersion", "kind", "metadata")

Object = dict[str, Any]


def examples() -> list[Object]:
    """The right objects."""
    return list(yaml.safe_load_all(EXAMPLES.read_text()))


def mutations(item: Object) -> Iterator[tuple[str, Object]]:
    """Name of each change, such as `spec.groups.0.interval: remove`, and the object with it; metadata stay."""
    for path in _paths({key: part for key, part in item.items() if key not in KEPT}):
        for change in ("add", "remove", "retype", "reword"):
            changed = copy.deepcopy(item)
            if _change(changed, path, change):
                yield f"{'.'.join(map(str, path))}: {change}", changed


def _paths(part: Any) -> Iterator[tuple[str | int, ...]]:
    entries = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    for key, child in entries:
        yield (key,)
        yield from ((key, *rest) for rest in _paths(child))


def _change(item: Object, path: tuple[str | int, ...], change: str) -> bool:
    holder: Any = item
    for key in path[:-1]:
        holder = holder[key]
    value = holder[path[-1]]
    if change == "add" and isinstance(value, dict):
        value["robustcertUnknown"] = "text"
        return True
    if change == "remove" and isinstance(holder, dict):
        del holder[path[-1]]
        return True
    if change == "retype":
        holder[path[-1]] = {"wrong": 1} if isinstance(value, str) else "text"
        return True
    if change == "reword" and isinstance(value, str):
        holder[path[-1]] = "?!"
        return True
    return False


def _record() -> None:
    """One request for each mutation, as strict as the server can be."""
    from kubernetes import client, config

    config.load_kube_config()
    api = client.ApiClient()
    found: dict[str, dict[str, bool]] = {}
    for item in examples():
        found[item["kind"]] = {name: _is_taken(api, changed) for name, changed in mutations(item)}
    VERDICTS.write_text(json.dumps(found, indent=0, sort_keys=True) + "\n")


def _is_taken(api: Any, item: Object) -> bool:
    from kubernetes.client.exceptions import ApiException

    plural = _plural(item["kind"])
    body = {**item, "metadata": {**item["metadata"], "namespace": "verdicts", "finalizers": []}}
    try:
        api.call_api(
            f"/apis/{item['apiVersion']}/namespaces/verdicts/{plural}",
            "POST",
            query_params=[("dryRun", "All"), ("fieldValidation", "Strict")],
            body=body,
            auth_settings=["BearerToken"],
            header_params={"Content-Type": "application/json", "Accept": "application/json"},
        )
    except ApiException as error:
        if error.status not in (400, 422):
            raise
        return False
    return True


def _plural(kind: str) -> str:
    return f"{kind[:-1]}ies".lower() if kind.endswith("y") else f"{kind}s".lower()


if __name__ == "__main__":
    _record()
