"""Reads a specification from a file, names path and line of what is wrong, and gives it its one canonical form.

Problems come in three stages, each complete: what is no safe YAML, what does not fit the types, and what does not fit
together. The canonical form holds every value, defaults filled in and absent ones left out, numbers with a fraction as
shortest decimal strings, in canonical JSON: equal forms mean the same specification, whatever its comments and layout.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from pydantic import ValidationError

from robustcert.errors import SpecificationError, expected
from robustcert.provenance.digests import canonical_json, sha256_bytes
from robustcert.specification import Specification
from robustcert.specification_checks import CHOICES, REFERENCES, Check, findings
from robustcert.specification_problem import Problem, dotted, line_of, one_line
from robustcert.specification_wording import MAX_PROBLEMS, problems_in_words
from robustcert.yaml_document import MAX_BYTES, YamlDocument, read_yaml


@dataclass(frozen=True, kw_only=True)
class LoadedSpecification:
    """A specification, the text it was read from, both digests, and the advice that did not refuse it."""

    specification: Specification
    text: str
    text_sha256: str
    canonical: bytes
    canonical_sha256: str
    warnings: tuple[Problem, ...] = ()

    def canonical_part(self, key: str) -> object:
        """The canonical value of one top-level key, such as `certification`; None where it is absent."""
        return json.loads(self.canonical).get(key)


class ProblemsError(SpecificationError):
    """A specification with problems: its text is the first one, `problems` holds all, errors and warnings."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        errors = [problem for problem in problems if problem.severity == "error"]
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        super().__init__(f"{errors[0]}{more}")
        self.problems = problems

    def report(self) -> str:
        """One line per problem, in the order of the file."""
        return "\n".join(str(problem) for problem in self.problems)


def read_specification(path: Path) -> LoadedSpecification:
    """Reads and checks the specification at `path`; SpecificationError names file, line, path and remedy."""
    return parse_specification(_text_of(path), name=str(path))


def parse_specification(text: str, *, name: str = "specification") -> LoadedSpecification:
    """As `read_specification` for a text; `name` stands for the file in messages."""
    return _parsed(text, name=name, checks=REFERENCES + CHOICES)


def recorded_specification(text: str, *, name: str = "specification") -> LoadedSpecification:
    """A specification that a certificate recorded: held to the types and REFERENCES, not to CHOICES.

    Advice may grow from version to version; a certificate that was issued under an earlier one stays readable.
    """
    return _parsed(text, name=name, checks=REFERENCES)


def check_text(text: str, name: str = "specification") -> list[Problem]:
    """Every problem of a specification's text, errors and warnings, in the order of the file."""
    return _examined(text, name=name, checks=REFERENCES + CHOICES)[1]


def canonical_form(specification: Specification) -> bytes:
    """Canonical JSON of a specification; `load_canonical` reads it back exactly."""
    return canonical_json(_without_floats(specification.model_dump(by_alias=True, exclude_none=True)))


def load_canonical(canonical: bytes | Mapping[str, object]) -> Specification:
    """The specification of a canonical form, given as bytes or as parsed JSON.

    Raises: SpecificationError where it is not exactly the canonical form of a specification.
    """
    try:
        value = json.loads(canonical) if isinstance(canonical, bytes) else canonical
        given = canonical if isinstance(canonical, bytes) else canonical_json(canonical)
        specification = Specification.model_validate(value, strict=False)
    except ValidationError as error:
        raise _not_canonical(error.errors()[0]["msg"]) from error
    except (ValueError, TypeError, RecursionError) as error:
        raise _not_canonical(str(error)) from error
    if canonical_form(specification) != given:
        raise _not_canonical("another form of the same values")
    return specification


def decimal(value: float) -> str:
    """The shortest decimal that reads back as `value`, without an exponent.

    >>> decimal(0.1), decimal(1e-05), decimal(2.0)
    ('0.1', '0.00001', '2')
    """
    return f"{Decimal(repr(value + 0.0)):f}".removesuffix(".0")


def _parsed(text: str, *, name: str, checks: tuple[Check, ...]) -> LoadedSpecification:
    specification, problems = _examined(text, name=name, checks=checks)
    if specification is None or any(problem.severity == "error" for problem in problems):
        raise ProblemsError(tuple(problems))
    canonical = canonical_form(specification)
    return LoadedSpecification(
        specification=specification,
        text=text,
        text_sha256=sha256_bytes(text.encode()),
        canonical=canonical,
        canonical_sha256=sha256_bytes(canonical),
        warnings=tuple(problems),
    )


def _examined(text: str, *, name: str, checks: tuple[Check, ...]) -> tuple[Specification | None, list[Problem]]:
    document = read_yaml(text)
    if document.problems:
        return None, [
            Problem(name=name, path=dotted(found.path), line=found.line, message=found.message)
            for found in document.problems[:MAX_PROBLEMS]
        ]
    try:
        specification = Specification.model_validate_json(json.dumps(document.value))
    except ValidationError as error:
        return None, problems_in_words(error, document, name=name)
    return specification, _check_problems(specification, document, name=name, checks=checks)


def _check_problems(
    specification: Specification, document: YamlDocument, *, name: str, checks: tuple[Check, ...]
) -> list[Problem]:
    problems = [
        Problem(
            name=name,
            path=dotted(found.path),
            line=line_of(found.path, document.lines),
            message=found.message,
            severity=found.severity,
        )
        for found in findings(specification, checks=checks)
    ]
    return sorted(problems, key=lambda problem: problem.line)[:MAX_PROBLEMS]


def _text_of(path: Path) -> str:
    remedy = "name a file, or write one with robustcert init"
    try:
        if path.exists() and not path.is_file():
            got = "a folder" if path.is_dir() else "no regular file"
            raise SpecificationError(expected("a specification file", got=f"'{path}', {got}", remedy=remedy))
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        message = expected("UTF-8 text", got=f"byte 0x{error.object[error.start]:02x}", remedy="save the file as UTF-8")
        raise SpecificationError(f"{path}:{line}: {message}") from error
    except FileNotFoundError as error:
        raise SpecificationError(expected("a specification file", got=f"no file '{path}'", remedy=remedy)) from error
    except OSError as error:
        got = f"'{path}', which can't be read ({error.strerror})"
        raise SpecificationError(expected("a specification file", got=got, remedy="name a readable file")) from error


def _not_canonical(got: str) -> SpecificationError:
    remedy = "use the form that robustcert wrote"
    return SpecificationError(expected("the canonical form of a specification", got=one_line(got)[:200], remedy=remedy))


def _without_floats(value: object) -> object:
    if isinstance(value, float):
        return decimal(value)
    if isinstance(value, dict):
        return {key: _without_floats(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_without_floats(item) for item in value]
    return value
