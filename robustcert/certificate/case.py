"""What a verification is about: the authenticated statement, the files that were given, and the time.

A check returns a Finding: established, refused, or not established because something was not given. Each file is read
once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, wraps
from pathlib import Path
from typing import Any, Literal

import robustcert
from robustcert.certificate.bundle import BundleFiles
from robustcert.certificate.evidence import EVALUATION_SCHEMA, certification_schema, read_rows
from robustcert.certificate.schema import Predicate, Statement
from robustcert.data.dataset import Dataset, load_dataset
from robustcert.errors import VerificationError
from robustcert.specification import Specification
from robustcert.specification_file import LoadedSpecification, recorded_specification

Status = Literal["established", "refused", "not established"]
Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """The outcome of one check, in one line."""

    check: str
    status: Status
    message: str


@dataclass(frozen=True)
class Case:
    """One certificate under verification; properties read the given files and raise what their readers raise."""

    statement: Statement
    files: BundleFiles
    now: datetime

    @property
    def predicate(self) -> Predicate:
        """The certificate's content."""
        return self.statement.predicate

    @property
    def of_this_version(self) -> bool:
        """Whether this version of robustcert issued it: only then are its sentences and constants known here."""
        return self.predicate.environment.get("robustcert") == robustcert.__version__

    @cached_property
    def loaded(self) -> LoadedSpecification:
        """The specification, parsed again from the text in the certificate."""
        return recorded_specification(self.predicate.specification.text, name="the certificate's specification")

    @property
    def specification(self) -> Specification:
        """The parsed specification."""
        return self.loaded.specification

    @cached_property
    def certification_rows(self) -> list[Row]:
        """Rows of the certification evidence."""
        schema = certification_schema(self.specification.certification.method)
        return list(read_rows(present(self.files.certification), schema=schema))

    @cached_property
    def evaluation_rows(self) -> list[Row]:
        """Rows of the evaluation evidence."""
        return list(read_rows(present(self.files.evaluation), schema=EVALUATION_SCHEMA))

    @cached_property
    def dataset(self) -> Dataset:
        """The data set."""
        return load_dataset(present(self.files.dataset))


def established(check: str, message: str) -> Finding:
    """What was asked was found to hold."""
    return Finding(check=check, status="established", message=message)


def not_established(check: str, message: str) -> Finding:
    """Nothing was given that could answer."""
    return Finding(check=check, status="not established", message=message)


def by_this_versions_rules(check: Callable[[Case], Finding]) -> Callable[[Case], Finding]:
    """`check`; what it would refuse in a certificate of another version, whose rules may be others, stays open."""

    @wraps(check)
    def ruled(case: Case) -> Finding:
        try:
            return check(case)
        except VerificationError as error:
            if case.of_this_version:
                raise
            name = check.__name__.replace("_", " ")
            return not_established(name, f"issued by another version of robustcert; by the rules of this one, {error}")

    return ruled


def require(holds: bool, message: str) -> None:
    """VerificationError with `message` unless `holds`."""
    if not holds:
        raise VerificationError(message)


def present(path: Path | None) -> Path:
    """The path of a file that an earlier check found to be given."""
    if path is None:
        raise VerificationError("expected a file that was not given")
    return path
