"""Filters of the server's lists (kubeflow/pipelines, backend/api/v2beta1/filter.proto).

The server decodes the filter once more after the query string was decoded, hence the second encoding of `%` and `+`.
Its database compares without case and takes `_` and `%` as wildcards: whoever filters compares what comes back again.
"""

from __future__ import annotations

import json


def predicates(*wanted: tuple[str, str, str | tuple[str, ...]]) -> str:
    """A filter of the server, as it stands in the query: each (key, operation, value) must hold.

    >>> predicates(("state", "IN", ("PENDING",)))
    '{"predicates":[{"key":"state","operation":"IN","string_values":{"values":["PENDING"]}}]}'
    """
    text = json.dumps({"predicates": [_written(*one) for one in wanted]}, separators=(",", ":"))
    return text.replace("%", "%25").replace("+", "%2B")


def _written(key: str, operation: str, value: str | tuple[str, ...]) -> dict[str, object]:
    if isinstance(value, tuple):
        return {"key": key, "operation": operation, "string_values": {"values": list(value)}}
    return {"key": key, "operation": operation, "string_value": value}


def predicate(field: str, value: str | tuple[str, ...]) -> tuple[str, str, str | tuple[str, ...]]:
    """A condition as a predicate: a text must be equal, a tuple holds it, and `field__has` holds the text.

    >>> predicate("display_name__has", "digits")
    ('display_name', 'IS_SUBSTRING', 'digits')
    """
    if field.endswith("__has"):
        return field.removesuffix("__has"), "IS_SUBSTRING", value
    return field, "IN" if isinstance(value, tuple) else "EQUALS", value
