"""`robustcert prove-trees` from the command line, on a file that skl2onnx wrote."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier

from robustcert.data.dataset import Dataset, save_dataset
from robustcert.evaluation.statistics import rate
from tests.command_line import CommandLine
from tests.trees.onnx_examples import exported, noisy_table


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    built = noisy_table()
    save_dataset(built, tmp_path / "data.safetensors")
    model = RandomForestClassifier(5, max_depth=4, random_state=0)
    model.fit(built.x(), np.array(built.card.classes)[built.y])
    (tmp_path / "forest.onnx").write_bytes(exported(model, n_features=built.x().shape[1]))
    return built


def test_verdicts_are_counted_with_their_intervals_and_written(
    dataset: Dataset, tmp_path: Path, command_line: CommandLine
) -> None:
    out = tmp_path / "rows.jsonl"
    done = command_line(
        "prove-trees",
        tmp_path / "forest.onnx",
        tmp_path / "data.safetensors",
        "--epsilon",
        "0.05",
        "--unit",
        "feature_std",
        "--out",
        out,
    )
    assert (done.status, done.err) == (0, "")
    header, *rows = [json.loads(line) for line in out.read_text().splitlines()]
    test = dataset.select("test")
    assert [row["sample"] for row in rows] == test.sample_ids.tolist()
    assert (header["epsilon"], header["unit"]) == ("0.05", "feature_std")
    verdicts = [row["verdict"] for row in rows]
    assert {"wrong", "falsified", "verified"} <= set(verdicts)
    assert f"verified accuracy     {rate(verdicts.count('verified'), len(rows))}" in done.out
    possible = len(rows) - verdicts.count("wrong") - verdicts.count("falsified")
    assert f"robust accuracy       at most {rate(possible, len(rows))}" in done.out
    assert "s per sample" in done.out


def test_the_first_samples_are_enough_where_asked(dataset: Dataset, tmp_path: Path, command_line: CommandLine) -> None:
    out = tmp_path / "rows.jsonl"
    done = command_line(
        "prove-trees",
        tmp_path / "forest.onnx",
        tmp_path / "data.safetensors",
        "--epsilon",
        "0.1",
        "--samples",
        "3",
        "--out",
        out,
    )
    assert done.status == 0
    assert len(out.read_text().splitlines()) == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--epsilon", "0.1", "--unit", "metres"), "expected --unit input, 1/255, feature_std, got 'metres'"),
        (("--epsilon", "none"), "expected an epsilon above 0, got 'none'"),
        (("--epsilon", "0.1", "--threshold", "2"), "expected no threshold for a classifier, got 2.0"),
    ],
)
def test_wrong_usage_is_one_line(
    dataset: Dataset, tmp_path: Path, command_line: CommandLine, arguments: tuple[str, ...], message: str
) -> None:
    done = command_line("prove-trees", tmp_path / "forest.onnx", tmp_path / "data.safetensors", *arguments)
    assert done.status == 2
    assert message in done.err
    assert done.err.count("\n") == 1


def test_a_pickle_is_refused(dataset: Dataset, tmp_path: Path, command_line: CommandLine) -> None:
    (tmp_path / "forest.onnx").write_bytes(b"\x80\x04rest")
    done = command_line("prove-trees", tmp_path / "forest.onnx", tmp_path / "data.safetensors", "--epsilon", "1")
    assert done.status == 2
    assert "could run code when loaded (pickle)" in done.err
