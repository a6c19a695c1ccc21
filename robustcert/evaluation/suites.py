"""Attack suites: versioned lists of attacks with their parameters, named `name@version` in a specification.

The files lie in the folder `suites` beside this module. An attack's id is its name, version and a hash of its
parameters, so that equal ids mean equal attacks. No torch here: a verifier reads suites too.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Annotated, Literal

import yaml
from pydantic import Field

from robustcert.document import Decimal, Name, Text, WrittenPart
from robustcert.errors import SpecificationError, expected
from robustcert.provenance.digests import canonical_json, sha256_bytes
from robustcert.threat_model import Access, ThreatModel

HASH_DIGITS = 12
NEEDS: dict[str, Access] = {"fgsm": "gradients", "pgd": "gradients"}

Whole = Annotated[int, Field(gt=0, le=1_000_000)]


class FgsmParameters(WrittenPart):
    """FGSM has none: its one step is as long as epsilon."""


class PgdParameters(WrittenPart):
    """PGD: steps of each restart; `relative_step` is step size times steps over epsilon."""

    steps: Whole
    restarts: Whole
    relative_step: Decimal


class FgsmEntry(WrittenPart):
    """FGSM in a suite file."""

    name: Literal["fgsm"]
    version: Whole
    parameters: FgsmParameters


class PgdEntry(WrittenPart):
    """PGD in a suite file."""

    name: Literal["pgd"]
    version: Whole
    parameters: PgdParameters


Entry = Annotated[FgsmEntry | PgdEntry, Field(discriminator="name")]


class SuiteFile(WrittenPart):
    """A whole suite file."""

    api_version: Literal["robustcert/v1"]
    kind: Literal["AttackSuite"]
    name: Name
    version: Whole
    summary: Text
    attacks: Annotated[list[Entry], Field(min_length=1)]


@dataclass(frozen=True, kw_only=True)
class AttackConfig:
    """One attack of a suite; `parameters` as in the file, integers and decimal strings only."""

    id: str
    name: str
    version: int
    parameters: dict[str, int | str]
    needs: Access


@dataclass(frozen=True, kw_only=True)
class Suite:
    """A suite and the SHA-256 of its file."""

    name: str
    version: int
    attacks: tuple[AttackConfig, ...]
    sha256: str


def load_suite(suite: str) -> Suite:
    """The suite `name@version`; SpecificationError when there is none, naming those that exist."""
    files = _files()
    if suite not in files:
        remedy = "name one of these in evaluation.suite"
        raise SpecificationError(
            expected(f"one of the suites {', '.join(sorted(files))}", got=repr(suite), remedy=remedy)
        )
    content = files[suite].read_bytes()
    written = SuiteFile.model_validate(yaml.safe_load(content))
    return Suite(
        name=written.name,
        version=written.version,
        attacks=tuple(_config(entry) for entry in written.attacks),
        sha256=sha256_bytes(content),
    )


def suite_names() -> tuple[str, ...]:
    """Every suite there is, as `name@version`.

    >>> suite_names()
    ('quick@1',)
    """
    return tuple(sorted(_files()))


def allowed_attacks(suite: Suite, threat: ThreatModel) -> tuple[AttackConfig, ...]:
    """The attacks that need no more access than `threat` declares; SpecificationError when none is left."""
    allowed = tuple(attack for attack in suite.attacks if threat.allows(attack.needs))
    if not allowed:
        what = f"an attack in suite {suite.name}@{suite.version} that works with access {threat.access!r}"
        needs = sorted({attack.needs for attack in suite.attacks})
        remedy = f"choose another suite, or declare more access for threat {threat.name!r} if the attacker has it"
        raise SpecificationError(expected(what, got=f"attacks that need {', '.join(needs)}", remedy=remedy))
    return allowed


def attack_id(name: str, version: int, parameters: dict[str, int | str]) -> str:
    """Name, version and the first 12 hexadecimal digits of SHA-256 over the parameters' canonical JSON.

    >>> attack_id("fgsm", 1, {})
    'fgsm@1-44136fa355b3'
    """
    return f"{name}@{version}-{sha256_bytes(canonical_json(parameters))[:HASH_DIGITS]}"


def _config(entry: FgsmEntry | PgdEntry) -> AttackConfig:
    parameters = entry.parameters.model_dump(by_alias=True)
    return AttackConfig(
        id=attack_id(entry.name, entry.version, parameters),
        name=entry.name,
        version=entry.version,
        parameters=parameters,
        needs=NEEDS[entry.name],
    )


def _files() -> dict[str, Traversable]:
    folder = resources.files("robustcert.evaluation").joinpath("suites")
    found = [file for file in folder.iterdir() if file.name.endswith(".yaml")]
    return {file.name.removesuffix(".yaml").replace(".v", "@"): file for file in found}
