"""The child of a local run does what `robustcert recertify` does, under the run id that it was given."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from monitoring.recertification_webhook.backends import local_child
from robustcert.certificate.bundle import read_record
from robustcert.certificate.window import windows_of
from robustcert.commands import recertification_run
from robustcert.provenance.digests import sha256_file
from robustcert.storage.store import open_store
from tests.chain import Chain
from tests.components.recertification_in_process import RecertificationInProcess
from tests.windows import drifted_window


@pytest.fixture(autouse=True)
def in_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes the place of kfp; tests/commands/test_recertification_run.py runs the pipeline under kfp."""
    monkeypatch.setattr(recertification_run, "run_pipeline", RecertificationInProcess(tmp_path / "artifacts").run)


def status(folder: Path, order: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> tuple[int, dict[str, Any]]:
    """Exit status and status of a child with that order."""
    folder.mkdir()
    (folder / "order.json").write_text(json.dumps(order))
    monkeypatch.setattr(sys, "argv", ["local_child", str(folder)])
    with pytest.raises(SystemExit) as ended:
        local_child.main()
    return int(str(ended.value.code)), json.loads((folder / "status.json").read_text())


def order_of(chain: Chain, folder: Path, **changes: Any) -> dict[str, Any]:
    shutil.copytree(chain.store, folder / "store")
    given = {
        "certificate_sha256": sha256_file(chain.files.certificate),
        "store": str(folder / "store"),
        "signing_key": str(chain.signing_key),
        "trusted_key": str(chain.public_key),
        "shards": 1,
        "workers": 1,
        "reason": "input-drift: a test",
        "run_id": "request-1",
        "window_uri": "",
        "window_sha256": "",
    }
    return {**given, **changes}


def test_the_certificate_bears_the_run_id_that_was_given(
    chain: Chain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = order_of(chain, tmp_path)
    assert status(tmp_path / "run", order, monkeypatch) == (0, {"state": "succeeded"})
    record = read_record(open_store(order["store"]), "request-1")
    assert (record.run_id, record.outcome) == ("request-1", "accepted")
    assert record.reason.endswith("input-drift: a test")
    assert sha256_file(tmp_path / "run/bundle/certificate.json") == record.certificate_sha256


def test_a_claim_that_fails_on_the_window_says_that_another_run_would_not_help(
    chain: Chain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = drifted_window(chain, tmp_path / "window.npz")
    order = order_of(chain, tmp_path, window_uri=str(window), window_sha256=sha256_file(window))
    ended, found = status(tmp_path / "run", order, monkeypatch)
    assert (ended, found["state"], found["refused"]) == (1, "failed", True)
    assert "clean_accuracy" in found["error"]
    (kept,) = windows_of(open_store(order["store"]), "request-1")
    assert not kept.holds


def test_what_the_world_did_may_be_better_next_time(
    chain: Chain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    order = order_of(chain, tmp_path)

    def fail(*_: Any, **__: Any) -> None:
        raise MemoryError("no room")

    monkeypatch.setattr(recertification_run, "run_pipeline", fail)
    ended, found = status(tmp_path / "run", order, monkeypatch)
    assert (ended, found) == (1, {"state": "failed", "error": "MemoryError: no room", "refused": False})
    assert "Traceback" in capsys.readouterr().err


def test_an_unknown_certificate_is_wrong_input(chain: Chain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order = order_of(chain, tmp_path, certificate_sha256="0" * 64)
    _, found = status(tmp_path / "run", order, monkeypatch)
    assert found["refused"]
