"""What steps share: the specification from text, path or URI, progress lines, one-line failures, records."""

from __future__ import annotations

import errno
import hashlib
import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from robustcert.document import rfc3339
from robustcert.errors import ClaimError, InputError, SpecificationError
from robustcert.provenance.run_record import StepRecord
from robustcert.steps.step import at_least_one, finish_once, one_line_failures, open_inputs, progress
from robustcert.storage.store import open_store
from tests.chain import small_specification


def test_text_path_and_file_uri_give_the_same_specification(tmp_path: Path) -> None:
    text = small_specification()
    path = tmp_path / "a specification.yaml"
    path.write_text(text)
    store = open_store(str(tmp_path / "store"))
    uri = store.uri_of(store.put_bytes(text.encode()))
    found = {
        open_inputs(specification=given, store=store.uri).loaded.canonical_sha256 for given in (text, str(path), uri)
    }
    assert len(found) == 1


def test_a_missing_specification_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SpecificationError, match=r"no file .*nothing\.yaml"):
        open_inputs(specification=str(tmp_path / "nothing.yaml"), store=str(tmp_path))


def test_progress_is_one_line_that_a_local_run_understands(capsys: pytest.CaptureFixture[str]) -> None:
    progress("certification")(3, 7, "shard 1/2")
    assert capsys.readouterr().out == "::progress certification 3/7 shard 1/2\n"


def test_a_failure_is_printed_as_one_line_and_passes_on(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ClaimError), one_line_failures("gate"):
        raise ClaimError("two\nlines")
    assert capsys.readouterr().err == "::failure gate two lines\n"


def test_a_full_disk_is_one_line_with_a_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(OSError, match="No space"), one_line_failures("certification"):
        raise OSError(errno.ENOSPC, "No space left on device", "/x/evidence")
    assert capsys.readouterr().err == (
        "::failure certification expected room and permission for the step's files, "
        "got 'No space left on device' at '/x/evidence'; free space there or choose another folder\n"
    )


def test_a_step_is_recorded_and_a_second_one_is_reused(tmp_path: Path) -> None:
    inputs = open_inputs(specification=small_specification(), store=str(tmp_path / "store"))
    output, record = tmp_path / "output", tmp_path / "record"
    runs = []

    def run() -> dict[str, object]:
        runs.append(1)
        output.write_text("made")
        return {}

    def finish(key: int) -> StepRecord:
        finish_once(inputs, step="data_validation", key={"k": key}, outputs={"o": output}, record=record, run=run)
        return StepRecord.model_validate_json(record.read_bytes())

    assert [finish(1).reused, finish(1).reused, finish(2).reused] == [False, True, False]
    assert len(runs) == 2
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", finish(1).finished_at)


def test_the_environment_of_a_key_is_kept_in_the_store_and_named_in_the_record(tmp_path: Path) -> None:
    inputs = open_inputs(specification=small_specification(), store=str(tmp_path / "store"))
    output, record = tmp_path / "output", tmp_path / "record"
    key = {"environment": {"device": "cpu"}}

    def run() -> dict[str, object]:
        output.write_text("made")
        return {}

    finish_once(inputs, step="certification", key=key, outputs={"o": output}, record=record, run=run)
    named = StepRecord.model_validate_json(record.read_bytes()).environment_sha256
    assert named == hashlib.sha256(b'{"device":"cpu"}').hexdigest()
    assert inputs.store.read_bytes(named) == b'{"device":"cpu"}'


def test_times_are_utc_to_the_second() -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=timezone(timedelta(hours=2)))
    assert rfc3339(moment) == "2026-01-02T01:04:05Z"
    assert rfc3339(datetime(2026, 1, 2, tzinfo=UTC)) == "2026-01-02T00:00:00Z"


@pytest.mark.parametrize("number", [0, -1])
def test_a_number_of_workers_that_could_do_nothing_is_refused(number: int) -> None:
    with pytest.raises(InputError, match=f"expected at least 1 as workers, got {number}"):
        at_least_one("workers", number)
    at_least_one("workers", 1)
