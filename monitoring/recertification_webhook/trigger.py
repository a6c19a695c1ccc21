"""One reason to recertify a model, whatever told of it; checked when made, since its texts end in names of runs.

Senders deliver at least once. `episode` is what makes two deliveries the same: an alert's fingerprint with its
`startsAt`, a manual request's Idempotency-Key, a schedule's slot, a certificate's digest with what is due.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from robustcert.errors import InputError, expected
from robustcert.recertification import REASONS

Source = Literal["alert", "grafana", "cloudevent", "manual", "schedule", "expiry", "missing", "new-version"]

SOURCES: tuple[Source, ...] = (
    "alert",
    "grafana",
    "cloudevent",
    "manual",
    "schedule",
    "expiry",
    "missing",
    "new-version",
)
# Sources that go on telling of a condition while it lasts; the others tell of it once.
CONTINUING: frozenset[Source] = frozenset({"alert", "grafana"})

LONGEST_TEXT = 400
MODEL = re.compile(r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?")
VERSION = re.compile(r"([0-9a-f]{12})?")
EPISODE = re.compile(r"[!-~]{1,200}")


@dataclass(frozen=True, kw_only=True)
class Trigger:
    """`model` is a certificate's name, `version` 12 hexadecimal digits of the model ("" for the one in force).

    `condition` is what stays equal when the same alert fires anew (its fingerprint; "" where there is none). `suspend`
    asks for the suspension of the certificate in force too. InputError where a text is not of its form.
    """

    source: Source
    model: str
    version: str = ""
    episode: str
    reason: str
    text: str
    condition: str = ""
    suspend: bool = False
    resolved: bool = False
    received_at: datetime

    def __post_init__(self) -> None:
        _require(self.source in SOURCES, "a known source", self.source)
        _require(MODEL.fullmatch(self.model), "a certificate's name as model", self.model)
        _require(VERSION.fullmatch(self.version), "12 hexadecimal digits as version", self.version)
        _require(EPISODE.fullmatch(self.episode), "1 to 200 printable characters as episode", self.episode)
        _require(not self.condition or EPISODE.fullmatch(self.condition), "a fingerprint as condition", self.condition)
        _require(self.reason in REASONS, f"one of {', '.join(REASONS)} as reason", self.reason)
        _require(len(self.text) <= LONGEST_TEXT and "\n" not in self.text, "one line as text", self.text)
        _require(self.received_at.tzinfo is not None, "a time with its zone", self.received_at)


def one_line(text: str) -> str:
    r"""A sender's text on one line of at most 400 characters.

    >>> one_line(" drift\n of inputs ")
    'drift of inputs'
    """
    return " ".join("".join(mark if mark.isprintable() else " " for mark in text).split())[:LONGEST_TEXT]


def _require(holds: object, what: str, got: object) -> None:
    if not holds:
        raise InputError(expected(what, got=repr(str(got)[:80]), remedy="correct the sender's labels"))
