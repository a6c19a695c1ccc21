"""Problem: one thing that is wrong with a specification, at its path and line, in words a person can act on."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from robustcert.yaml_document import Path

Severity = Literal["error", "warning"]

_BARE_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MAX_SHOWN = 60


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One problem of the specification `name`: `path` is dotted, `line` counts from 1, `message` is one line.

    >>> print(Problem(name="spec.yaml", path="seed", line=3, message="expected a whole number, got 'x'; correct it"))
    spec.yaml:3: seed: expected a whole number, got 'x'; correct it
    """

    name: str
    path: str
    line: int
    message: str
    severity: Severity = "error"

    def __str__(self) -> str:
        where = f"{self.path}: " if self.path else ""
        kind = "warning: " if self.severity == "warning" else ""
        return one_line(f"{self.name}:{self.line}: {kind}{where}{self.message}")


def dotted(path: Path) -> str:
    """A path as people write it.

    >>> dotted(("acceptance", 0, "threshold"))
    'acceptance[0].threshold'
    """
    shown = ""
    for part in path:
        if isinstance(part, int):
            shown += f"[{part}]"
        elif _BARE_KEY.fullmatch(part) and len(part) <= _MAX_SHOWN:
            shown += f".{part}" if shown else part
        else:
            shown += f"[{shown_value(part)}]"
    return shown


def line_of(path: Path, lines: Mapping[Path, int]) -> int:
    """The line of a path, or of the nearest part of the document that contains it."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


def shown_value(value: object) -> str:
    """A value as an error message shows it: short, on one line.

    >>> shown_value([1, 2])
    'a list of 2'
    """
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"a list of {len(value)}"
    text = json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else f"'{one_line(value)}'"
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."


def one_line(text: str) -> str:
    """`text` with every run of white space as one space."""
    return " ".join(text.split())
