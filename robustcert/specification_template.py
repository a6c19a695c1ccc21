"""Writes the commented specifications of `robustcert init`, which are also the files in examples/.

A comment is the description that the type gives the key, so that comments and checks can't drift apart. Optional keys
that an example does without appear as comments, with their default or an example of a value.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from robustcert.errors import SpecificationError, expected
from robustcert.specification_examples import EXAMPLES
from robustcert.specification_schema import is_required, keys_at, meaning, schema_at
from robustcert.suggestion import did_you_mean
from robustcert.yaml_document import Path

KINDS = tuple(EXAMPLES)
WIDTH = 108
INDENT = 2

_HEADER = """\
# What is claimed of a model, against which threat, and when it is accepted.
# Written by: robustcert init --for {kind}
# Next: robustcert check FILE, then robustcert run FILE.
# A line such as "# key: value  # ..." is an optional key that is left out, with its default or an example.
"""
# ThreatModel's own fields carry no descriptions yet; its docstring says the same.
_THREAT_COMMENTS = {
    "name": "short name, used below",
    "norm": "linf (largest change of a coordinate) or l2 (Euclidean length of the change)",
    "epsilon": "size of the largest perturbation, in unit",
    "unit": "input (what the model sees before its preprocessing), 1/255 (images) or feature_std (tables)",
    "bounds": "contract (the range in the data contract) or [low, high] in unit input",
    "access": "the most that an attack may use: gradients, scores, labels or transfer",
    "goal": "untargeted (any wrong class) or targeted (one chosen class)",
}
# Text that needs no quotes; the words are those that YAML 1.1 readers take for true, false or nothing.
_PLAIN_TEXT = re.compile(r"[A-Za-z]([\w./@+:-]*[\w./@+-])?( [\w./@()+-]+)*")
_NOT_TEXT = ("true", "false", "null", "yes", "no", "on", "off")


def template(kind: str) -> str:
    """The commented specification of one of `KINDS`; it passes `check_text` without a problem.

    Raises: SpecificationError for another kind.
    """
    if kind not in EXAMPLES:
        remedy = did_you_mean(kind, KINDS, otherwise="name one of them")
        raise SpecificationError(expected(" or ".join(KINDS), got=f"'{kind}'", remedy=remedy))
    lines = list(_mapping(EXAMPLES[kind], (), commented=True))
    return _HEADER.format(kind=kind) + "\n".join(lines) + "\n"


def _mapping(values: Mapping[str, Any], path: Path, *, commented: bool) -> Iterator[str]:
    for key in keys_at(path) or tuple(values):
        below = (*path, key)
        if not path and _has_parts(values.get(key)):
            yield ""
        if key in values:
            yield from _entry(key, values[key], below, comment=_comment(below) if commented else "")
        elif commented and not is_required(below):
            yield from _line(f"# {key}: {_example(below)}".rstrip(), comment=_comment(below))


def _entry(key: str, value: Any, path: Path, *, comment: str) -> Iterator[str]:
    key = _scalar(key)
    if isinstance(value, Mapping):
        yield from _line(f"{key}:", comment=comment)
        yield from _indented(_mapping(value, path, commented=bool(comment)))
    elif _has_parts(value):
        yield from _line(f"{key}:", comment=comment)
        for number, item in enumerate(value):
            yield from _item(_mapping(item, (*path, number), commented=number == 0 and bool(comment)))
    elif not isinstance(value, str) and len(_inline(value)) > WIDTH - INDENT * len(path):
        yield from _line(f"{key}:", comment=comment)
        yield from _indented(f"- {_inline(item)}" for item in value)
    elif isinstance(value, str) and len(value) > WIDTH - 2 * len(key):
        yield from _line(f"{key}: >-", comment=comment)
        yield from _indented(textwrap.wrap(value, WIDTH, break_on_hyphens=False))
    else:
        yield from _line(f"{key}: {_inline(value)}", comment=comment)


def _item(lines: Iterator[str]) -> Iterator[str]:
    for number, line in enumerate(_indented(lines)):
        yield f"  - {line.strip()}" if number == 0 else f"  {line}"


def _indented(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        yield " " * INDENT + line


def _line(text: str, *, comment: str) -> Iterator[str]:
    """A line and its comment: behind it where both fit, else above it."""
    if comment and len(text) + len(comment) + 4 > WIDTH:
        yield f"# {comment}"
        comment = ""
    yield f"{text}  # {comment}" if comment else text


def _comment(path: Path) -> str:
    if path[0] == "threatModels" and len(path) > 1:
        return _THREAT_COMMENTS[str(path[-1])]
    return "" if path[0] == "rationale" and len(path) > 1 else meaning(path)


def _example(path: Path) -> str:
    schema = schema_at(path)
    default = schema.get("default")
    examples: Sequence[Any] = schema.get("examples", ())
    if examples:
        return _inline(examples[0])
    return "" if default in (None, [], {}) else _inline(default)


def _inline(value: Any) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{', '.join(_inline(item) for item in value)}]"
    return _scalar(value) if isinstance(value, str) else json.dumps(value)


def _scalar(text: str) -> str:
    plain = _PLAIN_TEXT.fullmatch(text) and text.casefold() not in _NOT_TEXT
    return text if plain else json.dumps(text, ensure_ascii=False)


def _has_parts(value: Any) -> bool:
    """Whether a value is a mapping or a list of mappings."""
    listed = isinstance(value, Sequence) and not isinstance(value, str) and len(value) > 0
    return isinstance(value, Mapping) or (listed and isinstance(value[0], Mapping))
