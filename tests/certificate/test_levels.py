"""Levels: what each asks, which one is reached, and what is out of scope."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from robustcert.certificate.case import Finding, established
from robustcert.certificate.fresh_noise import FreshNoise, fresh_noise_check
from robustcert.certificate.levels import (
    Level,
    certification_digests,
    checks_of,
    evaluation_digests,
    reached,
    scope_check,
)
from robustcert.certificate.replay import replay_check
from robustcert.certificate.verify import CHECKS, Verification, verify
from robustcert.errors import VerificationError
from tests.certificate.tampering import Rows, case_of, in_force, reason, replaced, resigned, with_rows
from tests.chain import Chain

PLAN = FreshNoise(samples=2, nonce="a", draws=50, judged=500)
MORE = {
    Level.L0: (),
    Level.L1: (),
    Level.L2: (replay_check(2, factory=None, nonce="a"),),
    Level.L3: (replay_check(2, factory=None, nonce="a"), fresh_noise_check(PLAN)),
}


def at(chain: Chain, level: Level, **missing: None) -> Verification:
    files = chain.with_files(**missing)
    return verify(files, key=chain.key, now=in_force(chain), checks=checks_of(level), more=MORE[level])


@pytest.mark.parametrize("level", Level)
def test_an_honest_bundle_reaches_the_level_that_is_asked_for(chain: Chain, level: Level) -> None:
    found = at(chain, level)
    assert found.refused is None
    assert reached(found.findings) is level


@pytest.mark.parametrize("level", Level)
def test_without_evidence_no_level_is_reached(chain: Chain, level: Level) -> None:
    assert reached(at(chain, level, certification=None).findings) is None


@pytest.mark.parametrize("level", [Level.L2, Level.L3])
def test_without_the_model_only_recomputation_is_reached(chain: Chain, level: Level) -> None:
    assert reached(at(chain, level, model=None).findings) is Level.L1


def test_fresh_noise_alone_does_not_stand_for_replay() -> None:
    names = ("signature", "certification evidence", "evaluation evidence", "results", "fresh noise")
    assert reached([established(name, "") for name in names]) is Level.L1


def test_a_refusal_reaches_nothing() -> None:
    names = ("signature", "certification digests", "evaluation digests")
    refused = Finding(check="acceptance", status="refused", message="")
    assert reached([*(established(name, "") for name in names), refused]) is None
    assert reached([established(name, "") for name in names]) is Level.L0


def test_the_checks_of_recomputation_are_all_that_need_no_model() -> None:
    assert checks_of(Level.L1) == checks_of(Level.L3) == CHECKS


def test_digests_do_not_see_radii_that_follow_from_nothing(chain: Chain, tmp_path: Path) -> None:
    """Signed again with its digests: only recomputation refuses it."""

    def larger(rows: Rows) -> Rows:
        return [row | {"radius": "9.000000"} if row["decision"] == "certified" else row for row in rows]

    files = with_rows(chain, tmp_path, "certification", larger)
    for level, refused in ((Level.L0, False), (Level.L1, True)):
        found = verify(files, key=chain.key, now=in_force(chain), checks=checks_of(level))
        assert (found.refused is not None) is refused, found.findings[-1]


@pytest.mark.parametrize("table", ["certification", "evaluation"])
def test_other_bytes_rows_or_roots_than_the_certified_ones_are_refused(
    chain: Chain, tmp_path: Path, table: str
) -> None:
    check = {"certification": certification_digests, "evaluation": evaluation_digests}[table]
    assert check(case_of(chain)).status == "established"
    other = tmp_path / "other.parquet"
    other.write_bytes(getattr(chain.files, table).read_bytes() + b" ")
    with pytest.raises(VerificationError, match=f"{table} digests: SHA-256 is [0-9a-f]+, certified is"):
        check(replace(case_of(chain), files=chain.with_files(**{table: other})))
    for name, value in (("merkleRoot", "0" * 64), ("rows", 17)):
        with pytest.raises(VerificationError, match=f"{table} digests: .* rows with Merkle root"):
            check(case_of(chain, replaced(f"{table}.evidence.{name}", value)))


def test_an_expired_certificate_is_refused_at_every_level(chain: Chain, tmp_path: Path) -> None:
    files = resigned(chain, tmp_path, replaced("notAfter", chain.predicate.certified_at))
    for level in Level:
        found = verify(files, key=chain.key, now=in_force(chain), checks=checks_of(level))
        assert reason(found)


def test_another_precision_than_the_certified_one_is_out_of_scope(chain: Chain) -> None:
    assert scope_check("float32")(case_of(chain)).message.startswith("certified in float32. ")
    with pytest.raises(
        VerificationError, match=r"out of scope: served in bfloat16, certified in float32\. .*256.*mean"
    ):
        scope_check("bfloat16")(case_of(chain))


def test_the_scope_names_batch_and_hardware_of_a_certificate_without_conditions(chain: Chain) -> None:
    def older(statement: dict) -> None:
        statement["predicate"].pop("conditions", None)

    message = scope_check("float32")(case_of(chain, older)).message
    assert "batches of 256" in message
    assert "platform Linux" in message
