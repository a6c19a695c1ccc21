"""The controller's settings: a YAML file, every key known, checked when it is read.

Keys are lowerCamelCase, times are a number with its unit: `90s`, `15m`, `6h`, `14d`. Relative paths are relative to the
file's folder. Secrets are never in it, only the paths of files that hold them.
"""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from robustcert.errors import InputError, expected
from robustcert.storage.atomic import disk_failure
from robustcert.yaml_document import read_yaml

Model = TypeVar("Model", bound="Part")

_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def duration(value: object) -> object:
    """A text such as `15m` as a timedelta; anything else is left to pydantic.

    >>> duration("1.5h")
    datetime.timedelta(seconds=5400)
    """
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if isinstance(value, str) and not found:
        raise ValueError("expected a time such as 90s, 15m, 6h or 14d")
    return timedelta(seconds=float(found[1]) * _SECONDS[found[2]]) if found else value


Duration = Annotated[timedelta, BeforeValidator(duration), Field(ge=timedelta(0), le=timedelta(days=3650))]
Positive = Annotated[timedelta, BeforeValidator(duration), Field(gt=timedelta(0), le=timedelta(days=3650))]


class Part(BaseModel):
    """A part of the settings: frozen, unknown keys refused."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        allow_inf_nan=False,
        hide_input_in_errors=True,
    )


class KubeflowSettings(Part):
    """Runs on Kubeflow Pipelines; `parameters` are further inputs of the pipeline `recertification`, such as shards.

    `answer` is how long the controller waits for one, `settle` longer than server and proxies may take over a request
    from then on: only after it a run whose answer was lost counts as not started. `ui` is where people see runs, `host`
    where it is left out.
    """

    host: str
    namespace: str = ""
    token_file: Path | None = None
    ca_file: Path | None = None
    experiment: str = "recertification"
    service_account: str = ""
    parameters: dict[str, Any] = {}
    answer: Positive = timedelta(seconds=20)
    settle: Positive = timedelta(seconds=90)
    ui: str = ""

    @model_validator(mode="after")
    def _patient(self) -> Self:
        if self.settle < 2 * self.answer:
            raise ValueError(f"expected settle to be at least twice as long as answer, {self.answer}")
        return self


class LocalSettings(Part):
    """Runs as child processes of this machine, each in a folder of its own below `folder`."""

    folder: Path
    signing_key: Path
    trusted_key: Path | None = None
    shards: Annotated[int, Field(ge=1, le=1000)] = 1
    workers: Annotated[int, Field(ge=1, le=1024)] = 1


class BackendSettings(Part):
    """Exactly one of the two."""

    kubeflow: KubeflowSettings | None = None
    local: LocalSettings | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.kubeflow is None) == (self.local is None):
            raise ValueError("expected exactly one of kubeflow and local")
        return self


class DriftSettings(Part):
    """What drift may do besides starting a run.

    A request whose certificate was suspended for drift waits up to `labels_wait` for a drift record of labelled rows to
    be judged on, since a new certificate of the certified test data alone would say nothing of what drifted; then it is
    a dead letter. `0s` waits for none.
    """

    suspend_on_gross: bool = True
    labels_wait: Duration = timedelta(days=1)


class TlsSettings(Part):
    """Server certificate and key; with `client_ca` every client must show a certificate by that authority (mTLS)."""

    certificate: Path
    key: Path
    client_ca: Path | None = None


class Settings(Part):
    """All of it. `most_running` runs at once, `most_attempts` runs for one request, `budget_per_day` requests for one
    model and day (UTC).

    `cool_down` counts from the end of the last request of a model version. `ineffective_after` is how long after a
    success an alert may go on firing before people are told, and within `hysteresis` of a success the same alert that
    fires anew counts as still firing. `status_key` None never suspends. `listen` and `metrics` are host:port.
    """

    store: str
    trusted_keys: Path
    status_key: Path | None = None
    backend: BackendSettings
    database: Path
    audit_log: Path
    cool_down: Duration = timedelta(hours=6)
    hysteresis: Duration = timedelta(hours=1)
    ineffective_after: Duration = timedelta(minutes=30)
    forget_after: Positive = timedelta(days=2)
    budget_per_day: Annotated[int, Field(ge=1, le=10_000)] = 4
    most_running: Annotated[int, Field(ge=1, le=10_000)] = 4
    most_attempts: Annotated[int, Field(ge=1, le=100)] = 3
    retry_base: Positive = timedelta(minutes=1)
    retry_most: Positive = timedelta(hours=1)
    run_deadline: Positive = timedelta(hours=24)
    recertify_before: Duration = timedelta(days=14)
    reconcile_interval: Positive = timedelta(seconds=15)
    scan_interval: Positive = timedelta(seconds=60)
    suspend_on_failure: bool = True
    drift: DriftSettings = DriftSettings()
    listen: str = "127.0.0.1:8090"
    metrics: str = "127.0.0.1:8091"
    bearer_token_file: Path | None = None
    grafana_secret_file: Path | None = None
    tls: TlsSettings | None = None


def read_settings(path: Path) -> Settings:
    """The settings in a file; InputError names the key that is wrong."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        cause = error if isinstance(error, OSError) else OSError("no UTF-8")
        raise InputError(disk_failure(cause, wanted="the controller's settings", path=path)) from error
    if not text.strip():
        raise InputError(expected("the controller's settings", got=f"'{path}', which is empty", remedy="write them"))
    document = read_yaml(text)
    if document.problems:
        first = document.problems[0]
        raise InputError(f"{path}: line {first.line}: {first.message}")
    try:
        return _placed(Settings.model_validate_json(json.dumps(document.value)), path.absolute().parent)
    except ValidationError as error:
        raise InputError(f"{path}: {_in_words(error)}") from error


def _in_words(error: ValidationError) -> str:
    first = error.errors(include_input=False, include_url=False)[0]
    where = ".".join(map(str, first["loc"])) or "settings"
    return expected(f"a valid {where}", got=first["msg"].removeprefix("Value error, "), remedy="correct the file")


def _placed(part: Model, folder: Path) -> Model:
    """The part with every relative path below `folder`, and the store's folder too."""
    changed: dict[str, Any] = {}
    for name, value in part:
        if isinstance(value, Path) and not value.is_absolute():
            changed[name] = folder / value
        elif isinstance(value, Part):
            changed[name] = _placed(value, folder)
        elif name == "store" and "://" not in value:
            changed[name] = str(folder / value)
    return part.model_copy(update=changed)
