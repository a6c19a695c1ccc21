"""Provenance checks: source, licence and date are stated, and what the high-stakes profile asks for on top."""

from __future__ import annotations

from datetime import date

from robustcert.data.checks.facts import Breach, Facts
from robustcert.errors import expected

PLACEHOLDERS = frozenset({"", "-", "?", "...", "n/a", "na", "none", "tbd", "todo", "unknown", "xxx"})


def provenance(facts: Facts) -> Breach | None:
    """Source, licence and collection date are stated, not left as a placeholder."""
    stated = facts.provenance
    fields = {"source": stated.source, "licence": stated.licence, "collectedAt": stated.collected_at}
    missing = [f"{name} {text!r}" for name, text in fields.items() if _is_placeholder(text)]
    if not missing:
        return None
    remedy = "state it in data.provenance"
    return Breach(message=expected("a complete provenance", got=", ".join(missing), remedy=remedy))


def personal_data(facts: Facts) -> Breach | None:
    """The high-stakes profile needs to know whether the data are about persons."""
    if facts.profile != "high-stakes" or facts.provenance.personal_data is not None:
        return None
    remedy = "set data.provenance.personalData to none, anonymised, pseudonymised or identifiable"
    return Breach(message=expected("personalData in profile high-stakes", got="nothing", remedy=remedy))


def approvals(facts: Facts) -> Breach | None:
    """The high-stakes profile needs at least one approval."""
    if facts.profile != "high-stakes" or facts.provenance.approvals:
        return None
    remedy = "add data.provenance.approvals with id, authority and expires"
    return Breach(message=expected("an approval in profile high-stakes", got="none", remedy=remedy))


def approval_expiry(facts: Facts) -> Breach | None:
    """Every approval that is stated is current, in any profile; the day of expiry still counts."""
    for approval in facts.provenance.approvals:
        expires = _day(approval.expires)
        if expires is None or expires < facts.today:
            got = f"approval {approval.id!r} that expires {approval.expires}"
            what = f"approvals that are current on {facts.today}"
            return Breach(message=expected(what, got=got, remedy="have it renewed, or drop the data"))
    return None


def _is_placeholder(text: str) -> bool:
    return text.strip().strip("<>[]").lower() in PLACEHOLDERS


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
