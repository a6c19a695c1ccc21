"""From an order to a bundle folder. The pipeline's components run in this process; test_run.py runs them under kfp."""

from __future__ import annotations

import io
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from robustcert.certificate.bundle import files_in
from robustcert.certificate.schema import Predicate
from robustcert.certificate.verify import read_statement
from robustcert.commands import pipeline_run
from robustcert.commands.pipeline_run import RunOrder, absolute, run_to_bundle
from robustcert.errors import ClaimError, DataError, StepError
from robustcert.specification_file import parse_specification
from robustcert.storage.store import open_store
from tests.chain import Chain, small_specification
from tests.components.in_process import InProcess


@pytest.fixture
def order(chain: Chain, tmp_path: Path) -> RunOrder:
    """A run on a copy of the chain's store, where every step but the last is finished."""
    shutil.copytree(chain.store, tmp_path / "store")
    return RunOrder(
        loaded=parse_specification(small_specification()),
        store=open_store(str(tmp_path / "store")),
        key=chain.signing_key,
        source_folder=chain.folder,
        target=tmp_path / "out" / "bundle",
        shards=1,
        workers=1,
        reason="an order",
    )


def quiet() -> Console:
    return Console(file=io.StringIO(), width=200)


def predicate(chain: Chain, bundle: Path) -> Predicate:
    return read_statement(files_in(bundle).certificate.read_bytes(), key=chain.key).predicate


def test_a_run_ends_in_its_record_and_its_bundle(chain: Chain, order: RunOrder, in_process: InProcess) -> None:
    console = quiet()
    ordered = replace(order, supersedes="12" * 32, reason="because", run_token="")
    record, refusal = run_to_bundle(ordered, console=console)
    found = predicate(chain, order.target)
    assert (refusal, record.outcome, record.reason) == (None, "accepted", "because")
    assert found.run.id == record.run_id
    assert found.supersedes == ("12" * 32,)
    assert found.results == chain.predicate.results
    assert {path.name for path in order.target.iterdir()} == {*record.files, "record.json", "run.log"}
    assert isinstance(console.file, io.StringIO)
    digest = order.loaded.canonical_sha256[:12]
    assert console.file.getvalue() == f"digits: specification {digest}, run {record.run_id}\n"


def test_a_run_is_named_after_its_time_and_a_random_number(order: RunOrder, in_process: InProcess) -> None:
    names = {run_to_bundle(order, console=quiet())[0].run_id for _ in range(2)}
    assert len(names) == 2
    assert all(re.fullmatch(r"\d{8}T\d{6}Z-[0-9a-f]{8}", name) for name in names)


def test_the_pipeline_gets_absolute_places_and_the_specification_by_its_uri(
    order: RunOrder, in_process: InProcess, chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(chain.folder)
    run_to_bundle(replace(order, key=Path("issuer"), shards=1, workers=3), console=quiet())
    given = in_process.given
    assert given.pop("specification") == order.store.uri_of(order.loaded.text_sha256)
    assert re.fullmatch(r"\d{8}T\d{6}Z-[0-9a-f]{8}", str(given.pop("run_id")))
    assert given == {
        "store": order.store.uri,
        "signing_key": str(chain.signing_key),
        "shards": 1,
        "workers": 3,
        "source_folder": str(chain.folder),
        "run_token": "",
        "supersedes": "",
        "reason": "an order",
    }


def test_shards_give_the_evidence_of_one(order: RunOrder, in_process: InProcess, chain: Chain) -> None:
    run_to_bundle(replace(order, shards=3), console=quiet())
    assert in_process.given["shards"] == 3
    evidence = "certification.parquet"
    assert (order.target / evidence).read_bytes() == (chain.bundle / evidence).read_bytes()


def test_a_specification_without_training_is_run_with_the_users_own_model(
    order: RunOrder, in_process: InProcess, chain: Chain
) -> None:
    document = yaml.safe_load(small_specification())
    document["model"] |= {"weights": "model.safetensors", "sha256": chain.predicate.model.sha256}
    del document["training"]
    loaded = parse_specification(yaml.safe_dump(document))
    record, refusal = run_to_bundle(replace(order, loaded=loaded, source_folder=chain.bundle), console=quiet())
    assert (order.target / "run.log").read_text() == "certify_model in process\n"
    assert (refusal, record.model_sha256) == (None, chain.predicate.model.sha256)
    assert "model_import" in {step.step for step in record.steps}
    assert predicate(chain, order.target).results == chain.predicate.results


def test_a_token_makes_every_step_run_again(order: RunOrder, in_process: InProcess) -> None:
    first, again = (run_to_bundle(replace(order, run_token=token), console=quiet())[0] for token in ("", "again"))
    assert ({step.reused for step in first.steps}, {step.reused for step in again.steps}) == ({True}, {False})


def test_unmet_criteria_are_returned_with_the_signed_rejection_in_the_bundle(
    chain: Chain, order: RunOrder, in_process: InProcess
) -> None:
    document = yaml.safe_load(small_specification())
    document["acceptance"][0]["threshold"] = 0.999
    loaded = parse_specification(yaml.safe_dump(document))
    record, refusal = run_to_bundle(replace(order, loaded=loaded), console=quiet())
    assert isinstance(refusal, ClaimError)
    assert str(refusal).startswith("1 criteria not met: clean_accuracy")
    assert record.outcome == predicate(chain, order.target).verdict == "rejected"


def test_a_gate_before_the_certificate_is_about_the_data(order: RunOrder, monkeypatch: pytest.MonkeyPatch) -> None:
    def gate(*_: object, **__: object) -> None:
        raise ClaimError("data validation found 2 error(s): one")

    monkeypatch.setattr(pipeline_run, "run_pipeline", gate)
    with pytest.raises(DataError, match=r"data validation found 2 .*; `robustcert check-data` lists every finding"):
        run_to_bundle(order, console=quiet())
    assert not (order.target / "certificate.json").exists()


def test_a_failed_step_passes_as_it_is_and_leaves_an_older_bundle_alone(
    order: RunOrder, in_process: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    def step(*_: object, **__: object) -> None:
        raise StepError("certification failed")

    run_to_bundle(order, console=quiet())
    before = (order.target / "certificate.json").read_bytes()
    monkeypatch.setattr(pipeline_run, "run_pipeline", step)
    with pytest.raises(StepError, match="certification failed"):
        run_to_bundle(order, console=quiet())
    assert (order.target / "certificate.json").read_bytes() == before


def test_a_folder_becomes_absolute_and_a_uri_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert absolute("store") == str(tmp_path / "store")
    assert absolute("s3://bucket/prefix") == "s3://bucket/prefix"
