"""Filters, sorting and pages as the real server has them (backend/src/apiserver: filter, list, list_request_util)."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote_plus

from tests.kubeflow.stand_in_bodies import RefusedError, require_fields

Item = Mapping[str, Any]

DEFAULT_PAGE, LARGEST_PAGE = 20, 200
FILTERABLE = {
    "runs": {"run_id", "display_name", "name", "created_at", "storage_state", "state", "experiment_id", "namespace"},
    "experiments": {"experiment_id", "display_name", "name", "created_at", "storage_state", "namespace"},
    "pipelines": {"pipeline_id", "display_name", "name", "created_at", "namespace"},
    "pipeline_versions": {"pipeline_version_id", "display_name", "name", "created_at"},
}


def page_of(items: Iterable[Item], field: str, query: Mapping[str, str]) -> dict[str, Any]:
    """The page of a list that a query asks for; a page token must come with the query that it was made for."""
    size = min(int(query.get("page_size") or DEFAULT_PAGE), LARGEST_PAGE)
    asked = {key: query.get(key, "") for key in ("filter", "sort_by")}
    start = 0
    if token := query.get("page_token"):
        earlier = _decoded(token)
        if any(asked.values()) and asked != earlier["asked"]:
            raise RefusedError(400, 3, "page token does not match the supplied sort by and/or filtering criteria")
        start, asked = earlier["start"], earlier["asked"]
    found = [item for item in items if _matches(item, field, asked["filter"])]
    ordered = _sorted(found, field, asked["sort_by"])
    page: dict[str, Any] = {"total_size": len(ordered)}
    if shown := ordered[start : start + size]:
        page[field] = shown
    if start + size < len(ordered):
        page["next_page_token"] = _encoded({"start": start + size, "asked": asked})
    return page


def _matches(item: Item, field: str, text: str) -> bool:
    if not text:
        return True
    try:
        value = json.loads(unquote_plus(text))  # decoded once more than the query string was
    except ValueError as error:
        raise RefusedError(400, 3, f"failed to parse valid filter from {text!r}") from error
    return all(_holds(predicate, item, field) for predicate in _predicates(value))


def _predicates(value: Any) -> list[dict[str, Any]]:
    for predicate in value.get("predicates", ()):
        for old, new in (("stringValue", "string_value"), ("stringValues", "string_values")):  # as older clients write
            if old in predicate:
                predicate[new] = predicate.pop(old)
        if predicate.get("operation") == 1:  # kfp's own client sends the number
            predicate["operation"] = "EQUALS"
    require_fields(value, "V2beta1Filter")
    return list(value.get("predicates", ()))


def _holds(predicate: dict[str, Any], item: Item, field: str) -> bool:
    key, operation = predicate["key"], predicate["operation"]
    if key not in FILTERABLE[field]:
        raise RefusedError(400, 3, f"no support for filtering on unrecognized field {key!r}")
    value = str(item.get("display_name" if key == "name" else key, "")).lower()
    if operation == "IN":
        return value in [one.lower() for one in predicate["string_values"]["values"]]
    wanted = str(predicate["string_value"]).lower()  # the database compares without case
    if operation == "EQUALS":
        return value == wanted
    if operation == "IS_SUBSTRING":
        pattern = "".join({"_": ".", "%": ".*"}.get(character, re.escape(character)) for character in wanted)
        return re.search(pattern, value) is not None
    raise RefusedError(400, 3, f"invalid predicate operation: {operation}")


def _sorted(items: list[Item], field: str, text: str) -> list[Item]:
    key, _, direction = text.partition(" ")
    if direction not in ("", "asc", "desc") or (key and key not in FILTERABLE[field]):
        raise RefusedError(400, 3, f"Cannot sort on field {text}")
    identity = f"{field.removesuffix('s')}_id"
    return sorted(items, key=lambda item: (item.get(key, ""), item[identity]), reverse=direction == "desc")


def _encoded(value: Any) -> str:
    return base64.b64encode(json.dumps(value).encode()).decode()


def _decoded(token: str) -> Any:
    try:
        return json.loads(base64.b64decode(token, validate=True))
    except ValueError as error:
        raise RefusedError(400, 3, "Invalid page token") from error
