"""The window of a recertification: that of the newest drift record which a trusted key signed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from monitoring.recertification_webhook.settings import BackendSettings, LocalSettings
from robustcert.certificate.keys import SigningKey, new_key
from robustcert.drift.record import write_record
from tests.drift.records import drift_record
from tests.monitoring.recertification_webhook.office import Office
from tests.monitoring.recertification_webhook.small_store import model_sha256

MakeOffice = Callable[..., Office]
SHA256 = "ef" * 32
NOTHING = ("", "")


def recorded(office: Office, *, key: SigningKey | None = None, day: int = 20, **changes: Any) -> None:
    """A drift record of the digits model; `changes` are of its window."""
    window = drift_record().window.model_dump(by_alias=True) | {
        "place": "s3://bucket/window.parquet",
        "sha256": SHA256,
        "labelled": 1000,
        "lastAt": f"2026-11-{day}T00:00:00Z",
        **changes,
    }
    record = drift_record(modelSha256=model_sha256("digits"), window=window)
    write_record(office.small.store, record, key=key or office.small.key)


def ordered(office: Office, reason: str = "input-drift") -> tuple[str, str]:
    """Place and digest of the window that a run was asked for with."""
    office.offer(reason=reason)
    office.passes()
    order = office.backend.orders[-1]
    return order.window_uri, order.window_sha256


def test_a_drifted_model_is_judged_on_its_newest_window(office: Office) -> None:
    recorded(office, place="s3://bucket/older.parquet", day=19)
    recorded(office)
    assert ordered(office) == ("s3://bucket/window.parquet", SHA256)


@pytest.mark.parametrize("reason", ["expiring", "schedule", "manual"])
def test_without_drift_there_is_no_window(office: Office, reason: str) -> None:
    recorded(office)
    assert ordered(office, reason) == NOTHING


@pytest.mark.parametrize(
    "changes",
    [
        {"labelled": 0},
        {"sha256": "", "files": ({"name": "a.parquet", "sha256": SHA256},)},
        {"place": "/data/window.parquet"},
    ],
    ids=["unlabelled", "a folder", "a path that pods can't see"],
)
def test_a_window_that_the_run_could_not_use_is_left_out(office: Office, changes: dict[str, Any]) -> None:
    recorded(office, **changes)
    assert ordered(office) == NOTHING


def test_a_run_on_this_machine_may_read_a_path(make_office: MakeOffice, tmp_path: Path) -> None:
    local = BackendSettings(local=LocalSettings(folder=tmp_path / "runs", signing_key=tmp_path / "key"))
    office = make_office(backend=local)
    recorded(office, place="/data/window.parquet")
    assert ordered(office) == ("/data/window.parquet", SHA256)


def test_a_record_that_nobody_trusted_signed_chooses_no_window(office: Office) -> None:
    recorded(office, key=new_key("ed25519"))
    assert ordered(office) == NOTHING


def test_no_record_is_no_window(office: Office) -> None:
    assert ordered(office) == NOTHING
