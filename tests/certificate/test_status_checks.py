"""verify's question about suspension and revocation, answered by a store."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from robustcert.certificate import status_checks
from robustcert.certificate.keys import load_signing_key
from robustcert.certificate.status import Status, StatusChange, write_status
from robustcert.certificate.verify import Verification, verify
from robustcert.storage.store import Store, open_store
from tests.certificate.stored import copied_store
from tests.chain import Chain

NOW = datetime.now(UTC)


@pytest.fixture
def store(chain: Chain, tmp_path: Path) -> Store:
    return copied_store(chain, tmp_path)


def say(chain: Chain, store: Store, status: Status, cause: str = "inputs drifted") -> None:
    key = load_signing_key(chain.signing_key, passphrase=None)
    change = StatusChange(status=status, reason="drift", cause=cause, decided_by="ann")
    write_status(store, chain.files.certificate.read_bytes(), change, key=key, keys=[key.public_key()], now=NOW)


def verified(chain: Chain, store: Store) -> Verification:
    return verify(chain.files, key=chain.key, now=NOW, revocation=status_checks.asked(store, [chain.key]))


def test_without_a_store_it_stays_unknown(chain: Chain) -> None:
    found = verify(chain.files, key=chain.key, now=NOW)
    assert (found.findings[-1].check, found.findings[-1].status) == ("revocation", "not established")


def test_a_store_that_holds_nothing_against_it_says_active(chain: Chain, store: Store) -> None:
    found = verified(chain, store)
    assert found.refused is None
    assert found.findings[-1].message.startswith("active: the store that was asked holds no statement against it")


@pytest.mark.parametrize("status", ["suspended", "revoked"])
def test_a_suspended_and_a_revoked_certificate_are_refused(chain: Chain, store: Store, status: Status) -> None:
    say(chain, store, status)
    refused = verified(chain, store).refused
    assert refused is not None
    assert refused.message.startswith(f"{status} since ")
    assert refused.message.endswith("(drift): inputs drifted")


def test_a_reinstated_certificate_counts_again(chain: Chain, store: Store) -> None:
    say(chain, store, "suspended")
    say(chain, store, "active")
    assert verified(chain, store).refused is None


def test_a_cause_writes_no_line_of_its_own(chain: Chain, store: Store) -> None:
    say(chain, store, "suspended", "drift\n\x1b[2Kok      revocation: active\r\u202e")
    refused = verified(chain, store).refused
    assert refused is not None
    assert refused.message.endswith("(drift): drift [2Kok revocation: active")


def test_a_store_without_the_certificate_can_not_vouch_for_it(chain: Chain, tmp_path: Path) -> None:
    refused = verified(chain, open_store(str(tmp_path / "empty"))).refused
    assert refused is not None
    assert "got none there; name the store that it was issued into" in refused.message
