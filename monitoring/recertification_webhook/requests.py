"""What the controller says of its work: requests, answers to offers, and its figures. Frozen values, no behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from robustcert.errors import InputError

State = Literal["queued", "submitting", "running", "succeeded", "dead", "cancelled"]
Result = Literal["queued", "merged", "duplicate", "delayed", "escalated", "resolved", "ignored"]

STATES: tuple[State, ...] = ("queued", "submitting", "running", "succeeded", "dead", "cancelled")
OPEN: tuple[State, ...] = ("queued", "submitting", "running")
RESULTS: tuple[Result, ...] = ("queued", "merged", "duplicate", "delayed", "escalated", "resolved", "ignored")

# Upper bounds of the histogram of durations, seconds from a request's creation to its success.
DURATION_BUCKETS = (10.0, 30.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0, 21600.0, 43200.0, 86400.0, 259200.0)


class UnknownRequestError(InputError):
    """There is no request of that id (HTTP 404)."""


class ConflictError(InputError):
    """The request is not in a state in which that can be done (HTTP 409)."""


@dataclass(frozen=True, kw_only=True)
class Offer:
    """What was done with one trigger; `state` is that of its request, "" where there is none."""

    request_id: str | None
    result: Result
    state: str


@dataclass(frozen=True, kw_only=True)
class RequestView:
    """One recertification request; times are UTC, texts empty where nothing is known yet.

    `certificate_sha256` is the one to replace, `certificate` the new one. `run_name` is committed before the backend is
    asked for the run. `outcome` says how it ended: a code such as recertified, claim-failed, refused.
    """

    id: str
    model: str
    version: str
    certificate_sha256: str
    reasons: tuple[str, ...]
    state: State
    outcome: str
    attempts: int
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None
    not_before: datetime
    deadline: datetime | None
    run_name: str
    run_id: str
    run_url: str
    certificate: str
    last_error: str
    suspended: bool


@dataclass(frozen=True, kw_only=True)
class AuditEntry:
    """One line of the audit log."""

    sequence: int
    at: datetime
    actor: str
    action: str
    request_id: str
    detail: Mapping[str, str]
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Readiness:
    """`loop_age_seconds` is the age of the last finished pass of the loop, infinite before the first."""

    database_writable: bool
    loop_age_seconds: float
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class Durations:
    """Counts per bucket of DURATION_BUCKETS (not cumulative; the last one is beyond them), sum in seconds."""

    counts: tuple[int, ...]
    total_seconds: float


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Everything that /metrics shows; times in seconds since 1970, None where there is none.

    `triggers` by (source, result), `finished` by (outcome, reason), `dead` and `ineffective` by (model, version).
    """

    triggers: Mapping[tuple[str, str], int]
    requests: Mapping[str, int]
    finished: Mapping[tuple[str, str], int]
    durations: Durations
    oldest_request_at: float | None
    last_reconcile_at: float | None
    backend_errors: Mapping[str, int]
    dead: tuple[tuple[str, str], ...]
    ineffective: tuple[tuple[str, str], ...]
    suspensions_pending: int
    audit_entries_pending: int
    clock_jumps: int
