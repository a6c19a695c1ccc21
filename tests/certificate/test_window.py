"""The store's document of a window: written once per run and model, read back in order, refused when damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from robustcert.certificate.schema import CriterionPart
from robustcert.certificate.window import WindowEvaluation, window_summary, windows_of, write_window
from robustcert.errors import StorageError
from robustcert.storage.store import Store, open_store

DIGEST = "ab" * 32


def evaluation(**changes: object) -> WindowEvaluation:
    """An evaluation of 24 rows, 20 of them right."""
    rate = {"count": 20, "of": 24, "estimate": "0.833333", "lower": "0.6", "upper": "0.95", "confidence": "0.95"}
    fields: dict[str, object] = {
        "schemaVersion": "1",
        "runId": "run",
        "name": "digits",
        "certificateSha256": DIGEST,
        "modelSha256": DIGEST,
        "specificationSha256": DIGEST,
        "source": "window.npz",
        "sourceSha256": DIGEST,
        "windowSha256": DIGEST,
        "rows": 30,
        "samples": 24,
        "classCounts": {"0": 30},
        "suite": "quick@1",
        "suiteSha256": DIGEST,
        "validity": ({"check": "finite", "passed": True, "detail": "all <b>finite</b> | yes"},),
        "valid": True,
        "cleanAccuracy": rate,
        "accuracyUnderAttack": (),
        "criteria": (criterion(met=True),),
        "holds": True,
        "evidence": {"sha256": DIGEST, "rows": 24, "merkleRoot": DIGEST},
        "evaluatedAt": "2026-01-01T00:00:00Z",
    }
    return WindowEvaluation.model_validate(fields | changes)


def criterion(*, met: bool) -> CriterionPart:
    return CriterionPart(
        metric="clean_accuracy", comparator=">=", threshold="0.5" if met else "0.9", kind="empirical", observed="0.6",
        met=met,
    )  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(str(tmp_path / "store"))


def test_evaluations_of_a_run_come_back_in_their_order(store: Store) -> None:
    later = evaluation(modelSha256="01" * 32, evaluatedAt="2026-01-02T00:00:00Z")
    for found in (later, evaluation(), evaluation(runId="other")):
        write_window(store, found)
    assert windows_of(store, "run") == [evaluation(), later]
    assert windows_of(store, "none") == []


def test_a_model_that_is_evaluated_again_keeps_one_document(store: Store) -> None:
    assert write_window(store, evaluation()) == write_window(store, evaluation()) == f"windows/run/{DIGEST}.json"
    assert len(windows_of(store, "run")) == 1


def test_a_damaged_document_is_said(store: Store) -> None:
    store.write_document(f"windows/run/{DIGEST}.json", b"{}")
    with pytest.raises(StorageError, match="expected a window evaluation"):
        windows_of(store, "run")


def test_a_document_of_another_run_or_model_is_said(store: Store) -> None:
    data = store.read_document(write_window(store, evaluation(runId="other"))) or b""
    store.write_document(f"windows/run/{DIGEST}.json", data)
    with pytest.raises(StorageError, match=f"expected a window evaluation in the store's 'windows/run/{DIGEST}.json'"):
        windows_of(store, "run")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "all 1 empirical criteria met on the window of 24 rows"),
        (
            {"criteria": (criterion(met=False),)},
            "1 criteria not met on the window of 24 rows: clean_accuracy 0.6 is not >= 0.9",
        ),
        ({"criteria": ()}, "no empirical criterion is registered, so nothing was judged on the window of 24 rows"),
    ],
)  # fmt: skip
def test_one_line_says_what_was_found(changes: dict[str, object], said: str) -> None:
    assert window_summary(evaluation(**changes)) == said


def test_an_evaluation_that_failed_its_own_checks_is_said() -> None:
    found = evaluation(criteria=(criterion(met=False),), valid=False)
    assert window_summary(found).endswith("; the evaluation failed checks of its own")
