"""Checks that data and model in the authenticated statement are those that the specification registers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

from robustcert.certificate.case import Case, Finding, established, not_established, require
from robustcert.data.contract import builtin_name, contract_of, provenance_of
from robustcert.data.coordinates import image_shape, table_coordinates
from robustcert.data.source_builtin import PUBLISHED_SHA256
from robustcert.specification import Contract, Data
from robustcert.specification_checks import CHOICES, findings
from robustcert.specification_problem import dotted

SIZES = ("hidden", "width")  # of a reference architecture, as specification and card name them


def registered_choices(case: Case) -> Finding:
    """This version would run the specification; one that it would refuse is authentic, and to be read with care."""
    name = "registered choices"
    refused = [found for found in findings(case.specification, checks=CHOICES) if found.severity == "error"]
    if refused:
        where = dotted(refused[0].path)
        return not_established(name, f"this version would not run the specification: {where}: {refused[0].message}")
    return established(name, "this version would run the specification")


def registered_data(case: Case) -> Finding:
    """Source, digest, classes, shape and provenance are those of the specification."""
    written, part = case.specification.data, case.predicate.data
    contract = contract_of(written)
    named = written.sha256 is not None or part.source in _sources(written)
    require(named, f"data: source {part.source}, the specification says {written.source}")
    wanted = _registered_sha256(case)
    require(wanted in (None, part.source_sha256), f"data: source of SHA-256 {part.source_sha256}, not {wanted}")
    require(part.classes == contract.classes, "data: classes are not those of the contract")
    require(part.shape == _shape(contract), "data: shape is not that of the contract")
    if written.provenance is not None or case.of_this_version:
        _require_provenance(case)
    return established("registered data", "source, classes, shape and provenance are those of the specification")


def registered_model(case: Case) -> Finding:
    """Format, architecture and its sizes, factory, input shape, classes, and a registered ONNX file."""
    written, card, data = case.specification.model, case.predicate.model.card, case.predicate.data
    own_file = written.onnx is not None
    numbers = [str(number) for number in range(len(data.classes))]  # what classes are called in an ONNX file
    wanted: dict[str, object] = {
        "format": "onnx" if own_file else "safetensors",
        "architecture": written.architecture,
        "factory": written.factory,
        "inputShape": list(data.shape),
        "classes": numbers if own_file else list(data.classes),
    }
    for name, value in wanted.items():
        require(card.get(name) == value, f"model: {name} is {card.get(name)}, registered is {value}")
    _require_sizes(card.get("parameters"), {"hidden": list(written.hidden), "width": written.width})
    fixed = written.sha256 if own_file else None
    require(fixed in (None, case.predicate.model.sha256), "model: another ONNX file than the specification registers")
    return established("registered model", "format, architecture and factory are those of the specification")


def stated(value: object) -> object:
    """A JSON value without the keys that state nothing, which one version of a format has and another has not."""
    return {key: each for key, each in value.items() if each is not None} if isinstance(value, Mapping) else value


def _require_provenance(case: Case) -> None:
    written, part = provenance_of(case.specification.data), case.predicate.data
    told = written.model_dump(mode="json", by_alias=True)
    require(stated(part.provenance) == stated(told), "data: provenance is not that of the specification")
    given = part.transforms[: len(written.transforms)]
    require(given == written.transforms, "data: transforms do not begin with those of the provenance")


def _require_sizes(parameters: object, wanted: Mapping[str, object]) -> None:
    for name in SIZES:
        found = parameters.get(name, wanted[name]) if isinstance(parameters, Mapping) else wanted[name]
        require(found == wanted[name], f"model: {name} is {found}, registered is {wanted[name]}")


def _sources(written: Data) -> tuple[str, ...]:
    """What a certificate may call the source: its name without the folder it lay in, or where S3 answered."""
    if builtin_name(written) is not None:
        return (written.source,)
    if written.source.startswith("s3://"):
        return (written.source.partition("?")[0].strip(),)
    return (PurePosixPath(written.source).name.strip(),)


def _registered_sha256(case: Case) -> str | None:
    """The source's digest where the specification fixes it, or names an embedded data set that this version knows."""
    written = case.specification.data
    published = PUBLISHED_SHA256.get(builtin_name(written) or "") if case.of_this_version else None
    return written.sha256 or published


def _shape(contract: Contract) -> tuple[int, ...]:
    return image_shape(contract) if contract.kind == "image" else (len(table_coordinates(contract)),)
