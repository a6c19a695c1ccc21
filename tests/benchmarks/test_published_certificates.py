"""The program on files of the published form that are made here, of which the answers are known; it runs in full."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import scipy.stats

from benchmarks import published_certificates
from benchmarks.published_certificates import draws_at, draws_together, failure_of, main, published_table, rows_of

LOG = (
    "idx\tlabel\tpredict\tradius\tcorrect\ttime\n0\t3\t3\t0.5\t1\t16.6\n20\t7\t-1\t0.0\t0\t17\n40\t4\t1\t1.91\t0\t17\n"
)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Two files in the folders of the published ones."""
    for name, *_ in published_certificates.TABLES[:2]:
        path = tmp_path / "data" / "certify" / name
        path.parent.mkdir(parents=True)
        path.write_text(LOG)
    return tmp_path


def test_abstentions_and_wrong_classes_count_in_the_denominator_alone(repository: Path) -> None:
    rows = rows_of(repository / "data/certify" / published_certificates.TABLES[1][0])
    assert [row["decision"] for row in rows] == ["certified", "abstain", "certified"]
    assert published_table(rows, (0.25, 0.5, 0.75)) == "0.25 0.333, 0.5 0.333, 0.75 0.000; average radius 0.166666"


def test_a_radius_is_inverted_to_the_votes_that_give_it(repository: Path) -> None:
    """1.91 of sigma .5 is more than 100,000 unanimous votes give, 3.8115 sigma = 1.9057: no failures."""
    rows = rows_of(repository / "data/certify" / published_certificates.TABLES[1][0])
    one, abstained, unanimous = (failure_of(row, 0.5) for row in rows)
    lower = scipy.stats.beta.ppf(0.001, 100_000 * (1 - one), 100_000 * one + 1)
    assert 0.5 * scipy.stats.norm.ppf(lower) == pytest.approx(0.5, abs=1e-4)
    assert (abstained, unanimous) == (0.55, 0.0)


def test_draws_at_a_radius_are_the_published_characteristics() -> None:
    """Target .5 sigma at p = .9: 67 draws of a plan of at most 100,000; at p = 1, 23."""
    assert "fixed 1.0000/100000" in draws_at(0.5, [0.1])
    assert "GS 100k 1.0000/67 (1482x)" in draws_at(0.5, [0.1])
    assert "GS 100k 1.0000/23" in draws_at(0.5, [0.0])


def test_radii_on_one_stream_are_decided_where_the_last_of_them_is() -> None:
    """Unanimous votes: 17 draws certify .25 sigma and 49 certify 1 sigma."""
    assert draws_together([0.25, 1.0], [0.0]) == "1.0000, 1.0000; mean draws 49 (2040.8x)"


def test_the_tables_are_printed_for_every_file(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(published_certificates, "TABLES", published_certificates.TABLES[:1])
    monkeypatch.setattr(sys, "argv", ["published_certificates.py", str(repository)])
    main()
    table, at, alone, with_majority = capsys.readouterr().out.splitlines()
    assert table.endswith("0.25 0.333, 0.5 0.333, 0.75 0.000; average radius 0.166666")
    assert at.startswith("  at 0.25: fixed ")
    assert alone.startswith("  at (0.25, 0.5, 0.75) on one stream: ")
    assert with_majority.startswith("  at (0.0, 0.25, 0.5, 0.75) on one stream: ")
