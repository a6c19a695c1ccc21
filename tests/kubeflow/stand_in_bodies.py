"""Which bodies and parameters the stand-in takes. The field names and enums are those of kfp's own API client.

The real server reads bodies with protojson (`DiscardUnknown: false`), which takes lowerCamelCase names as well; the
stand-in does not, so that we stay with the documented ones.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import kfp_server_api

# What Go's encoding/json makes of the longest of values; the real server's limit is MAX_PARAMETER_BYTES.
MOST_PARAMETER_BYTES = 10_000
JSON_TYPES = {
    "STRING": (str,),
    "NUMBER_INTEGER": (int,),
    "NUMBER_DOUBLE": (int, float),
    "BOOLEAN": (bool,),
    "LIST": (list,),
    "STRUCT": (dict,),
}


class RefusedError(Exception):
    """An answer that is no success: HTTP status, gRPC code, message."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


def require_fields(value: Any, kind: str) -> None:
    """Refuses a value that the message type `kind` of the API can't be read from."""
    if kind.startswith("list["):
        if not isinstance(value, list):
            raise RefusedError(400, 3, "proto: syntax error: unexpected token")
        for item in value:
            require_fields(item, kind[5:-1])
    elif kind in ("str", "datetime"):
        if not isinstance(value, str):
            raise RefusedError(400, 3, f"proto: invalid value for string type: {value!r}")
    elif not kind.startswith("dict(") and kind != "object":
        _require_message(value, getattr(kfp_server_api, kind))


def _require_message(value: Any, model: Any) -> None:
    if enum := [name for name in vars(model) if name.isupper()]:
        if value not in enum:
            raise RefusedError(400, 3, f"proto: invalid value for enum type: {value!r}")
        return
    names = {json_name: field for field, json_name in model.attribute_map.items()}
    if not isinstance(value, dict):
        raise RefusedError(400, 3, "proto: syntax error: unexpected token")
    for name, item in value.items():
        if name not in names:
            raise RefusedError(400, 3, f'proto: (line 1:2): unknown field "{name}"')
        require_fields(item, model.openapi_types[names[name]])


def require_parameters(values: Mapping[str, Any], spec: Mapping[str, Any]) -> None:
    """Refuses parameters that the pipeline does not define, of other types, missing, or too long together."""
    pipeline = spec.get("pipeline_spec", spec)
    defined = pipeline["root"].get("inputDefinitions", {}).get("parameters", {})
    for name, value in values.items():
        if name not in defined:
            raise RefusedError(400, 3, f"parameter {name} is not defined by the pipeline")
        wanted = JSON_TYPES[defined[name]["parameterType"]]
        if not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted):
            raise RefusedError(400, 3, f"input parameter {name} requires type {defined[name]['parameterType']}")
    for name, definition in defined.items():
        if name not in values and not definition.get("isOptional") and "defaultValue" not in definition:
            raise RefusedError(
                400, 3, f"parameter {name} is not optional, yet has neither default value nor user value"
            )
    text = re.sub("[<>&]", r"\\u003c", json.dumps(dict(values), separators=(",", ":"), ensure_ascii=False))
    if len(text.encode()) > MOST_PARAMETER_BYTES:
        raise RefusedError(400, 3, f"The input parameter length exceed maximum size of {MOST_PARAMETER_BYTES}")
