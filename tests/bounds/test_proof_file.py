"""The proof's file: rows and witnesses survive a kill, and another question is refused."""

from pathlib import Path

import numpy as np
import pytest

from robustcert.bounds.proof_file import ProofFile, ProofHeader, opened, read_proof, read_witnesses
from robustcert.bounds.verdict import SampleVerdict
from robustcert.errors import DataError, InputError, StorageError

HEADER = ProofHeader(
    model="1" * 64,
    dataset="2" * 64,
    norm="linf",
    epsilon="0.1",
    unit="input",
    time_limit="30.000",
    steps=50,
    restarts=5,
    alpha_iterations=30,
    seed=0,
)


def begun(folder: Path, *, header: ProofHeader = HEADER) -> ProofFile:
    return opened(folder / "proof.jsonl", witnesses=folder / "witnesses.safetensors", header=header)


def verdict(sample: int, *, witness: bool = False) -> SampleVerdict:
    return SampleVerdict(
        sample=sample,
        input_sha256="0" * 64,
        label=0,
        verdict="falsified" if witness else "verified",
        stage="milp",
        bounds_Q=np.array([0.5]),
        witness=np.full((1, 2), sample, np.float32) if witness else None,
    )


def test_what_was_flushed_is_read_back(tmp_path: Path) -> None:
    file = begun(tmp_path)
    for sample in (3, 1):
        file.add(verdict(sample, witness=sample == 1))
    file.flush()
    header, rows = read_proof(tmp_path / "proof.jsonl")
    assert header == HEADER
    assert [row["sample"] for row in rows] == [3, 1]
    assert {sample: found.tolist() for sample, found in read_witnesses(tmp_path / "witnesses.safetensors").items()} == {
        1: [[1.0, 1.0]]
    }


def test_a_killed_run_goes_on_where_it_was_and_drops_a_line_that_was_cut(tmp_path: Path) -> None:
    file = begun(tmp_path)
    file.add(verdict(1, witness=True))
    file.flush()
    whole = (tmp_path / "proof.jsonl").read_bytes()
    (tmp_path / "proof.jsonl").write_bytes(whole + whole.splitlines()[1][:40])
    again = begun(tmp_path)
    assert again.samples == {1}
    again.add(verdict(2, witness=True))
    again.flush()
    _, rows = read_proof(tmp_path / "proof.jsonl")
    assert [row["sample"] for row in rows] == [1, 2]
    assert sorted(read_witnesses(tmp_path / "witnesses.safetensors")) == [1, 2]


def test_a_witness_whose_row_was_never_written_is_forgotten(tmp_path: Path) -> None:
    file = begun(tmp_path)
    file.add(verdict(1, witness=True))
    file.flush()
    (tmp_path / "proof.jsonl").write_bytes(HEADER.line())
    again = begun(tmp_path)
    again.add(verdict(2, witness=True))
    again.flush()
    assert sorted(read_witnesses(tmp_path / "witnesses.safetensors")) == [2]


def test_another_question_is_refused(tmp_path: Path) -> None:
    begun(tmp_path)
    with pytest.raises(InputError, match=r"expected a proof of the same question in .*, got another epsilon"):
        begun(tmp_path, header=HEADER.model_copy(update={"epsilon": "0.2"}))


@pytest.mark.parametrize(
    "content",
    [b"", b"{}\n", b"not json\n", HEADER.line() + b'{"sample":"1"}\n', HEADER.line() + b"[]\n", b"\xff\xfe\n"],
)
def test_what_is_no_proof_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "proof.jsonl").write_bytes(content)
    with pytest.raises(DataError, match=r"expected a proof at .*, got something else"):
        read_proof(tmp_path / "proof.jsonl")


def test_a_missing_file_and_other_witnesses_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"expected a proof at .*, got No such file"):
        read_proof(tmp_path / "proof.jsonl")
    with pytest.raises(DataError, match="expected a file of adversarial inputs"):
        read_witnesses(tmp_path / "witnesses.safetensors")


def test_a_folder_that_takes_no_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"expected to write proof.jsonl"):
        begun(tmp_path / "missing")
