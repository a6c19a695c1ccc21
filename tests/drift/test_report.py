"""The page says what the record says, keeps shift and out-of-distribution apart, and asks nobody for anything."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from robustcert.certificate.results import rate_part
from robustcert.drift.record import DriftRecord
from robustcert.drift.report import MOST_CHARTS, ReportFacts, render_drift_report
from robustcert.drift.report_charts import Distribution
from robustcert.evaluation.statistics import rate
from tests.drift.records import OTHER, drift_record
from tests.report.page import Element, read_page

HEADINGS = ["Signals", "Shift", "Out of distribution", "Accuracy", "Data quality", "Evidence"]
DRAWN = Distribution(labels=("less", "1", "more"), reference=(0.1, 0.8, 0.1), window=(0.2, 0.3, 0.5))
FACTS = ReportFacts(
    distributions={"dose <mg>": DRAWN},
    distance=DRAWN,
    clean_accuracy=rate_part(rate(430, 449)),
    caveat="it speaks of the rows whose labels came",
    samples=("all 1000 rows",),
    left_out={"notes": "no values"},
    no_evidence="",
)


def column_part(column: str, effect: str, **changes: Any) -> dict[str, Any]:
    return {
        "signal": "features", "column": column, "method": "anderson_darling", "score": "3.25", "threshold": "2",
        "pValue": "0.001", "adjustedP": "0.00123", "effect": effect, "effectName": "equivalent_shift", "n": 449,
        "m": 1000, "drifted": True, "note": "mean +0.4 sd",
    } | changes  # fmt: skip


def full(**changes: Any) -> DriftRecord:
    values: dict[str, Any] = {
        "verdict": "gross",
        "summary": "inputs lie outside",
        "tests": (
            column_part("age", "0.2", drifted=False, score="1", note=""),
            column_part("dose <mg>", "1.5"),
            column_part("", "0.5", signal="embedding", method="mmd"),
        ),
        "featuresTested": 2,
        "featuresDrifted": 1,
        "distance": {"auroc": "0.987654", "fpr95": "0.101", "n": 449, "m": 1000},
        "realised": {
            "correct": 90, "of": 100, "lower": "0.823777", "upper": "0.950995", "coverage": "0.1",
            "medianDelaySeconds": 7200,
        },
        "estimate": {"accuracy": "0.97", "lower": "0.95", "upper": "0.98", "valid": False, "why": "told apart"},
        "segments": (
            {"segment": "east", "rows": 500, "correct": 40, "of": 50, "drifted": True},
            {"segment": "west", "rows": 500, "correct": None, "of": None, "drifted": False},
        ),
        "quality": ({"check": "null", "passed": False, "observed": "0.5", "limit": "0.01", "detail": "in 'age'"},),
        "qualityRatio": "0.950000",
        "hints": ("'dose <mg>' may be in another unit",),
        "evidentlySha256": OTHER,
    }  # fmt: skip
    return drift_record(**values | changes)


def page(record: DriftRecord, facts: ReportFacts = FACTS) -> Element:
    return read_page(render_drift_report(record, facts))


def test_the_page_has_its_sections_in_order_and_the_verdict_first() -> None:
    found = page(full())
    assert [heading.text() for heading in found.all("h2")] == HEADINGS
    assert found.one("h1").text() == "digits"
    assert found.one(class_="verdict").text() == "DRIFTED GROSSLY inputs lie outside"
    header = found.one("header").text()
    for expected in ("window.parquet", "1\N{NARROW NO-BREAK SPACE}000 rows", "21 November 2026, 01:00 UTC", "a" * 12):
        assert " ".join(expected.split()) in header


@pytest.mark.parametrize(("verdict", "word"), [("clean", "CLEAN"), ("drifted", "DRIFTED"), ("undecided", "UNDECIDED")])
def test_each_verdict_has_its_word_and_its_colour(verdict: str, word: str) -> None:
    found = page(full(verdict=verdict)).one(class_="verdict")
    assert found.text().startswith(f"{word} ")
    assert verdict in found.classes


def section(found: Element, name: str) -> str:
    return next(part for part in found.all("section") if part.one("h2").text() == name).text()


def test_shift_and_out_of_distribution_are_told_apart_and_the_latter_never_speaks_of_accuracy() -> None:
    found = page(full())
    shift, outside = section(found, "Shift"), section(found, "Out of distribution")
    assert "1 of 2 columns drifted" in shift
    assert "AUROC" not in shift
    assert "AUROC 0.988" in outside
    assert "FPR95 0.101" in outside
    assert "449 rows of the reference" in outside
    assert outside.count("accurac") == outside.count("Never an accuracy.") == 1


def test_every_accuracy_has_interval_and_denominator() -> None:
    text = section(page(full()), "Accuracy")
    assert re.search(r"430 of 449 0\.958 \[0\.93\d, 0\.97\d\]", text)
    assert "90 of 100 0.900 [0.824, 0.951]" in text
    assert "labels for 0.1 of the answers, half of them within 2 h; it speaks of the rows whose labels came" in text
    assert "NOT VALID: told apart" in text
    assert "40 of 50" in text
    assert "no labels" in text
    assert "concept drift" not in text
    assert "can't be seen" in section(page(full(realised=None)), "Accuracy")


def test_what_moved_most_comes_first_and_is_drawn() -> None:
    found = page(full())
    figures = found.all("figure")
    assert figures[0].text().startswith("dose <mg> drifted , 1.5 sd")
    rows = [row.text() for row in found.all("details")[0].all("tr")]
    assert rows[1].startswith("dose <mg> mean +0.4 sd anderson darling 3.25 2 0.00123 1.5 sd")
    assert rows[2].startswith("age anderson darling 1 2")
    assert "Embedding: all together" in section(found, "Shift")


def test_a_table_of_thousands_of_columns_stays_readable() -> None:
    tests = tuple(column_part(f"column {number:04d}", "1") for number in range(3000))
    facts = replace(FACTS, distributions={f"column {number:04d}": DRAWN for number in range(3000)})
    html = render_drift_report(full(tests=tests, featuresTested=3000), facts)
    assert len(html) < 500_000
    assert "All 200 columns of 3000" in read_page(html).text()
    assert len(read_page(html).all("figure")) == MOST_CHARTS + 1


def test_evidence_is_linked_with_its_digest_or_it_is_said_why_there_is_none() -> None:
    found = page(full())
    (link,) = found.all("a")
    assert link.attributes["href"] == "evidently.html"
    text = section(found, "Evidence")
    assert OTHER in text
    assert "notes (no values)" in text
    without = page(full(evidentlySha256=None), replace(FACTS, no_evidence="InputError: not installed"))
    assert without.all("a") == []
    assert "no page by Evidently: InputError: not installed" in section(without, "Evidence")


def test_the_page_asks_nobody_for_anything_and_escapes_what_came_from_outside() -> None:
    hostile = '"><script>alert(1)</script><img src=x onerror=alert(1)>'
    record = full(
        hints=(hostile,),
        summary=hostile,
        window=full().window.model_dump(by_alias=True) | {"source": hostile},
        tests=(column_part(hostile, "1", note=hostile),),
    )
    html = render_drift_report(record, replace(FACTS, distributions={hostile: DRAWN}, samples=(hostile,)))
    found = read_page(html)
    assert found.all("script") == found.all("img") == found.all("link") == []
    assert not re.search(r"https?://|url\(|@import", html)
    assert html.isascii()
    policy = next(meta for meta in found.all("meta") if "http-equiv" in meta.attributes)
    assert policy.attributes["content"].startswith("default-src 'none'")


def test_a_record_of_nothing_measured_is_a_page_all_the_same() -> None:
    record = drift_record(signals=(), featuresTested=0, verdict="undecided", summary="0 complete rows")
    facts = replace(FACTS, distributions={}, distance=None, samples=(), no_evidence="no row is complete")
    found = page(record, facts)
    assert "None could be measured" in section(found, "Signals")
    assert "Not measured" in section(found, "Out of distribution")
