"""Specifications for tests: the examples with some values changed, built by the types alone."""

import copy
import json
from typing import Any

from robustcert.specification import Specification
from robustcert.specification_checks import Check
from robustcert.specification_examples import EXAMPLES

ABSENT = object()


def specification(kind: str = "digits", **changes: Any) -> Specification:
    """The example `kind`; keys of `changes` are paths with `__` for a dot, such as threatModels__0__epsilon."""
    values: Any = json.loads(json.dumps(EXAMPLES[kind]))
    for path, value in changes.items():
        *parents, last = [int(part) if part.isdigit() else part for part in path.split("__")]
        place = values
        for part in parents:
            place = place[part]
        if value is ABSENT:
            del place[last]
        else:
            place[last] = copy.deepcopy(value)
    return Specification.model_validate_json(json.dumps(values))


def said(check: Check, kind: str = "digits", **changes: Any) -> list[tuple[str, str]]:
    """What `check` says of an edited example: dotted path and severity."""
    found = check(specification(kind, **changes))
    return [(".".join(map(str, finding.path)), finding.severity) for finding in found]


def messages(check: Check, kind: str = "digits", **changes: Any) -> list[str]:
    """What `check` says of an edited example, in its words."""
    return [finding.message for finding in check(specification(kind, **changes))]
