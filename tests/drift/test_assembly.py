"""The record names the pages by their digests, and every sentence in them by what was counted."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robustcert.certificate.certified import Certified, find_certificate, open_certified
from robustcert.drift import assembly
from robustcert.drift.assembly import DriftReport, assemble
from robustcert.drift.monitor import Monitored, WindowRequest, monitor
from robustcert.drift.policy import parse_policy
from robustcert.provenance.digests import sha256_file
from tests.certificate.stored import copied_store
from tests.chain import Chain
from tests.drift.windows import NOW, training_rows, write_window
from tests.report.page import read_page

POLICY = parse_policy("samples: {outputs: 400, tests: 200, permutations: 699, evidence: 300}")


@pytest.fixture(scope="module")
def certified(chain: Chain, tmp_path_factory: pytest.TempPathFactory) -> tuple[Certified, Monitored]:
    folder = tmp_path_factory.mktemp("assembly")
    store = copied_store(chain, folder)
    found = open_certified(store, find_certificate(store, sha256_file(chain.files.certificate)), trusted=chain.key)
    x, _ = training_rows(chain)
    x[0, 0] = np.nan
    window = write_window(folder / "window.parquet", x)
    request = WindowRequest(window=str(window))
    return found, monitor(store, found, request, policy=POLICY, now=NOW, progress=lambda done, total, text: None)


def test_the_record_names_its_pages_by_digest_and_the_page_holds_the_numbers_of_the_record(
    certified: tuple[Certified, Monitored], monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[int] = []

    def page(reference: Any, window: Any, *, alpha: float) -> Any:
        given.extend(len(column) for side in (reference, window) for column in side.values())
        return assembly.EvidentlyPage(html=b"<html>", p_values={}, left_out={"a": "no values"})

    monkeypatch.setattr(assembly, "evidently_page", page)
    found: DriftReport = assemble(*certified, policy=POLICY, now=NOW)
    assert found.record.report_sha256 == hashlib.sha256(found.html).hexdigest()
    assert found.record.evidently_sha256 == hashlib.sha256(b"<html>").hexdigest()
    assert set(given) == {300}
    assert found.record.policy_sha256 == POLICY.sha256
    text = read_page(found.html.decode()).text()
    assert "all 600 rows of the window; the reference's 447" in text
    assert "400 complete rows of the window, 400 of the reference" in text or "399 complete rows" in text
    assert "200 and 200 of these, 699 permutations" in text
    assert "24 of 24 certified samples" in text
    assert "a (no values)" in text


def test_a_page_that_can_not_be_made_holds_nothing_up(
    certified: tuple[Certified, Monitored], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise KeyError("of another's code\nin two lines")

    monkeypatch.setattr(assembly, "evidently_page", broken)
    found = assemble(*certified, policy=POLICY, now=NOW)
    assert (found.evidently, found.record.evidently_sha256, found.record.verdict) == (None, None, "clean")
    assert "There is no page by Evidently: KeyError: " in read_page(found.html.decode()).text()


def test_the_record_counts_every_row_and_the_share_without_a_defect(certified: tuple[Certified, Monitored]) -> None:
    record = assemble(*certified, policy=POLICY, now=NOW, evidence=False).record
    assert (record.window.rows, record.window.labelled) == (600, 0)
    assert record.quality_ratio == "0.998333"
    assert {(part.signal, part.m) for part in record.signals if part.method == "mmd"} == {("embedding", 200)}
    assert record.evaluated_at == "2026-11-21T15:00:00Z"
    assert Path(record.window.source).name == "window.parquet"
