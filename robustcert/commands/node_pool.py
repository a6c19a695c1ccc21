"""Options of a GPU pool, in kubectl's notation, as the values that the pipelines take."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from robustcert.errors import InputError, expected

EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
RULES = frozenset(f"{kind}DuringSchedulingIgnoredDuringExecution" for kind in ("required", "preferred"))
_TOLERATION = re.compile(r"(?P<key>[^=:]+)(?:=(?P<value>[^=:]*))?(?::(?P<effect>\w+))?")


def node_pool_values(
    gpus: int | None,
    gpu_type: str | None,
    node_selectors: Sequence[str],
    tolerations: Sequence[str],
    affinity: Path | None,
) -> dict[str, Any]:
    """Input -> value for the options that were given; InputError on one that is not in kubectl's notation."""
    found: Mapping[str, Any] = {
        "gpus": None if gpus is None else str(gpus),
        "gpu_type": gpu_type,
        "node_selector": dict(_label(text) for text in node_selectors) or None,
        "tolerations": [_toleration(text) for text in tolerations] or None,
        "affinity": None if affinity is None else _affinity(affinity),
    }
    return {name: value for name, value in found.items() if value is not None}


def _label(text: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not separator or not key:
        raise InputError(expected("key=value after --node-selector", got=repr(text), remedy="write it so"))
    return key, value


def _toleration(text: str) -> dict[str, str]:
    parts = _TOLERATION.fullmatch(text)
    if parts is None or parts["effect"] not in (None, *EFFECTS):
        remedy = f"effects are {', '.join(EFFECTS)}"
        raise InputError(expected("key[=value][:effect] after --toleration", got=repr(text), remedy=remedy))
    toleration = {"key": parts["key"], "operator": "Exists" if parts["value"] is None else "Equal"}
    if parts["value"] is not None:
        toleration["value"] = parts["value"]
    return {**toleration, "effect": parts["effect"]} if parts["effect"] else toleration


def _affinity(path: Path) -> dict[str, Any]:
    try:
        value = yaml.safe_load(path.read_bytes())
    except OSError as error:
        got = f"'{path}', which can't be read ({error.strerror})"
        raise InputError(expected("a file after --affinity", got=got, remedy="check the name")) from error
    except yaml.YAMLError:
        value = None
    if isinstance(value, dict) and value.keys() == {"nodeAffinity"}:
        value = value["nodeAffinity"]
    if not isinstance(value, dict) or not value or not value.keys() <= RULES:
        got = f"'{path}', which holds something else"
        raise InputError(expected("a nodeAffinity in YAML or JSON", got=got, remedy=f"start it with {min(RULES)}:"))
    return value
