"""What a certificate is issued from: files and records of one run, model and specification, or nothing is signed."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import safetensors
import safetensors.torch

from robustcert.certificate.bundle import certificate_name
from robustcert.certificate.evidence import CERTIFICATION_SCHEMA
from robustcert.certificate.evidence_merge import merge_certification
from robustcert.certificate.stored_rows import StoredRows
from robustcert.errors import DataError, InputError
from robustcert.provenance.digests import sha256_bytes, sha256_file
from robustcert.steps.certificate_issue import IssueFiles, issue_certificate
from robustcert.steps.certification import certify_shard
from robustcert.steps.certification_plan import plan_certification
from robustcert.storage.store import open_store
from tests.certificate.stored import signed
from tests.chain import RUN_ID, Chain, small_specification

RECORDS = ("data_record", "training_record", "evaluation_record", "shard_record0")


@pytest.fixture
def files(chain: Chain, tmp_path: Path) -> IssueFiles:
    """The chain's files, beside a copy of its store."""
    shutil.copytree(chain.store, tmp_path / "store")
    work = shutil.copytree(chain.folder / "work", tmp_path / "work")
    return IssueFiles(
        dataset=work / "dataset",
        data_report=work / "report",
        model=work / "model",
        history=work / "history",
        evaluation_evidence=work / "evaluation",
        adversarials=work / "adversarials",
        validity=work / "validity",
        shards=[work / "shard0"],
        records=[work / name for name in RECORDS],
        certificate=tmp_path / "certificate",
        report=tmp_path / "report.html",
    )


def issue(chain: Chain, files: IssueFiles, *, run_id: str = "again", supersedes: str = "", **changes: object) -> None:
    issue_certificate(
        specification=small_specification(**changes),
        store=str(files.certificate.parent / "store"),
        signing_key=str(chain.signing_key),
        run_id=run_id,
        files=files,
        passphrase=None,
        source_folder="",
        supersedes=supersedes,
        reason="",
    )


def refused(chain: Chain, files: IssueFiles, match: str, **given: Any) -> None:
    with pytest.raises((DataError, InputError), match=match) as error:
        issue(chain, files, **given)
    assert "\n" not in str(error.value)
    assert not files.certificate.exists()


def shard_of(model: Path, files: IssueFiles, folder: Path) -> tuple[Path, Path]:
    """Evidence and record of all planned samples, certified with that model."""
    common = {"specification": small_specification(), "store": str(folder / "store"), "run_token": ""}
    plan_certification(**common, shards=1, dataset=files.dataset, model=model, plan=folder / "plan")
    certify_shard(
        **common, shard="1/1", workers=1, dataset=files.dataset, model=model, plan=folder / "plan",
        evidence=folder / "other_shard", record=folder / "other_record",
    )  # fmt: skip
    return folder / "other_shard", folder / "other_record"


def other_model(model: Path, target: Path) -> Path:
    """The same model with every weight halved."""
    with safetensors.safe_open(model, framework="pt") as file:
        metadata = file.metadata()
    tensors = {
        name: tensor / 2 if tensor.is_floating_point() else tensor
        for name, tensor in safetensors.torch.load(model.read_bytes()).items()
    }
    safetensors.torch.save_file(tensors, target, metadata=metadata)
    return target


def test_a_shard_of_another_model_is_refused_though_its_samples_are_the_planned_ones(
    chain: Chain, files: IssueFiles, tmp_path: Path
) -> None:
    shard, record = shard_of(other_model(files.model, tmp_path / "model"), files, tmp_path)
    planned = [row["sample"] for row in StoredRows(files.shards[0], schema=CERTIFICATION_SCHEMA)]
    merge_certification([shard], tmp_path / "merged", sample_ids=planned)
    mixed = replace(files, shards=[shard], records=[*files.records[:3], record])
    refused(chain, mixed, "step certification of this run, got one with another modelSha256")
    refused(chain, replace(files, shards=[shard]), "'evidence' of certification, got a file that none of the records")


@pytest.mark.parametrize("name", ["history", "validity", "adversarials", "evaluation_evidence"])
def test_a_file_that_no_record_names_is_refused(chain: Chain, files: IssueFiles, tmp_path: Path, name: str) -> None:
    shutil.copyfile(files.history, tmp_path / "other")
    changed = replace(files, **{name: tmp_path / "other"})
    if name == "history":
        (tmp_path / "other").write_text("[]\n")
    refused(chain, changed, "none of the records names|another document|an evidence table|in other")


def test_steps_of_another_specification_are_refused(chain: Chain, files: IssueFiles) -> None:
    other = {"suite": "quick@1", "samples": 24, "curve": [1.0]}
    refused(chain, files, "step robustness_evaluation of this run, got one with another evaluation", evaluation=other)


def test_steps_that_the_store_does_not_know_are_refused(chain: Chain, files: IssueFiles, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "store" / "steps" / "robustness_evaluation")
    refused(chain, files, "the finished step robustness_evaluation .* in the store, got none there")


@pytest.mark.parametrize("text", ["{}", "[" * 100_000, "{", '{"step": NaN}'])
def test_a_record_or_report_or_validity_that_is_none_is_one_line(
    chain: Chain, files: IssueFiles, tmp_path: Path, text: str
) -> None:
    (tmp_path / "none").write_text(text)
    refused(chain, replace(files, records=[tmp_path / "none"]), "expected a StepRecord in none, got another document")
    refused(chain, replace(files, data_report=tmp_path / "none"), "expected a ValidationReport in none")
    refused(chain, replace(files, validity=tmp_path / "none"), "expected a ValidityFile in none")


@pytest.mark.parametrize("run_id", ["../out", "a/b", "", "a b", ".hidden"])
def test_a_run_id_that_no_record_can_bear_stops_before_anything_is_signed(
    chain: Chain, files: IssueFiles, run_id: str
) -> None:
    refused(chain, files, "expected a (document name|run id)", run_id=run_id)


def test_a_run_tried_again_replaces_its_record_and_no_other_run_does(chain: Chain, files: IssueFiles) -> None:
    first = sha256_file(chain.files.certificate)
    refused(chain, files, "expected a run id that is not taken", run_id=RUN_ID, supersedes=first)
    issue(chain, files, run_id=RUN_ID)
    issue(chain, files, run_id="another", supersedes=first)


def test_what_is_superseded_is_a_digest_and_of_the_same_name(chain: Chain, files: IssueFiles, tmp_path: Path) -> None:
    certificate = signed(chain, lambda predicate: predicate.update(name="another"))
    digest = sha256_bytes(certificate)
    open_store(str(tmp_path / "store")).write_document(certificate_name(digest), certificate)
    refused(chain, files, "expected a certificate of 'digits' to supersede, got one of 'another'", supersedes=digest)
    refused(chain, files, "expected 64 lower-case hexadecimal digits, got 'abc'", supersedes="abc")
