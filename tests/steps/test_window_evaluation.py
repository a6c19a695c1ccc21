"""A window is evaluated as the test split was: the same rows give the same numbers, drifted ones fail and are kept."""

from __future__ import annotations

from pathlib import Path

from robustcert.certificate.evidence import EVALUATION_SCHEMA, read_rows
from robustcert.certificate.window import windows_of
from robustcert.data.dataset import load_dataset, save_dataset
from robustcert.data.window import read_window, window_on_grid
from robustcert.provenance.digests import sha256_file
from robustcert.provenance.run_record import StepRecord
from robustcert.specification_file import parse_specification
from robustcert.steps.window_evaluation import WindowOutcome, evaluate_window
from robustcert.storage.store import open_store
from tests.chain import Chain, small_specification
from tests.windows import drifted_window

DIGEST = "cd" * 32


def evaluated(chain: Chain, folder: Path, *, text: str = "", again: str = "") -> WindowOutcome:
    assert chain.files.model is not None
    return evaluate_window(
        specification=text or small_specification(),
        store=str(folder / "store"),
        run_token=f"token{again}",
        run_id="run",
        certificate_sha256=DIGEST,
        model=chain.files.model,
        window=folder / "window",
        evidence=folder / "evidence",
        report=folder / "report.md",
        record=folder / "record",
    )


def on_grid(chain: Chain, raw: Path, target: Path) -> None:
    data = parse_specification(small_specification()).specification.data
    found = read_window(data, str(raw), sha256=sha256_file(raw))
    save_dataset(window_on_grid(found, data=data, certified=load_dataset(chain.bundle / "dataset.safetensors")), target)


def test_the_test_split_as_a_window_gives_the_certificates_own_numbers(chain: Chain, tmp_path: Path) -> None:
    """The certified data set itself: same ids, so that the same rows are chosen and attacked from the same starts."""
    save_dataset(load_dataset(chain.bundle / "dataset.safetensors").select("test"), tmp_path / "window")
    found = evaluated(chain, tmp_path)
    assert found == WindowOutcome(holds=True, summary="all 1 empirical criteria met on the window of 24 rows")
    (kept,) = windows_of(open_store(str(tmp_path / "store")), "run")
    assert kept.clean_accuracy == chain.predicate.results.clean_accuracy
    assert kept.accuracy_under_attack == chain.predicate.results.accuracy_under_attack
    assert kept.criteria == chain.predicate.criteria[:1]
    assert (tmp_path / "evidence").read_bytes() == (chain.bundle / "evaluation.parquet").read_bytes()
    assert kept.certificate_sha256 == DIGEST
    assert open_store(str(tmp_path / "store")).intact(kept.evidence.sha256)
    assert "**Holds**" in (tmp_path / "report.md").read_text()


def test_a_drifted_window_fails_with_its_evidence_kept_and_is_repeated_for_a_new_token_only(
    chain: Chain, tmp_path: Path
) -> None:
    on_grid(chain, drifted_window(chain, tmp_path / "drift.npz"), tmp_path / "window")
    found = evaluated(chain, tmp_path)
    assert not found.holds
    assert "clean_accuracy" in found.summary
    store = open_store(str(tmp_path / "store"))
    (kept,) = windows_of(store, "run")
    rows = [row for row in read_rows(tmp_path / "evidence", schema=EVALUATION_SCHEMA) if row["attack"] == "clean"]
    right = {row["sample"] for row in rows if row["prediction"] == row["label"]}
    assert kept.clean_accuracy.count == len(right)
    assert (kept.rows, kept.samples, kept.window_sha256) == (447, 24, sha256_file(tmp_path / "window"))
    assert store.intact(kept.window_sha256)
    reused = []
    for again in ("", "other"):
        evaluated(chain, tmp_path, again=again)
        reused.append(StepRecord.model_validate_json((tmp_path / "record").read_bytes()).reused)
    assert reused == [True, False]


def test_a_window_with_fewer_rows_than_the_specification_attacks_is_evaluated_whole(
    chain: Chain, tmp_path: Path
) -> None:
    test = load_dataset(chain.bundle / "dataset.safetensors").select("test")
    save_dataset(test.rows(test.sample_ids[:9]), tmp_path / "window")
    evaluated(chain, tmp_path)
    (kept,) = windows_of(open_store(str(tmp_path / "store")), "run")
    assert (kept.rows, kept.samples) == (9, 9)


def test_without_a_window_nothing_is_evaluated_and_that_is_said(chain: Chain, tmp_path: Path) -> None:
    (tmp_path / "window").write_bytes(b"")
    assert evaluated(chain, tmp_path) == WindowOutcome(holds=True, summary="no window was given")
    assert "None was given" in (tmp_path / "report.md").read_text()
    assert windows_of(open_store(str(tmp_path / "store")), "run") == []
    assert StepRecord.model_validate_json((tmp_path / "record").read_bytes()).step == "window_evaluation"


def test_where_no_empirical_criterion_is_registered_nothing_is_judged(chain: Chain, tmp_path: Path) -> None:
    test = load_dataset(chain.bundle / "dataset.safetensors").select("test")
    save_dataset(test.rows(test.sample_ids[:9]), tmp_path / "window")
    text = small_specification(
        acceptance=[{"metric": "certified_accuracy", "comparator": ">=", "threshold": 0.05, "radius": 0.1}]
    )
    assert evaluated(chain, tmp_path, text=text).summary.startswith("no empirical criterion is registered")
