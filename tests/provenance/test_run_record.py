"""The run record of a real run: small, schema-valid, and linked to objects that the store holds."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema

from robustcert.provenance import run_record
from robustcert.provenance.digests import sha256_file
from tests.chain import Chain


def test_a_real_record_is_small_and_valid_against_the_committed_schema(chain: Chain) -> None:
    path = chain.bundle / "record.json"
    schema = json.loads((Path(run_record.__file__).parent / "run_record.v1.schema.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(json.loads(path.read_text()))
    assert path.stat().st_size < 100_000


def test_it_names_every_file_of_the_bundle_by_digest(chain: Chain) -> None:
    record = run_record.RunRecord.model_validate_json((chain.bundle / "record.json").read_bytes())
    assert record.files == {name: sha256_file(chain.bundle / name) for name in record.files}
    assert record.certificate_sha256 == sha256_file(chain.bundle / "certificate.json")
    assert {step.step for step in record.steps} == {
        "data_validation",
        "adversarial_training",
        "robustness_evaluation",
        "certification",
    }


def test_steps_record_time_memory_and_environment(chain: Chain) -> None:
    record = run_record.RunRecord.model_validate_json((chain.bundle / "record.json").read_bytes())
    training = next(step for step in record.steps if step.step == "adversarial_training")
    assert training.wall_milliseconds > 0
    assert training.peak_memory_bytes > 1 << 20
    assert training.gpu_milliseconds is not None
    assert (training.gpu_milliseconds > 0) == (record.environment["device"] == "cuda")
    assert record.environment["gpu"]
    assert record.environment["nonDeterministicOperations"]


def test_a_record_of_before_gpu_time_was_recorded_is_read(chain: Chain) -> None:
    document = json.loads((chain.bundle / "record.json").read_bytes())
    for step in document["steps"]:
        assert step.pop("gpuMilliseconds") >= 0
        assert step.pop("gpuPeakMemoryBytes") >= 0
    record = run_record.RunRecord.model_validate_json(json.dumps(document))
    assert {(step.gpu_milliseconds, step.gpu_peak_memory_bytes) for step in record.steps} == {(None, None)}


def test_the_committed_schema_is_the_generated_one() -> None:
    committed = Path(run_record.__file__).parent / "run_record.v1.schema.json"
    assert committed.read_text() == run_record.schema_json()
