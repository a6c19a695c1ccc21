"""Issuing: equal runs give equal predicates, a rejection is signed and refused, bad evidence issues nothing."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from robustcert.certificate.bundle import files_in
from robustcert.certificate.verify import read_statement, verify
from robustcert.commands.replay import differences
from robustcert.errors import DataError, KeyFileError
from robustcert.provenance.digests import canonical_json, sha256_file
from robustcert.provenance.run_record import StepRecord
from robustcert.steps.certificate_issue import IssueFiles, issue_certificate
from robustcert.storage.store import open_store
from tests.chain import Chain, run_chain, small_specification

EVIDENCE = ("certification.parquet", "evaluation.parquet", "adversarials.safetensors", "model.safetensors")


def issue_files(chain: Chain, folder: Path) -> IssueFiles:
    work = chain.folder / "work"
    return IssueFiles(
        dataset=work / "dataset",
        data_report=work / "report",
        model=work / "model",
        history=work / "history",
        evaluation_evidence=work / "evaluation",
        adversarials=work / "adversarials",
        validity=work / "validity",
        shards=[work / "shard0"],
        records=[work / "data_record", work / "training_record", work / "evaluation_record", work / "shard_record0"],
        certificate=folder / "certificate",
        report=folder / "report.html",
    )


def issue(chain: Chain, files: IssueFiles, folder: Path, *, key: Path) -> None:
    issue_certificate(
        specification=small_specification(),
        store=str(folder / "store"),
        signing_key=str(key),
        run_id="again",
        files=files,
        passphrase=None,
        source_folder="",
        supersedes="",
        reason="",
    )


def test_a_second_run_with_three_shards_in_a_fresh_store_differs_in_times_and_run_only(
    chain: Chain, tmp_path: Path
) -> None:
    again = run_chain(tmp_path, specification=small_specification(), shards=3)
    assert differences(chain.predicate, again.predicate) == []
    for name in EVIDENCE:
        assert sha256_file(chain.bundle / name) == sha256_file(again.bundle / name), name


def test_unmet_criteria_give_a_signed_rejection_that_no_verifier_accepts(chain: Chain, tmp_path: Path) -> None:
    document = yaml.safe_load(small_specification())
    document["acceptance"][0]["threshold"] = 0.999
    rejected = run_chain(tmp_path, specification=yaml.safe_dump(document))
    assert not rejected.outcome.accepted
    assert "clean_accuracy" in rejected.outcome.summary
    assert rejected.predicate.verdict == "rejected"
    found = verify(files_in(rejected.bundle), key=rejected.key, now=datetime.now(UTC))
    assert found.refused is not None
    assert found.refused.message.startswith("rejected: clean_accuracy")


@pytest.mark.parametrize(("shards", "message"), [([], "samples missing"), (["shard0", "shard0"], "double")])
def test_missing_and_double_shards_issue_nothing(chain: Chain, tmp_path: Path, shards: list[str], message: str) -> None:
    files = replace(issue_files(chain, tmp_path), shards=[chain.folder / "work" / name for name in shards])
    with pytest.raises(DataError, match=message):
        issue(chain, files, tmp_path, key=chain.signing_key)
    assert not (tmp_path / "certificate").exists()


def test_an_unusable_key_stops_before_any_work(chain: Chain, tmp_path: Path) -> None:
    with pytest.raises(KeyFileError):
        issue(chain, issue_files(chain, tmp_path), tmp_path, key=chain.public_key)
    assert list(tmp_path.iterdir()) == []


def test_the_environment_is_that_of_the_shards_and_names_every_machine_where_they_differ(
    chain: Chain, tmp_path: Path
) -> None:
    shutil.copytree(chain.store, tmp_path / "store")
    first = chain.folder / "work" / "shard_record0"
    other = dict(chain.predicate.environment) | {"gpu": "NVIDIA H200", "device": "cuda"}
    digest = open_store(str(tmp_path / "store")).put_bytes(canonical_json(other))
    record = StepRecord.model_validate_json(first.read_bytes()).model_copy(update={"environment_sha256": digest})
    (tmp_path / "second").write_text(record.model_dump_json(by_alias=True))
    files = issue_files(chain, tmp_path)
    issue(chain, replace(files, records=[*files.records, tmp_path / "second"]), tmp_path, key=chain.signing_key)
    found = read_statement((tmp_path / "certificate").read_bytes(), key=chain.key).predicate.environment
    assert (found["device"], found["gpu"]) == ("cpu | cuda", "NVIDIA H200 | none")
    assert found["packages"] == chain.predicate.environment["packages"]


def test_shards_without_their_records_issue_nothing(chain: Chain, tmp_path: Path) -> None:
    shutil.copytree(chain.store, tmp_path / "store")
    files = issue_files(chain, tmp_path)
    with pytest.raises(DataError, match="expected the environment of a certified shard, got no record of one"):
        issue(chain, replace(files, records=files.records[:3]), tmp_path, key=chain.signing_key)
    assert not (tmp_path / "certificate").exists()
