"""How the exporter is configured: a YAML file, and the command line, which goes first."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError
from pydantic.alias_generators import to_camel

from monitoring.exporter.series import Limits
from robustcert.document import WrittenPart
from robustcert.errors import InputError, expected
from robustcert.storage.atomic import disk_failure
from robustcert.yaml_document import read_yaml

Seconds = Annotated[float, Field(gt=0, le=86_400)]
Count = Annotated[int, Field(ge=1, le=10_000_000)]


class KubernetesPart(WrittenPart):
    """Where to look for what is deployed: in one namespace, or in all where it is empty."""

    namespace: str = ""


class LimitsPart(WrittenPart):
    """How many series are exported at most; more are dropped and counted."""

    models: Count = 10_000
    series_per_model: Annotated[int, Field(ge=10, le=1_000)] = 100
    series: Count = 1_000_000

    def limits(self) -> Limits:
        """As the series are made."""
        return Limits(models=self.models, series_per_model=self.series_per_model, series=self.series)


class Settings(WrittenPart):
    """Everything that the exporter is told. `staleness` is how long the last values stay when the store is down."""

    store: str
    trusted_keys: str
    address: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 9464
    interval: Seconds = 30.0
    staleness: Seconds = 900.0
    readers: Annotated[int, Field(ge=1, le=128)] = 64
    deployed: str = ""
    kubernetes: KubernetesPart | None = None
    limits: LimitsPart = LimitsPart()


def read_settings(path: Path | None, **given: Any) -> Settings:
    """The settings in a file, with `given` (None: not given) in place of the file's; InputError names what is wrong."""
    written = _written(path) if path is not None else {}
    over = {to_camel(name): value for name, value in given.items() if value is not None}
    try:
        return Settings.model_validate_json(json.dumps({**written, **over}))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        remedy = "correct it, or see `python -m monitoring.exporter --help`"
        got = "nothing" if first["type"] == "missing" else f"{str(first['input'])[:60]!r}: {first['msg']}"
        raise InputError(expected(f"a valid setting {where}", got=got, remedy=remedy)) from error


def _written(path: Path) -> dict[str, Any]:
    try:
        read = read_yaml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(disk_failure(error, wanted="a readable file of settings", path=path)) from error
    except UnicodeDecodeError as error:
        raise _wrong(path, "other bytes than UTF-8") from error
    if read.problems:
        raise _wrong(path, f"line {read.problems[0].line}: {read.problems[0].message}")
    if not isinstance(read.value, dict):
        raise _wrong(path, "another value than settings with names")
    return dict(read.value)


def _wrong(path: Path, got: str) -> InputError:
    return InputError(expected(f"settings in YAML in '{path}'", got=got, remedy="see docs/exporter.md"))
