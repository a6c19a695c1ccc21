"""robustcert prove: the table, the files, resuming, and one line for what is wrong."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from robustcert.bounds import pipeline
from robustcert.bounds.proof_attack import Samples
from robustcert.bounds.proof_file import read_proof, read_witnesses
from robustcert.bounds.recheck import Rechecker
from robustcert.bounds.verdict import SampleVerdict, witness_sha256
from robustcert.data.dataset import load_dataset
from robustcert.models.files import load_model, save_model
from tests.bounds.digits_nets import digits_body, digits_files
from tests.command_line import CommandLine

QUICK = ("--norm", "linf", "--epsilon", "0.08")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("digits")
    return digits_files(folder, digits_body(width=16, epsilon=0.1, epochs=8), width=16, samples=24)


def test_it_prints_counts_and_both_bounds_and_writes_rows_that_hold(
    command_line: CommandLine, files: tuple[Path, Path], tmp_path: Path
) -> None:
    done = command_line(
        "prove", *files, *QUICK, "--out", tmp_path / "rows.jsonl", "--witnesses", tmp_path / "w.safetensors"
    )
    assert done.status == 0
    header, rows = read_proof(tmp_path / "rows.jsonl")
    assert len(rows) == 24
    counted = {
        name: sum(row["verdict"] == name for row in rows) for name in ("wrong", "falsified", "verified", "unknown")
    }
    for name, count in counted.items():
        assert any(line.split()[:2] == [name, str(count)] for line in done.out.splitlines())
    assert f"({counted['verified']} of 24, 95 %)" in done.out
    assert "robust accuracy       at most" in done.out
    witnesses = read_witnesses(tmp_path / "w.safetensors")
    rechecker = Rechecker(load_model(files[0]), load_dataset(files[1]), header)
    assert [rechecker.reason(row, witness=witnesses.get(row["sample"])) for row in rows] == [None] * 24
    for row in rows:
        assert not row["witness"] or witness_sha256(witnesses[row["sample"]]) == row["witness"]


def test_an_interrupted_run_is_resumed_to_the_same_bytes(
    command_line: CommandLine, files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, cut = tmp_path / "whole.jsonl", tmp_path / "cut.jsonl"
    assert command_line("prove", *files, *QUICK, "--out", whole).status == 0
    original, calls = pipeline.Prover._chunk, []

    def interrupted(self: pipeline.Prover, samples: Samples) -> Iterator[SampleVerdict]:
        calls.append(samples)
        if len(calls) > 2:
            raise KeyboardInterrupt
        yield from original(self, samples)

    monkeypatch.setattr(pipeline, "CHUNK", 5)
    monkeypatch.setattr(pipeline.Prover, "_chunk", interrupted)
    assert command_line("prove", *files, *QUICK, "--out", cut).status == 130
    assert len(read_proof(cut)[1]) == 10
    monkeypatch.setattr(pipeline.Prover, "_chunk", original)
    assert command_line("prove", *files, *QUICK, "--out", cut).status == 0
    assert cut.read_bytes() == whole.read_bytes()
    assert (
        read_witnesses(cut.with_name("cut.jsonl.witnesses.safetensors")).keys()
        == read_witnesses(whole.with_name("whole.jsonl.witnesses.safetensors")).keys()
    )


def test_fewer_samples_come_first_and_more_are_added(
    command_line: CommandLine, files: tuple[Path, Path], tmp_path: Path
) -> None:
    for samples in (2, 5):
        done = command_line("prove", *files, *QUICK, "--samples", samples, "--out", tmp_path / "rows.jsonl")
        assert f"of {samples}, 95 %)" in done.out
    assert [row["sample"] for row in read_proof(tmp_path / "rows.jsonl")[1]] == [1200, 1201, 1202, 1203, 1204]


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        (("--norm", "linfinity"), "expected --norm linf, l2, l1, got 'linfinity'"),
        (("--unit", "pixels"), "expected --unit input"),
        (("--epsilon", "-1"), "expected a positive epsilon, got '-1'"),
    ],
)
def test_wrong_arguments_are_one_line(
    command_line: CommandLine, files: tuple[Path, Path], tmp_path: Path, changes: tuple[str, str], wanted: str
) -> None:
    done = command_line("prove", *files, *QUICK, *changes, "--out", tmp_path / "rows.jsonl")
    assert (done.status, len(done.err.splitlines())) == (2, 1)
    assert wanted in done.err


def test_wrong_files_are_one_line(command_line: CommandLine, files: tuple[Path, Path], tmp_path: Path) -> None:
    for model, dataset, wanted in (
        (files[1], files[1], "expected"),
        (files[0], files[0], "expected a data set file"),
        (tmp_path / "none", files[1], "no file at"),
    ):
        done = command_line("prove", model, dataset, *QUICK, "--out", tmp_path / "rows.jsonl")
        assert (done.status, len(done.err.splitlines())) == (2, 1)
        assert wanted in done.err


def test_a_model_with_the_same_classes_in_another_order_is_refused(
    command_line: CommandLine, files: tuple[Path, Path], tmp_path: Path
) -> None:
    loaded = load_model(files[0])
    card = loaded.card.model_copy(update={"classes": loaded.card.classes[::-1]})
    save_model(loaded.module, card, tmp_path / "swapped.safetensors")
    done = command_line("prove", tmp_path / "swapped.safetensors", files[1], *QUICK, "--out", tmp_path / "rows.jsonl")
    assert (done.status, len(done.err.splitlines())) == (2, 1)
    assert "in this order" in done.err


def test_another_question_does_not_mix_into_a_file(
    command_line: CommandLine, files: tuple[Path, Path], tmp_path: Path
) -> None:
    out = ("--samples", "1", "--out", tmp_path / "rows.jsonl")
    assert command_line("prove", *files, *QUICK, *out).status == 0
    done = command_line("prove", *files, "--norm", "l2", "--epsilon", "0.08", *out)
    assert done.status == 2
    assert "got another norm" in done.err
