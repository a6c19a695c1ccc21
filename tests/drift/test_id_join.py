"""Answers meet their labels by id; a plain dictionary is the oracle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from robustcert.drift.id_join import NO_TIME, Facts, Partitions, joined_parts

Row = tuple[str, int, int]


def facts(rows: list[Row]) -> Facts:
    ids, classes, times = zip(*rows, strict=True)
    return Facts(
        ids=pa.array(ids), classes=np.array(classes), times=np.array(times), segments=np.array(classes) * 10
    )  # fmt: skip


def sides(folder: Path, answers: list[Row], labels: list[Row], *, size: int = 3) -> tuple[Partitions, Partitions]:
    found = []
    for name, rows in (("answers", answers), ("labels", labels)):
        (folder / name).mkdir()
        partitions = Partitions(folder / name)
        for start in range(0, len(rows), size):
            partitions.add(facts(rows[start : start + size]))
        found.append(partitions)
    return found[0], found[1]


def totals(folder: Path, answers: list[Row], labels: list[Row]) -> dict[str, int]:
    parts = list(joined_parts(*sides(folder, answers, labels)))
    names = ("answered", "repeated", "contradicted", "unmatched")
    return {name: sum(getattr(part, name) for part in parts) for name in names}


def test_a_join_is_that_of_a_dictionary(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    answers = [(f"id-{number}", int(rng.integers(0, 5)), number) for number in rng.permutation(900).tolist()]
    labels = [(f"id-{number}", int(rng.integers(0, 5)), 10**7 + number) for number in rng.permutation(1200)[:700]]
    wanted = {sample: label for sample, label, _ in labels}
    pairs = sorted((cls, wanted[sample]) for sample, cls, _ in answers if sample in wanted)
    parts = list(joined_parts(*sides(tmp_path, answers, labels, size=100)))
    found = sorted(pair for part in parts for pair in zip(part.predictions.tolist(), part.labels.tolist(), strict=True))
    assert found == pairs
    assert sum(part.answered for part in parts) == 900
    assert sum(part.unmatched for part in parts) == 700 - len(pairs)
    assert all(np.array_equal(part.segments, part.predictions * 10) for part in parts)
    assert all((part.delays == 10).all() for part in parts), "microseconds become seconds"
    assert max(len(part.predictions) for part in parts) < 60, "no part holds much more than a 64th"


def test_the_first_answer_counts_and_the_newest_label(tmp_path: Path) -> None:
    answers = [("a", 2, 200), ("a", 1, 100), ("b", 3, 100)]
    labels = [("a", 5, 900), ("a", 6, 500), ("b", 7, NO_TIME), ("b", 8, 10)]
    parts = list(joined_parts(*sides(tmp_path, answers, labels)))
    found = {int(p): int(label) for part in parts for p, label in zip(part.predictions, part.labels, strict=True)}
    assert found == {1: 5, 3: 8}
    assert sum(part.repeated for part in parts) == 1


@pytest.mark.parametrize("time", [NO_TIME, 500])
def test_labels_of_one_time_that_disagree_are_left_out(tmp_path: Path, time: int) -> None:
    answers = [("a", 1, 100), ("b", 1, 100)]
    labels = [("a", 5, time), ("a", 6, time), ("b", 7, time), ("b", 7, time)]
    assert totals(tmp_path, answers, labels) == {"answered": 2, "repeated": 0, "contradicted": 1, "unmatched": 0}


def test_an_older_disagreement_does_not_matter(tmp_path: Path) -> None:
    labels = [("a", 5, 1), ("a", 6, 1), ("a", 6, 2)]
    assert totals(tmp_path, [("a", 6, 0)], labels)["contradicted"] == 0


def test_sides_that_never_meet_are_counted(tmp_path: Path) -> None:
    answers = [(f"a{number}", 1, 0) for number in range(10)] + [("a0", 1, 0)]
    labels = [(f"b{number}", 1, 0) for number in range(20)]
    assert totals(tmp_path, answers, labels) == {"answered": 10, "repeated": 1, "contradicted": 0, "unmatched": 20}


def test_delays_without_a_time_are_unknown_and_negative_ones_nothing(tmp_path: Path) -> None:
    answers = [("a", 0, 5_000_000), ("b", 1, NO_TIME), ("c", 2, 0)]
    labels = [("a", 0, 1), ("b", 1, 7), ("c", 2, 2_500_000)]
    parts = joined_parts(*sides(tmp_path, answers, labels))
    delays = {int(p): float(d) for part in parts for p, d in zip(part.predictions, part.delays, strict=True)}
    assert delays[0] == 0
    assert np.isnan(delays[1])
    assert delays[2] == 2.5
