"""Checks that what a specification names exists: data set, threat models, radii. Else nothing can be computed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from robustcert.data.contract import builtin_name
from robustcert.errors import DataError, expected
from robustcert.evaluation.suites import suite_names
from robustcert.specification import Specification
from robustcert.specification_checks.finding import Finding
from robustcert.suggestion import did_you_mean
from robustcert.yaml_document import Path


def builtin_data_exist(specification: Specification) -> Iterator[Finding]:
    """A builtin: source is one that is embedded."""
    try:
        builtin_name(specification.data)
    except DataError as error:
        yield Finding(path=("data", "source"), message=str(error))


def threat_models_differ_in_name(specification: Specification) -> Iterator[Finding]:
    """No two threat models share a name."""
    counts = Counter(threat.name for threat in specification.threat_models)
    for number, threat in enumerate(specification.threat_models):
        if counts[threat.name] > 1:
            message = expected("distinct names", got=f"'{threat.name}' twice", remedy="rename one")
            yield Finding(path=("threatModels", number, "name"), message=message)


def training_names_a_threat_model(specification: Specification) -> Iterator[Finding]:
    """`training.threatModel` is a threat model of the specification."""
    if specification.training is not None and specification.training.threat_model is not None:
        path = ("training", "threatModel")
        yield from _unknown_threat(specification, specification.training.threat_model, path=path)


def criteria_name_threat_models(specification: Specification) -> Iterator[Finding]:
    """`threatModel` of every criterion is a threat model of the specification."""
    for number, criterion in enumerate(specification.acceptance):
        if criterion.threat_model is not None:
            path = ("acceptance", number, "threatModel")
            yield from _unknown_threat(specification, criterion.threat_model, path=path)


def suite_exists(specification: Specification) -> Iterator[Finding]:
    """The attack suite is one that this version has; a verifier says so itself, of certificates by another version."""
    name = specification.evaluation.suite
    if name not in suite_names():
        known = ", ".join(suite_names())
        remedy = did_you_mean(name, suite_names(), otherwise="name one of these")
        message = expected(f"one of the suites {known}", got=f"'{name}'", remedy=remedy)
        yield Finding(path=("evaluation", "suite"), message=message)


def criteria_name_certified_radii(specification: Specification) -> Iterator[Finding]:
    """`radius` of every criterion is one at which certified accuracy is computed."""
    radii = specification.certification.radii
    for number, criterion in enumerate(specification.acceptance):
        if criterion.radius is not None and criterion.radius not in radii:
            known = ", ".join(f"{radius:g}" for radius in radii)
            remedy = "take one of them, or add it there"
            message = expected(f"a radius of certification.radii ({known})", got=f"{criterion.radius:g}", remedy=remedy)
            yield Finding(path=("acceptance", number, "radius"), message=message)


def _unknown_threat(specification: Specification, name: str, *, path: Path) -> Iterator[Finding]:
    known = [threat.name for threat in specification.threat_models]
    if name not in known:
        remedy = did_you_mean(name, known, otherwise=f"known: {', '.join(known)}")
        yield Finding(path=path, message=expected("the name of a threat model", got=f"'{name}'", remedy=remedy))
