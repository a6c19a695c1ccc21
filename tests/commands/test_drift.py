"""robustcert drift: exit status 0, 1 or 2, one table, and the pages where it says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from robustcert.commands.drift import fault_of
from robustcert.drift.record import parse_record
from robustcert.errors import InputError
from robustcert.provenance.digests import sha256_file
from robustcert.storage.store import Store
from tests.certificate.stored import copied_store
from tests.chain import Chain
from tests.command_line import CommandLine, Done
from tests.drift.windows import noisy, training_rows, write_labels, write_window


@pytest.fixture(autouse=True)
def store(chain: Chain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A copy of the chain's store, in the folder where the command runs; Evidently's page has its own tests."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("robustcert.drift.assembly._evidently", lambda found, policy: (None, "not asked for"))
    (tmp_path / "policy.yaml").write_text(
        "samples: {tests: 200, permutations: 699}\nquality: {oldestHours: 1000000.0}\n"
    )
    return copied_store(chain, tmp_path)


def drift(command_line: CommandLine, chain: Chain, window: Path, *options: object) -> Done:
    wanted = sha256_file(chain.files.certificate)
    given = ("drift", wanted, "--window", window, "--key", chain.signing_key, "--policy", "policy.yaml")
    return command_line(*given, *options)


def test_a_clean_window_ends_with_status_0_and_says_where_everything_lies(
    command_line: CommandLine, chain: Chain, store: Store, tmp_path: Path
) -> None:
    x, y = training_rows(chain)
    window = write_window(tmp_path / "w.parquet", x, prediction=pa.array(y, pa.int32()))
    labels = write_labels(tmp_path / "l.parquet", y)
    found = drift(command_line, chain, window, "--trusted-key", chain.public_key, "--labels", labels)
    assert found.status == 0, found
    assert "verdict      CLEAN: none of 7 signals is above its threshold, 600 rows" in found.out
    assert "accuracy     600 of 600 on labels [0.993870, 1.000000]" in found.out
    document = re.search(r"record       (drift/digits/\S+)", found.out)
    assert document is not None
    data = store.read_document(document[1]) or b""
    assert data == Path("out/digits-drift/record.json").read_bytes()
    assert parse_record(data, keys=(chain.key,)).verdict == "clean"
    assert "report       out/digits-drift/report.html" in found.out
    assert Path("out/digits-drift/report.html").read_text().startswith("<!doctype html>")
    assert not Path("out/digits-drift/evidently.html").exists()


def test_a_drifted_window_ends_with_status_1_and_its_record_in_the_store(
    command_line: CommandLine, chain: Chain, store: Store, tmp_path: Path
) -> None:
    window = write_window(tmp_path / "w.parquet", noisy(training_rows(chain)[0]))
    found = drift(command_line, chain, window, "--out", "pages")
    assert found.status == 1
    assert re.search(r"embedding +mmd +\S+ +\S+ +\d+ +\d+ +DRIFTED", found.out)
    assert "look at      " in found.out
    assert "expected data like those that were certified, got" in found.err
    assert len(found.err.splitlines()) == 1
    assert len(store.list_documents("drift/")) == 1
    assert json.loads(Path("pages/record.json").read_text())["payloadType"] == "application/vnd.in-toto+json"


def test_a_planted_fault_is_found_and_not_stored(
    command_line: CommandLine, chain: Chain, store: Store, tmp_path: Path
) -> None:
    window = write_window(tmp_path / "w.parquet", training_rows(chain)[0])
    found = drift(command_line, chain, window, "--inject", "brightness:5")
    assert found.status == 1
    assert "record       not stored: a replay" in found.out
    assert store.list_documents("drift/") == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--policy", "none.yaml"), "expected a drift policy, got 'none.yaml', unreadable"),
        (("--key", "none"), "expected a key file at 'none'"),
        (("--labels", "none.csv"), "expected rows at 'none.csv', got nothing there"),
        (("--inject", "rain"), "KIND or KIND:SEVERITY"),
        (("--store", "elsewhere"), "expected one certificate"),
        (("--last-hours", "-1"), "--last-hours"),
    ],
)
def test_wrong_input_ends_with_status_2_in_one_line(
    command_line: CommandLine, chain: Chain, tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    found = drift(command_line, chain, write_window(tmp_path / "w.parquet", np.zeros((5, 64))), *options)
    assert found.status == 2
    assert message in found.err
    assert len(found.err.splitlines()) == 1


def test_a_window_that_can_not_tell_ends_with_status_2_and_a_record(
    command_line: CommandLine, chain: Chain, store: Store, tmp_path: Path
) -> None:
    found = drift(command_line, chain, write_window(tmp_path / "w.parquet", np.zeros((5, 64))))
    assert found.status == 2
    assert "verdict      UNDECIDED: 5 complete rows in the window, fewer than 100" in found.out
    assert "expected a window that can be judged" in found.err
    assert len(store.list_documents("drift/")) == 1


@pytest.mark.parametrize(("rows", "verdict"), [("clean", "CLEAN"), ("noisy", "DRIFTED|GROSS"), ("few", "UNDECIDED")])
def test_a_report_alone_ends_with_status_0_whatever_the_record_says(
    command_line: CommandLine, chain: Chain, store: Store, tmp_path: Path, rows: str, verdict: str
) -> None:
    x = training_rows(chain)[0]
    window = write_window(tmp_path / "w.parquet", {"clean": x, "noisy": noisy(x), "few": np.zeros((5, 64))}[rows])
    found = drift(command_line, chain, window, "--report-only")
    assert (found.status, found.err) == (0, "")
    assert re.search(f"verdict      ({verdict}): ", found.out)
    (document,) = store.list_documents("drift/")
    assert f"record       {document}\n" in found.out
    assert parse_record(store.read_document(document) or b"", keys=(chain.key,)).name == "digits"


@pytest.mark.parametrize("options", [("--window", "nowhere.parquet"), ("--key", "none"), ("--inject", "noise")])
def test_a_report_alone_fails_where_no_record_is_stored(
    command_line: CommandLine, chain: Chain, store: Store, tmp_path: Path, options: tuple[str, ...]
) -> None:
    window = write_window(tmp_path / "w.parquet", training_rows(chain)[0])
    found = drift(command_line, chain, window, "--report-only", *options)
    assert (found.status, found.out, found.err.count("\n")) == (2, "", 1)
    assert store.list_documents("drift/") == []


def test_the_certificate_may_be_signed_by_one_of_a_folder_of_keys(
    command_line: CommandLine, chain: Chain, store: Store, tmp_path: Path
) -> None:
    window, keys = write_window(tmp_path / "w.parquet", np.zeros((5, 64))), tmp_path / "keys"
    assert command_line("keys", "new", tmp_path / "drift").status == 0
    keys.mkdir()
    (tmp_path / "drift.pub").rename(keys / "drift.pub")
    refused = drift(command_line, chain, window, "--report-only", "--trusted-key", keys)
    assert (refused.status, refused.out) == (1, "")
    assert "expected a signature by one of 1 trusted keys, got one by another key" in refused.err
    (keys / "issuer.pub").write_bytes(chain.public_key.read_bytes())
    assert drift(command_line, chain, window, "--report-only", "--trusted-key", keys).status == 0
    assert len(store.list_documents("drift/")) == 1


def test_a_fault_is_named_by_kind_and_severity() -> None:
    assert (fault_of("stuck").severity, fault_of("unit:5").size) == (3, 1000.0)
    for text in ("noise:6", "noise:0", ":3", "noise:x"):
        with pytest.raises(InputError, match="choose one"):
            fault_of(text)
