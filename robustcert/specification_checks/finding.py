"""Finding: what one check has to say about a specification, at a path in the file's own keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from robustcert.data.contract import contract_of
from robustcert.errors import DataError
from robustcert.specification import Contract, Specification
from robustcert.specification_problem import Severity
from robustcert.yaml_document import Path


@dataclass(frozen=True, kw_only=True)
class Finding:
    """An error refuses the specification; a warning is printed and does not."""

    path: Path
    message: str
    severity: Severity = "error"


Check = Callable[[Specification], Iterator[Finding]]


def every_value(specification: Specification) -> Iterator[tuple[Path, object]]:
    """Every section, list and value of a specification with its path, absent ones included, the root left out."""
    yield from _below((), specification.model_dump(by_alias=True))


def contract_or_none(specification: Specification) -> Contract | None:
    """The contract that holds for the data; None for an unknown builtin source, which a check of its own reports."""
    try:
        return contract_of(specification.data)
    except DataError:
        return None


def _below(path: Path, value: object) -> Iterator[tuple[Path, object]]:
    if path:
        yield path, value
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _below((*path, key), item)
    elif isinstance(value, tuple):
        for number, item in enumerate(value):
            yield from _below((*path, number), item)
