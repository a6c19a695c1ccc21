"""Checks of what a person answers for: approvals, reasons for choices, and the wording of the claim."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from robustcert.claim_wording import claim_problems
from robustcert.data.contract import provenance_of
from robustcert.document import WrittenPart
from robustcert.errors import DataError, expected
from robustcert.smoothing.noise_kinds import KINDS
from robustcert.specification import Certification, Provenance, Specification
from robustcert.specification_certification import WHEN_ABSENT
from robustcert.specification_checks.finding import Finding, every_value
from robustcert.specification_problem import Severity, dotted
from robustcert.suggestion import did_you_mean

FEATURES = "data.contract.features["  # thousands of paths, never suggested
NAMED_RADIUS = re.compile(r"\b(l1|l2|linf)[ -]radi(?:us|i)\b")
PERSONAL = ("pseudonymised", "identifiable")


def claim_says_what_was_measured(specification: Specification) -> Iterator[Finding]:
    """The narrative claim is neither empty nor over-broad (`robustcert.claim_wording`)."""
    names = [threat.name for threat in specification.threat_models]
    for message in claim_problems(specification.claim, threat_models=names, radii=specification.certification.radii):
        yield Finding(path=("claim",), message=message)


def claim_names_the_certified_norm(specification: Specification) -> Iterator[Finding]:
    """A radius in l1 is no radius in l2: whoever reads the claim must not take one for the other."""
    norm = KINDS[specification.certification.noise or WHEN_ABSENT["noise"]].norm
    for other in sorted({*NAMED_RADIUS.findall(specification.claim.casefold())} - {norm}):
        remedy = f"name {norm}, or take another noise"
        message = expected(f"a claim about {norm} radii, which this noise certifies", got=other, remedy=remedy)
        yield Finding(path=("claim",), message=message, severity="warning")


def personal_data_are_declared(specification: Specification) -> Iterator[Finding]:
    """Whether the data are personal is said: mandatory in the high-stakes profile, advised in the standard one."""
    provenance = _provenance(specification)
    if provenance is not None and provenance.personal_data is None:
        remedy = "write none, anonymised, pseudonymised or identifiable"
        message = expected("'personalData' in data.provenance", got="nothing", remedy=remedy)
        yield Finding(path=("data", "provenance"), message=message, severity=_severity(specification))


def approvals_are_named(specification: Specification) -> Iterator[Finding]:
    """Approvals are mandatory in the high-stakes profile, and advised in the standard one where data are personal."""
    provenance = _provenance(specification)
    if provenance is None or provenance.approvals:
        return
    if specification.profile == "high-stakes" or provenance.personal_data in PERSONAL:
        remedy = "add id, authority and expires of the approval"
        message = expected("'approvals' in data.provenance", got="none", remedy=remedy)
        yield Finding(path=("data", "provenance"), message=message, severity=_severity(specification))


def choices_have_a_rationale(specification: Specification) -> Iterator[Finding]:
    """Every choice in training, evaluation, certification, validity and recertification has its reason."""
    for path in _chosen_paths(specification):
        if not any(_covers(given, path) for given in specification.rationale):
            remedy = f'add rationale: {{"{path}": why}}'
            message = expected(f"a rationale for {path}, which is not the default", got="none", remedy=remedy)
            yield Finding(path=tuple(path.split(".")), message=message, severity=_severity(specification))


def rationale_names_existing_paths(specification: Specification) -> Iterator[Finding]:
    """Every key of `rationale` is the dotted path of a section or value."""
    if not specification.rationale:
        return
    known = {dotted(path) for path, _ in every_value(specification)}
    for given in specification.rationale:
        if given not in known:
            near = (path for path in known if not path.startswith(FEATURES))
            remedy = did_you_mean(given, near, otherwise="write it as training.epochs or threatModels[0].epsilon")
            message = expected("the path of a value", got=f"'{given[:60]}'", remedy=remedy)
            yield Finding(path=("rationale", given), message=message)


def _chosen_paths(specification: Specification) -> Iterator[str]:
    sections: dict[str, WrittenPart | None] = {
        "training": specification.training,
        "evaluation": specification.evaluation,
        "certification": specification.certification,
        "validity": specification.validity,
        "recertification": specification.recertification,
    }
    for name, section in sections.items():
        for key in [] if section is None else _chosen_keys(section):
            if (name, key) != ("training", "threatModel"):  # method pgd can't do without: no choice against a default
                yield f"{name}.{key}"


def _chosen_keys(section: WrittenPart) -> Iterator[str]:
    absent: Mapping[str, object] = WHEN_ABSENT if isinstance(section, Certification) else {}
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if not field.is_required() and value not in (field.default, absent.get(name, field.default)):
            yield field.alias or name


def _covers(given: str, path: str) -> bool:
    return path == given or path.startswith(f"{given}.")


def _severity(specification: Specification) -> Severity:
    return "error" if specification.profile == "high-stakes" else "warning"


def _provenance(specification: Specification) -> Provenance | None:
    try:
        return provenance_of(specification.data)
    except DataError:
        return None
