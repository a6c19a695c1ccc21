"""Releases to look at: the least values, changed by others."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from tools.chart.render import ci_values, render

Values = Mapping[str, Any]
NAMES = ("air-gapped", "full", "gpu", "minimal", "multi-user-kubeflow", "no-prometheus-operator")

SHORT = {"monitoring": {"dashboards": {"enabled": False}, "rules": {"enabled": False}}}


def merged(values: Values, changes: Values) -> dict[str, Any]:
    """The values with others in their place, key by key, as Helm does it; None takes one away."""
    shared = values.keys() & changes.keys()
    both = {key: merged(values[key], changes[key]) for key in shared if _maps(values, changes, key)}
    gone = {key for key in shared if changes[key] is None}
    return {key: value for key, value in {**values, **changes, **both}.items() if key not in gone}


def changed(changes: Values, *, among: str = "minimal") -> dict[str, Any]:
    """The values of one kind of installation, changed; without what is long and looked at elsewhere."""
    return merged(merged(ci_values()[among], SHORT), changes)


def release(changes: Values | None = None, *, among: str = "minimal", **where: str) -> list[dict[str, Any]]:
    """The objects of a release of those values, rendered once for all tests: nobody changes them."""
    return _rendered(json.dumps(changed(changes or {}, among=among)), **where)


@lru_cache(maxsize=256)
def _rendered(values: str, **where: str) -> list[dict[str, Any]]:
    return render(json.loads(values), **where)


def _maps(one: Values, other: Values, key: str) -> bool:
    return isinstance(one[key], Mapping) and isinstance(other[key], Mapping)
