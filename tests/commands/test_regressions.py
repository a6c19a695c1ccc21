"""Failures frozen by a person, listed, and asked of the certified model."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from sklearn.datasets import load_digits

from tests.certificate.stored import copied_store
from tests.chain import Chain
from tests.command_line import CommandLine
from tests.drift.logs import image_columns, write_log


@pytest.fixture
def certificate(chain: Chain, tmp_path: Path) -> str:
    names = copied_store(chain, tmp_path).list_documents("certificates/")
    return names[0].removeprefix("certificates/").removesuffix(".json")


def window(path: Path, *, wrong: int) -> str:
    """50 digits with their labels; the first `wrong` were answered with another class."""
    found = load_digits()
    answers = np.where(np.arange(50) < wrong, (found.target[:50] + 1) % 10, found.target[:50])
    columns = image_columns(found.data[:50].reshape(-1, 1, 8, 8))
    labels = [str(label) for label in found.target[:50]]
    return write_log(path, columns | {"prediction": pa.array(answers, pa.int32()), "label": labels})


def test_failures_are_frozen_listed_and_asked_again(
    command_line: CommandLine, tmp_path: Path, certificate: str
) -> None:
    store = ("--store", tmp_path / "store")
    log = window(tmp_path / "log.parquet", wrong=7)
    done = command_line("regressions", "freeze", certificate, "--window", log, "--reason", "incident 12", *store)
    assert done.status == 0, done
    assert "7 of 7 failures of log.parquet frozen" in done.out
    listed = command_line("regressions", "list", "digits", *store)
    assert re.fullmatch(r"[0-9a-f]{12}  \S+Z  7 rows of model [0-9a-f]{12}  incident 12\n", listed.out)
    asked = command_line("regressions", "run", certificate, *store)
    counted = re.search(r"^(\d) of 7 frozen failures are right, in 1 set", asked.out, re.MULTILINE)
    assert counted, asked
    assert asked.status == (0 if counted[1] == "7" else 1)


def test_a_window_without_failures_is_one_line(command_line: CommandLine, tmp_path: Path, certificate: str) -> None:
    log = window(tmp_path / "log.parquet", wrong=0)
    done = command_line(
        *("regressions", "freeze", certificate, "--window", log, "--reason", "x", "--store", tmp_path / "store")
    )
    assert (done.status, "got none; nothing is to be frozen" in done.err) == (2, True), done
