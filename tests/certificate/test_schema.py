"""The certificate's format, against jsonschema and the field names that in-toto published."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pydantic import ValidationError

from robustcert.certificate import schema
from robustcert.certificate.schema import EvidencePart, RatePart, Statement
from robustcert.provenance.digests import canonical_json
from tests.certificate.tampering import Document, replaced, statement_of
from tests.chain import Chain

COMMITTED = Path(schema.__file__).parent / "certificate.v1.schema.json"


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    document = json.loads(COMMITTED.read_text())
    jsonschema.Draft202012Validator.check_schema(document)
    return jsonschema.Draft202012Validator(document)


def keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from keys(inner)


def test_the_committed_schema_is_the_generated_one() -> None:
    assert COMMITTED.read_text() == schema.schema_json()


def test_a_real_certificate_is_valid(chain: Chain, validator: jsonschema.Draft202012Validator) -> None:
    validator.validate(statement_of(chain))


def test_the_statement_has_the_four_fields_of_in_toto_statement_v1(chain: Chain) -> None:
    """https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md"""
    statement = statement_of(chain)
    assert set(statement) == {"_type", "subject", "predicateType", "predicate"}
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert [set(subject) for subject in statement["subject"]] == [{"name", "digest"}]
    assert re.fullmatch(r"[0-9a-f]{64}", statement["subject"][0]["digest"]["sha256"])
    assert re.match(r"[a-z][a-z0-9+.-]*:", statement["predicateType"]), "a type is a URI"


@pytest.mark.parametrize("field", ["_type", "subject", "predicateType", "predicate"])
def test_a_statement_without_one_of_its_fields_is_refused_by_both(
    chain: Chain, validator: jsonschema.Draft202012Validator, field: str
) -> None:
    statement = statement_of(chain)
    del statement[field]
    with pytest.raises(jsonschema.ValidationError, match=f"'{field}' is a required property"):
        validator.validate(statement)
    with pytest.raises(ValidationError, match="Field required"):
        Statement.model_validate_json(canonical_json(statement))


def test_every_key_is_lower_camel_case_and_every_number_that_is_no_count_a_string(chain: Chain) -> None:
    predicate = statement_of(chain)["predicate"]
    free = {*predicate["environment"]["packages"], *predicate["data"]["splits"]}
    assert {key for key in keys(predicate) if not re.fullmatch(r"[a-z][a-zA-Z0-9]*", key)} <= free
    canonical_json(predicate)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("schemaVersion", "2"),
        ("schemaVersion", 1),
        ("verdict", "excellent"),
        ("certifiedAt", "2026-01-01"),
        ("certifiedAt", "2026-01-01T00:00:00+00:00"),
        ("notAfter", 1767225600),
        ("model.sha256", "AB" * 32),
        ("model.sha256", "ab" * 31),
        ("results.cleanAccuracy.count", -1),
        ("results.cleanAccuracy.count", 1.5),
        ("results.cleanAccuracy.count", "1"),
        ("results.cleanAccuracy.of", 0),
        ("results.cleanAccuracy.lower", 0.5),
        ("results.cleanAccuracy.lower", "1e-3"),
        ("results.cleanAccuracy.lower", "one half"),
        ("certification.method", "another"),
        ("certification.threat", "linf"),
        ("certification.precision", "float16"),
        ("threatModels.0.norm", "l1"),
        ("criteria.0.comparator", "=="),
        ("criteria.0.met", "yes"),
        ("data.splits", {"holdout": {"rows": 1, "merkleRoot": "ab" * 32}}),
        ("supersedes", ["abc"]),
        ("claims", "one sentence"),
    ],
)
def test_values_of_another_form_are_refused_by_schema_and_by_type(
    chain: Chain, validator: jsonschema.Draft202012Validator, path: str, value: object
) -> None:
    statement: Document = statement_of(chain)
    replaced(path, value)(statement)
    assert not validator.is_valid(statement)
    with pytest.raises(ValidationError):
        Statement.model_validate_json(json.dumps(statement))


def test_exactly_one_model_is_the_subject(chain: Chain, validator: jsonschema.Draft202012Validator) -> None:
    for subjects in ([], statement_of(chain)["subject"] * 2):
        statement = statement_of(chain) | {"subject": subjects}
        assert not validator.is_valid(statement)
        with pytest.raises(ValidationError, match="subject"):
            Statement.model_validate_json(canonical_json(statement))


def test_fields_of_later_versions_are_ignored(chain: Chain, validator: jsonschema.Draft202012Validator) -> None:
    statement = statement_of(chain) | {"later": {"more": "1"}}
    statement["predicate"]["results"]["later"] = "0.5"
    validator.validate(statement)
    read = Statement.model_validate_json(canonical_json(statement))
    assert read == Statement.model_validate_json(canonical_json(statement_of(chain)))


def test_what_is_read_is_written_again_byte_for_byte(chain: Chain) -> None:
    data = canonical_json(statement_of(chain))
    read = Statement.model_validate_json(data)
    assert canonical_json(read.model_dump(mode="json", by_alias=True)) == data


def test_a_part_is_frozen() -> None:
    part = EvidencePart(sha256="ab" * 32, rows=1, merkle_root="cd" * 32)
    with pytest.raises(ValidationError, match="frozen"):
        part.rows = 2  # type: ignore[misc]
    fields = {"count": 1, "of": 2, "estimate": "0.5", "lower": "0.1", "upper": "0.9", "confidence": "0.95"}
    assert RatePart(**fields) == RatePart.model_validate(fields)  # type: ignore[arg-type]
