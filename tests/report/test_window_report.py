"""The window's page: plain Markdown with every number, and nothing that a file's name could smuggle in."""

from __future__ import annotations

from robustcert.report.window_report import window_markdown
from tests.certificate.test_window import criterion, evaluation


def test_the_page_has_verdict_criterion_interval_and_denominator() -> None:
    text = window_markdown(evaluation())
    assert "**Holds**: all 1 empirical criteria met on the window of 24 rows." in text
    assert "| clean_accuracy |  | >= 0.5 | 0.6 | yes |" in text
    assert "| clean |  | 20 of 24 | 0.833333 | 0.6 to 0.95 at 0.95 |" in text


def test_a_failure_is_said_first() -> None:
    found = evaluation(criteria=(criterion(met=False),), holds=False)
    assert "**Does not hold**: 1 criteria not met" in window_markdown(found).splitlines()[2]


def test_no_name_and_no_detail_becomes_markup() -> None:
    text = window_markdown(evaluation(source="a|b<img src=x>[c](javascript:d).npz"))
    assert not set("<[`") & set(text)
    (line,) = (line for line in text.splitlines() if line.startswith("| finite"))
    assert line.count("|") == 4
