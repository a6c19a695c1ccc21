"""Checks of data and model against the specification. Oracle: statements that an issuer signed over something else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml

from robustcert.certificate import registration_checks as checks
from robustcert.certificate.case import Case, Finding
from robustcert.errors import VerificationError
from tests.certificate.tampering import Document, case_of, replaced
from tests.chain import Chain

Check = Callable[[Case], Finding]

OTHER = "0" * 64


def registered(chain: Chain, section: str, part: Document, *changes: Callable[[Document], None]) -> Case:
    """A case whose specification has `part` in a section, None removing a key; `changes` follow."""

    def change(statement: Document) -> None:
        held = statement["predicate"]["specification"]
        written = yaml.safe_load(held["text"])
        written[section] = {key: value for key, value in (written[section] | part).items() if value is not None}
        if section == "model":
            written.pop("training", None)
        held["text"] = yaml.safe_dump(written)
        for each in changes:
            each(statement)

    return case_of(chain, change)


@pytest.mark.parametrize("check", [checks.registered_choices, checks.registered_data, checks.registered_model])
def test_the_honest_certificate_is_what_the_specification_registers(chain: Chain, check: Check) -> None:
    assert check(case_of(chain)).status == "established"


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("data.source", "builtin:mnist", "data: source builtin:mnist, the specification says builtin:digits"),
        ("data.sourceSha256", OTHER, f"data: source of SHA-256 {OTHER}, not f6d9e39f37dc"),
        ("data.classes", ["a", "b"], "data: classes are not those of the contract"),
        ("data.shape", [64], "data: shape is not that of the contract"),
        ("data.shape", [], "data: shape is not that of the contract"),
        ("data.shape", [10**30, 8, 8], "data: shape is not that of the contract"),
        ("data.provenance.licence", "CC0-1.0", "data: provenance is not that of the specification"),
        ("data.provenance", {}, "data: provenance is not that of the specification"),
        ("data.provenance.consent", "given", "data: provenance is not that of the specification"),
        ("data.transforms.0", "drawn by hand", "data: transforms do not begin with those of the provenance"),
        ("data.transforms", [], "data: transforms do not begin with those of the provenance"),
    ],
)
def test_data_other_than_registered_are_refused(chain: Chain, path: str, value: object, message: str) -> None:
    with pytest.raises(VerificationError, match=message):
        checks.registered_data(case_of(chain, replaced(path, value)))


OWN: dict[str, Any] = {
    "contract": {"kind": "image", "classes": list("0123456789"), "shape": [1, 8, 8], "range": [0, 16], "divideBy": 16},
    "provenance": {"source": "made", "licence": "CC0-1.0", "collectedAt": "2026"},
}


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("own.npz", "own.npz"),
        ("folder/of/own.npz", "own.npz"),
        ("folder/images/", "images"),
        ("s3://bucket/own.npz?endpoint=https://s3.example.org", "s3://bucket/own.npz"),
    ],
)
def test_a_source_is_named_without_where_it_lay(chain: Chain, source: str, told: str) -> None:
    given = {"personalData": None, "approvals": [], "transforms": []} | OWN["provenance"]

    def named(value: str) -> Case:
        return registered(
            chain, "data", OWN | {"source": source}, replaced("data.source", value), replaced("data.provenance", given)
        )

    assert checks.registered_data(named(told)).status == "established"
    with pytest.raises(VerificationError, match=r"data: source other.npz, the specification says"):
        checks.registered_data(named("other.npz"))


def test_data_of_a_registered_digest_may_have_lain_elsewhere_and_have_that_digest(chain: Chain) -> None:
    digest = chain.predicate.data.source_sha256
    elsewhere = replaced("data.source", "s3://mirror/digits.npz")
    assert checks.registered_data(registered(chain, "data", {"sha256": digest}, elsewhere)).status == "established"
    with pytest.raises(VerificationError, match=f"data: source of SHA-256 {digest}, not {OTHER}"):
        checks.registered_data(registered(chain, "data", {"sha256": OTHER}))


def test_what_another_version_says_of_embedded_data_is_its_own(chain: Chain) -> None:
    def reworded(statement: Document) -> None:
        statement["predicate"]["environment"]["robustcert"] = "9.0.0"
        statement["predicate"]["data"]["provenance"]["source"] = "reworded"
        statement["predicate"]["data"]["transforms"] = ["reworded"]
        statement["predicate"]["data"]["sourceSha256"] = OTHER

    def elsewhere(statement: Document) -> None:
        reworded(statement)
        statement["predicate"]["data"]["shape"] = [64]

    assert checks.registered_data(case_of(chain, reworded)).status == "established"
    with pytest.raises(VerificationError, match="data: shape is not that of the contract"):
        checks.registered_data(case_of(chain, elsewhere))


@pytest.mark.parametrize("state", [{"consent": None}, {}])
def test_a_key_that_states_nothing_makes_no_difference(chain: Chain, state: Document) -> None:
    def change(statement: Document) -> None:
        provenance = statement["predicate"]["data"]["provenance"]
        stated = {key: value for key, value in provenance.items() if value is not None}
        statement["predicate"]["data"]["provenance"] = stated | state

    assert checks.registered_data(case_of(chain, change)).status == "established"


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("model.card.format", "onnx", "format is onnx, registered is safetensors"),
        ("model.card.format", None, "format is None, registered is safetensors"),
        ("model.card.architecture", "resnet", "architecture is resnet, registered is mlp"),
        ("model.card.factory", "a.b:c", "factory is a.b:c, registered is None"),
        ("model.card.inputShape", [64], r"inputShape is \[64\], registered is \[1, 8, 8\]"),
        ("model.card.classes", ["a", "b"], r"classes is \['a', 'b'\], registered is \['0', "),
        ("model.card.parameters.hidden", [64], r"hidden is \[64\], registered is \[32\]"),
        ("model.card.parameters.hidden", None, r"hidden is None, registered is \[32\]"),
        ("model.card.parameters.width", 10**30, "width is 1000.*, registered is 16"),
        ("model.card", {}, "format is None, registered is safetensors"),
    ],
)
def test_a_model_other_than_registered_is_refused(chain: Chain, path: str, value: object, message: str) -> None:
    with pytest.raises(VerificationError, match=f"model: {message}"):
        checks.registered_model(case_of(chain, replaced(path, value)))


@pytest.mark.parametrize("parameters", [None, [], {"hidden": [32], "__class__": "x", "depth": 3}])
def test_parameters_that_no_specification_has_are_left_to_the_file(chain: Chain, parameters: object) -> None:
    changed = replaced("model.card.parameters", parameters)
    assert checks.registered_model(case_of(chain, changed)).status == "established"


def carded(**changes: object) -> Callable[[Document], None]:
    def change(statement: Document) -> None:
        statement["predicate"]["model"]["card"] |= changes

    return change


def test_a_factory_is_the_registered_one(chain: Chain) -> None:
    written = {"architecture": None, "hidden": None, "factory": "own.models:network"}
    honest = carded(architecture=None, factory="own.models:network", parameters={})
    other = carded(architecture=None, factory="own.models:easier", parameters={})
    assert checks.registered_model(registered(chain, "model", written, honest)).status == "established"
    with pytest.raises(VerificationError, match=r"factory is own\.models:easier, registered is own\.models:network"):
        checks.registered_model(registered(chain, "model", written, other))


def test_an_onnx_file_is_the_registered_one_and_names_classes_by_number(chain: Chain) -> None:
    subject = chain.predicate.model.sha256
    written = {"architecture": None, "hidden": None, "onnx": "own.onnx"}
    honest = carded(format="onnx", architecture=None, parameters={}, classes=list("0123456789"))
    for digest in ({}, {"sha256": subject}):
        found = checks.registered_model(registered(chain, "model", written | digest, honest))
        assert found.status == "established"
    with pytest.raises(VerificationError, match="another ONNX file than the specification registers"):
        checks.registered_model(registered(chain, "model", written | {"sha256": OTHER}, honest))
    with pytest.raises(VerificationError, match=r"classes is \['a'\]"):
        checks.registered_model(registered(chain, "model", written, honest, carded(classes=["a"])))


def test_weights_of_a_registered_digest_become_another_file(chain: Chain) -> None:
    written = {"weights": "own.safetensors", "sha256": OTHER}
    assert checks.registered_model(registered(chain, "model", written)).status == "established"


def test_a_specification_that_this_version_would_not_run_is_authentic_and_that_is_said(chain: Chain) -> None:
    case = registered(chain, "evaluation", {"suite": "later@1"})
    found = checks.registered_choices(case)
    assert found.status == "not established"
    assert "this version would not run the specification: evaluation.suite: expected one of the suites" in found.message
