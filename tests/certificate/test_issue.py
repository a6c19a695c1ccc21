"""From facts to a statement. Oracles: hashlib over the files, in-toto's field names, securesystemslib's DSSE."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError as PeerRefusal
from securesystemslib.signer import SSlibKey

from robustcert.certificate import issue
from robustcert.certificate.issue import IssueFacts, build_statement, payload
from robustcert.certificate.schema import EvidencePart, ValidityPart
from robustcert.certificate.smoothing_method import certification_parameters
from robustcert.data.dataset import load_dataset
from robustcert.document import rfc3339
from robustcert.evaluation.suites import load_suite
from robustcert.smoothing import votes
from robustcert.specification_file import parse_specification
from robustcert.threat_model import ThreatModel
from tests.chain import Chain, small_specification

CERTIFIED_AT = datetime(2026, 2, 3, 4, 5, 6, 999_999, tzinfo=UTC)
EVIDENCE = EvidencePart(sha256="ab" * 32, rows=16, merkle_root="cd" * 32)


def sha256(path: Any) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def facts(chain: Chain) -> IssueFacts:
    """Facts of the chain's run, with times and environment of its own."""
    assert chain.files.dataset is not None
    return IssueFacts(
        loaded=parse_specification(small_specification()),
        dataset=load_dataset(chain.files.dataset),
        dataset_sha256=sha256(chain.files.dataset),
        data_report_sha256=sha256(chain.bundle / "data_report.json"),
        data_warnings=["a warning"],
        model_card=chain.predicate.model.card,
        model_sha256=sha256(chain.files.model),
        suite=load_suite("quick@1"),
        validity=[ValidityPart(check="budget-kept", passed=True, detail="all")],
        evaluation_rows=pq.read_table(chain.files.evaluation).to_pylist(),
        evaluation_evidence=EVIDENCE,
        adversarials_sha256="ef" * 32,
        certification_rows=pq.read_table(chain.files.certification).to_pylist(),
        certification_evidence=EVIDENCE,
        key0=7,
        environment={"robustcert": "0.0.0"},
        run_id="run",
        steps=[],
        started_at="2026-02-03T04:00:00Z",
        certified_at=CERTIFIED_AT,
        supersedes=["12" * 32],
    )


def issued(facts: IssueFacts, **changes: Any) -> dict[str, Any]:
    """The statement of the facts, some of them replaced, as it is signed."""
    statement: dict[str, Any] = json.loads(payload(build_statement(replace(facts, **changes))))
    return statement


def test_the_subject_is_the_model_file_and_digests_are_those_of_the_files(facts: IssueFacts, chain: Chain) -> None:
    statement = issued(facts)
    model = sha256(chain.files.model)
    assert statement["subject"] == [{"name": "digits/model", "digest": {"sha256": model}}]
    assert statement["predicate"]["model"]["sha256"] == model
    assert statement["predicate"]["data"]["fileSha256"] == sha256(chain.files.dataset)
    assert statement["predicate"]["data"]["validationReportSha256"] == sha256(chain.bundle / "data_report.json")
    text = statement["predicate"]["specification"]["text"]
    assert hashlib.sha256(text.encode()).hexdigest() == statement["predicate"]["specification"]["sha256"]
    assert text == small_specification()


def test_a_real_certificate_names_the_digest_and_row_count_of_every_table(chain: Chain) -> None:
    predicate = chain.predicate
    for part, path in (
        (predicate.certification.evidence, chain.files.certification),
        (predicate.evaluation.evidence, chain.files.evaluation),
    ):
        assert (part.sha256, part.rows) == (sha256(path), pq.read_metadata(path).num_rows)
    assert predicate.evaluation.adversarials_sha256 == sha256(chain.files.adversarials)


def test_securesystemslib_verifies_a_real_certificate_and_refuses_a_changed_one(chain: Chain) -> None:
    envelope = Envelope.from_dict(json.loads(chain.files.certificate.read_bytes()))
    public = load_pem_public_key(chain.public_key.read_bytes())
    key = SSlibKey.from_crypto(public, keyid=next(iter(envelope.signatures)))
    assert envelope.payload_type == "application/vnd.in-toto+json"
    assert list(envelope.verify([key], 1)) == [key.keyid]
    assert json.loads(envelope.payload)["_type"] == "https://in-toto.io/Statement/v1"
    envelope.payload = envelope.payload.replace(b'"accepted"', b'"rejected"')
    with pytest.raises(PeerRefusal):
        envelope.verify([key], 1)


def test_it_ends_as_many_days_after_its_issue_as_registered(facts: IssueFacts) -> None:
    loaded = parse_specification(small_specification(validity={"days": 3}))
    predicate = issued(facts, loaded=loaded)["predicate"]
    assert (predicate["certifiedAt"], predicate["notAfter"]) == ("2026-02-03T04:05:06Z", "2026-02-06T04:05:06Z")
    assert predicate["run"]["finishedAt"] == predicate["certifiedAt"]
    assert predicate["run"]["startedAt"] == "2026-02-03T04:00:00Z"


