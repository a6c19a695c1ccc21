"""Which certificate is in force for each model version, as it was last read from the store; kept in the database too.

So a controller that starts while the store is down still knows its models.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from monitoring.recertification_webhook.schema import milliseconds, moment_of
from monitoring.recertification_webhook.transaction import Transaction

VERSION_DIGITS = 12
LOADED = "fleet_loaded"


@dataclass(frozen=True, kw_only=True)
class InForce:
    """The certificate in force of one model version; `superseded` where another model's took its place."""

    model: str
    version: str
    model_sha256: str
    certificate_sha256: str
    certified_at: datetime
    not_after: datetime
    superseded: bool = False


@dataclass(frozen=True)
class Fleet:
    """All of them, by model and version."""

    by_version: Mapping[tuple[str, str], InForce] = field(default_factory=dict)
    newest: Mapping[str, InForce] = field(default_factory=dict)

    def in_force(self, model: str, version: str) -> InForce | None:
        """The certificate of a version; of the model's newest one where `version` is ""."""
        return self.by_version.get((model, version)) if version else self.newest.get(model)


def fleet_of(found: Iterable[InForce]) -> Fleet:
    """The fleet of these certificates; a superseded one is a model's newest only where all are."""
    ordered = sorted(found, key=lambda one: (not one.superseded, one.certified_at, one.certificate_sha256))
    return Fleet({(one.model, one.version): one for one in ordered}, {one.model: one for one in ordered})


def keep_fleet(transaction: Transaction, fleet: Fleet) -> None:
    """Replaces what the database knows."""
    transaction.run("DELETE FROM fleet")
    for one in fleet.by_version.values():
        transaction.run(
            "INSERT INTO fleet VALUES (?, ?, ?, ?, ?, ?, ?)",
            one.model,
            one.version,
            one.model_sha256,
            one.certificate_sha256,
            milliseconds(one.certified_at),
            milliseconds(one.not_after),
            int(one.superseded),
        )
    transaction.run("INSERT OR REPLACE INTO meta VALUES (?, '1')", LOADED)


def kept_fleet(connection: sqlite3.Connection) -> Fleet | None:
    """What the database knows; None where the store was never read."""
    if connection.execute("SELECT 1 FROM meta WHERE name = ?", (LOADED,)).fetchone() is None:
        return None
    return fleet_of(_read(row) for row in connection.execute("SELECT * FROM fleet"))


def _read(row: sqlite3.Row) -> InForce:
    return InForce(
        model=row["model"],
        version=row["version"],
        model_sha256=row["model_sha256"],
        certificate_sha256=row["certificate_sha256"],
        certified_at=moment_of(row["certified_at"]),
        not_after=moment_of(row["not_after"]),
        superseded=bool(row["superseded"]),
    )
