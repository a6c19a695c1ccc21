"""What all steps share: their inputs opened, their progress printed, their record kept, their failure said in one line.

Progress and failures are log lines with a fixed prefix, because a log is the one channel that exists on a cluster and
in a local run alike; `robustcert run` turns them into bars.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote

from robustcert.document import rfc3339
from robustcert.errors import InputError, RobustcertError, expected
from robustcert.provenance.digests import canonical_json
from robustcert.provenance.resource_use import ResourceClock
from robustcert.provenance.run_record import StepRecord
from robustcert.specification_file import LoadedSpecification, parse_specification, read_specification
from robustcert.storage.atomic import disk_failure
from robustcert.storage.finished_steps import StepOutcome, once
from robustcert.storage.store import Store, open_store

PROGRESS_PREFIX = "::progress"
FAILURE_PREFIX = "::failure"


@dataclass(frozen=True, kw_only=True)
class StepInputs:
    """What every step starts from; relative paths of the specification start at `folder`."""

    loaded: LoadedSpecification
    store: Store
    folder: Path
    run_token: str


def open_inputs(*, specification: str, store: str, source_folder: str = "", run_token: str = "") -> StepInputs:
    """Opens the store and the specification, which is given as its text, a path, a file: or an s3:// URI."""
    return StepInputs(
        loaded=_load(specification),
        store=open_store(store),
        folder=Path(source_folder),
        run_token=run_token,
    )


def finish_once(
    inputs: StepInputs,
    *,
    step: str,
    key: Mapping[str, object],
    outputs: Mapping[str, Path],
    record: Path,
    run: Callable[[], Mapping[str, object]],
) -> StepOutcome:
    """Runs a step unless the store holds its outputs for the same inputs; writes what it cost to `record`."""
    started, clock = datetime.now(UTC), ResourceClock()
    everything = {**key, "runToken": inputs.run_token}
    outcome = once(
        inputs.store, step=step, inputs=everything, outputs=outputs, run=run, clock=lambda: datetime.now(UTC)
    )
    if outcome.reused:
        progress(step)(1, 1, "already done")
    entry = StepRecord(
        step=step,
        key=outcome.key,
        reused=outcome.reused,
        started_at=rfc3339(started),
        finished_at=outcome.finished_at,
        **asdict(clock.used()),
        outputs=dict(outcome.digests),
        environment_sha256=_kept_environment(inputs.store, key),
    )
    record.write_text(entry.model_dump_json(by_alias=True))
    return outcome


def progress(step: str) -> Callable[[int, int, str], None]:
    """A function (done, total, text) that prints one progress line of `step`."""

    def show(done: int, total: int, text: str = "") -> None:
        print(f"{PROGRESS_PREFIX} {step} {done}/{total} {text}".rstrip(), flush=True)

    return show


def at_least_one(name: str, number: int) -> None:
    """InputError for a number of workers or processes that could do nothing."""
    if number < 1:
        raise InputError(expected(f"at least 1 as {name}", got=number, remedy=f"give another number of {name}"))


@contextmanager
def one_line_failures(step: str) -> Iterator[None]:
    """Prints the cause of a failure as one line of the log, then lets it pass."""
    try:
        yield
    except RobustcertError as error:
        _print_failure(step, str(error))
        raise
    except OSError as error:
        place = Path(str(error.filename or tempfile.gettempdir()))
        _print_failure(step, disk_failure(error, wanted="room and permission for the step's files", path=place))
        raise


def _kept_environment(store: Store, key: Mapping[str, object]) -> str | None:
    """Digest of the environment in a step's key, kept as an object for the step that issues the certificate."""
    return store.put_bytes(canonical_json(key["environment"])) if "environment" in key else None


def _print_failure(step: str, cause: str) -> None:
    print(f"{FAILURE_PREFIX} {step} {' '.join(cause.split())}", file=sys.stderr, flush=True)


def _load(specification: str) -> LoadedSpecification:
    if "\n" in specification:
        return parse_specification(specification, name="specification")
    if not specification.startswith("s3://"):
        return read_specification(Path(unquote(specification.removeprefix("file:").removeprefix("//"))))
    from robustcert.storage.s3 import fetch_object

    with tempfile.TemporaryDirectory() as folder:
        fetch_object(specification, Path(folder) / "specification.yaml")
        return read_specification(Path(folder) / "specification.yaml")