def test_equal_facts_give_equal_bytes_in_sorted_ascii_json(facts: IssueFacts) -> None:
    data = payload(build_statement(facts))
    assert payload(build_statement(replace(facts))) == data
    assert data == json.dumps(json.loads(data), sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def test_results_come_from_the_rows(facts: IssueFacts) -> None:
    rows = facts.evaluation_rows
    right = {row["sample"] for row in rows if row["attack"] == "clean" and row["prediction"] == row["label"]}
    found = issued(facts)["predicate"]["results"]
    assert (found["cleanAccuracy"]["count"], found["cleanAccuracy"]["of"]) == (len(right), 24)
    assert [part["radius"] for part in found["certifiedAccuracy"]] == ["0", "0.1", "0.25"]


def test_every_criterion_must_be_met_for_an_accepted_verdict(facts: IssueFacts) -> None:
    document = yaml.safe_load(small_specification())
    document["acceptance"][1]["threshold"] = 0.79
    strict = parse_specification(yaml.safe_dump(document))
    assert issued(facts)["predicate"]["verdict"] == "accepted"
    rejected = issued(facts, loaded=strict)["predicate"]
    assert (rejected["verdict"], [part["met"] for part in rejected["criteria"]]) == ("rejected", [True, False])


def test_one_failed_check_of_the_evaluation_makes_it_invalid_and_the_verdict_rejected(facts: IssueFacts) -> None:
    checks = [*facts.validity, ValidityPart(check="whole-range-breaks", passed=False, detail="none broke")]
    predicate = issued(facts, validity=checks)["predicate"]
    assert (predicate["evaluation"]["valid"], predicate["verdict"]) == (False, "rejected")
    assert [part["met"] for part in predicate["criteria"]] == [False, True]


@pytest.mark.parametrize(
    ("field", "value", "path"),
    [
        ("key0", 2**64 - 1, "certification.key0"),
        ("adversarials_sha256", "01" * 32, "evaluation.adversarialsSha256"),
        ("data_warnings", ["none"], "data.validationWarnings"),
        ("environment", {"robustcert": "1"}, "environment.robustcert"),
        ("run_id", "another", "run.id"),
        ("supersedes", [], "supersedes"),
        ("dataset_sha256", "02" * 32, "data.fileSha256"),
    ],
)
def test_a_fact_stands_where_the_format_says_and_nowhere_else(
    facts: IssueFacts, field: str, value: object, path: str
) -> None:
    before, after = flat(issued(facts)["predicate"]), flat(issued(facts, **{field: value})["predicate"])
    assert {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)} == {path}
    assert str(after[path]) in str(value)


def flat(value: dict[str, Any], path: str = "") -> dict[str, Any]:
    """Path -> what stands there, for everything that is no JSON object."""
    found: dict[str, Any] = {}
    for key, inner in value.items():
        found |= flat(inner, f"{path}{key}.") if isinstance(inner, dict) else {f"{path}{key}": inner}
    return found


@pytest.mark.parametrize(("bounds", "said"), [("contract", "contract"), ((-0.5, 1.25), "-0.5 to 1.25")])
def test_a_threat_model_is_written_with_its_clip_range_in_decimals(bounds: Any, said: str) -> None:
    threat = ThreatModel(
        name="t", norm="l2", epsilon=1e-05, unit="1/255", bounds=bounds, access="scores", goal="targeted"
    )
    assert issue.threat_part(threat).model_dump() == {
        "name": "t",
        "norm": "l2",
        "epsilon": "0.00001",
        "unit": "1/255",
        "bounds": said,
        "access": "scores",
        "goal": "targeted",
        "perturbation_space": "raw model input, before the model's preprocessing",
    }


def test_parameters_of_the_certification_are_exact_decimals() -> None:
    wanted = parse_specification(small_specification()).specification.certification
    found = certification_parameters(
        wanted.model_copy(update={"alpha": 1e-07, "sigma": 2.0, "radii": (0.1, 0.30000001)})
    )
    assert (found["alpha"], found["sigma"], found["radii"]) == ("0.0000001", "2", ("0.1", "0.30000001"))


def test_what_the_certificate_says_of_the_votes_is_what_the_votes_do() -> None:
    assert float(issue.FRAGILE_GAP) == votes.FRAGILE_GAP
    assert issue.BATCH == votes.BATCH


def test_times_are_utc_to_the_second_whatever_the_zone() -> None:
    moment = datetime(2026, 1, 1, 1, 0, 0, tzinfo=timezone(timedelta(hours=2)))
    assert rfc3339(moment) == "2025-12-31T23:00:00Z"


def test_the_payload_is_what_the_certificate_file_carries(chain: Chain) -> None:
    carried = base64.b64decode(json.loads(chain.files.certificate.read_bytes())["payload"])
    assert carried == json.dumps(json.loads(carried), sort_keys=True, separators=(",", ":")).encode()
