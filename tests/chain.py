"""A small certified chain for tests: every step is run for real, on few samples, through the steps' own functions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import yaml

from robustcert.certificate.bundle import BundleFiles, export_bundle, files_in, read_record
from robustcert.certificate.keys import load_verification_key, new_key, write_key_pair
from robustcert.certificate.schema import Predicate
from robustcert.certificate.verify import PublicKey, read_statement
from robustcert.specification_template import template
from robustcert.steps.adversarial_training import train_model
from robustcert.steps.certificate_issue import IssueFiles, IssueOutcome, issue_certificate
from robustcert.steps.certification import certify_shard
from robustcert.steps.certification_plan import plan_certification
from robustcert.steps.data_validation import validate_data
from robustcert.steps.robustness_evaluation import evaluate_robustness
from robustcert.storage.store import open_store

RUN_ID = "20260101T000000Z-00000001"


@dataclass(frozen=True, kw_only=True)
class Chain:
    """One finished run: its folder, its bundle, its store, and the keys."""

    folder: Path
    bundle: Path
    store: Path
    signing_key: Path
    public_key: Path
    outcome: IssueOutcome

    @property
    def key(self) -> PublicKey:
        return load_verification_key(self.public_key)

    @property
    def files(self) -> BundleFiles:
        return files_in(self.bundle)

    @property
    def predicate(self) -> Predicate:
        return read_statement(self.files.certificate.read_bytes(), key=self.key).predicate

    def with_files(self, **paths: Path | None) -> BundleFiles:
        """The bundle's files, some of them replaced."""
        return replace(self.files, **paths)


def small_specification(**changes: object) -> str:
    """Text of a digits specification that runs in seconds; `changes` replace top-level keys."""
    document = yaml.safe_load(template("digits"))
    document["model"]["hidden"] = [32]
    document["training"] |= {"epochs": 8, "learningRate": 0.01, "steps": 3}
    document["evaluation"] = {"suite": "quick@1", "samples": 24, "curve": [0.5, 1.0]}
    document["certification"] |= {"n0": 32, "n": 512, "samples": 16, "radii": [0, 0.1, 0.25]}
    document["acceptance"] = [
        {"metric": "clean_accuracy", "comparator": ">=", "threshold": 0.1},
        {"metric": "certified_accuracy", "comparator": ">=", "threshold": 0.05, "radius": 0.1},
    ]
    document.pop("rationale")
    document["certification"].pop("method")
    return yaml.safe_dump(document | changes, sort_keys=False)


def run_chain(folder: Path, *, specification: str, shards: int = 1, workers: int = 1) -> Chain:
    """Runs all steps in `folder`; a store that is there already is used again."""
    signing_key = folder / "issuer"
    if not signing_key.exists():
        write_key_pair(signing_key, new_key("ed25519"), passphrase=None)
    store, work = folder / "store", folder / "work"
    work.mkdir(exist_ok=True)
    common = {"specification": specification, "store": str(store), "run_token": ""}
    dataset, model = work / "dataset", work / "model"
    validate_data(
        **common, source_folder=str(folder), dataset=dataset, report=work / "report", record=work / "data_record"
    )
    train_model(
        **common,
        source_folder=str(folder),
        dataset=dataset,
        model=model,
        history=work / "history",
        record=work / "training_record",
    )
    evaluate_robustness(
        **common,
        dataset=dataset,
        model=model,
        evidence=work / "evaluation",
        adversarials=work / "adversarials",
        validity=work / "validity",
        record=work / "evaluation_record",
    )
    plan = work / "plan"
    parts = plan_certification(**common, shards=shards, dataset=dataset, model=model, plan=plan)
    for index, part in enumerate(parts):
        certify_shard(
            **common,
            shard=part,
            workers=workers,
            dataset=dataset,
            model=model,
            plan=plan,
            evidence=work / f"shard{index}",
            record=work / f"shard_record{index}",
        )
    files = IssueFiles(
        dataset=dataset,
        data_report=work / "report",
        model=model,
        history=work / "history",
        evaluation_evidence=work / "evaluation",
        adversarials=work / "adversarials",
        validity=work / "validity",
        shards=[work / f"shard{index}" for index in range(len(parts))],
        records=[
            *(work / name for name in ("data_record", "training_record", "evaluation_record")),
            *(work / f"shard_record{index}" for index in range(len(parts))),
        ],
        certificate=work / "certificate",
        report=work / "report.html",
    )
    outcome = issue_certificate(
        specification=specification,
        store=str(store),
        signing_key=str(signing_key),
        run_id=RUN_ID,
        files=files,
        passphrase=None,
        source_folder=str(folder),
        supersedes="",
        reason="test",
    )
    opened = open_store(str(store))
    export_bundle(opened, read_record(opened, RUN_ID), folder / "bundle")
    return Chain(
        folder=folder,
        bundle=folder / "bundle",
        store=store,
        signing_key=signing_key,
        public_key=folder / "issuer.pub",
        outcome=outcome,
    )


@pytest.fixture(scope="session")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """A finished run of the small specification; tests read it and change only copies."""
    return run_chain(tmp_path_factory.mktemp("chain"), specification=small_specification())
