"""Replay: the one check that sees votes which were never cast, since everything else follows from them."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from robustcert.certificate.replay import chosen_rows, replay_check, rows_for
from robustcert.errors import InputError, VerificationError
from tests.certificate.tampering import (
    Document,
    Rows,
    case_of,
    elsewhere,
    reason,
    replaced,
    resigned,
    rows_of,
    verified,
    with_rows,
)
from tests.chain import Chain

ALL = 10_000


def unanimous(rows: Rows) -> Rows:
    """The first row whose votes are not all for its candidate gets them all, and the radius of that many votes."""
    place = next(place for place, row in enumerate(rows) if row["counts"] != [[row["candidate"], row["n"]]])
    best = max(rows, key=lambda row: float(row["radius"]))
    assert best["counts"] == [[best["candidate"], best["n"]]], "some row of the chain is unanimous"
    invented = {"counts": [[rows[place]["candidate"], 512]], "fragile": 0, "decision": "certified"}
    return [row | invented | {"radius": best["radius"]} if other == place else row for other, row in enumerate(rows)]


@pytest.mark.parametrize("missing", ["model", "dataset", "certification"])
def test_replay_needs_model_data_and_evidence(chain: Chain, missing: str) -> None:
    case = replace(case_of(chain), files=chain.with_files(**{missing: None}))
    found = replay_check(1, factory=None)(case)
    assert (found.status, found.message) == (
        "not established",
        "needs the model, the data set and the certification evidence",
    )


@pytest.mark.parametrize(("samples", "repeated"), [(1, 1), (3, 3), (ALL, 16)])
def test_as_many_samples_are_repeated_as_asked_for_and_as_there_are(chain: Chain, samples: int, repeated: int) -> None:
    found = replay_check(samples, factory=None)(case_of(chain))
    assert found.message == f"{repeated} of 16 samples repeated, votes equal bit for bit"


def test_votes_that_were_never_cast_pass_every_other_check_and_not_this_one(chain: Chain, tmp_path: Path) -> None:
    files = with_rows(chain, tmp_path, "certification", unanimous)
    assert verified(chain, files).refused is None
    found = verified(chain, files, more=(replay_check(ALL, factory=None),))
    pairs = zip(rows_of(chain, "certification"), unanimous(rows_of(chain, "certification")), strict=True)
    sample = next(before["sample"] for before, after in pairs if before != after)
    assert reason(found).startswith(f"replay: sample {sample}: recorded counts [[")


def test_another_environment_allows_for_fragile_votes_and_no_others(chain: Chain, tmp_path: Path) -> None:
    check = (replay_check(ALL, factory=None),)
    honest = verified(chain, resigned(chain, tmp_path, elsewhere(cpuCapability="NEON")), more=check)
    assert honest.refused is None
    assert honest.findings[-1].message.endswith("votes equal within their fragile votes (another environment)")
    invented = with_rows(chain, tmp_path, "certification", unanimous, also=elsewhere(cpuCapability="NEON"))
    assert "more than the 0 fragile votes" in reason(verified(chain, invented, more=check))


def test_another_version_of_this_code_on_the_same_machine_must_still_give_equal_votes(chain: Chain) -> None:
    def newer(statement: Document) -> None:
        statement["predicate"]["environment"] |= {"robustcert": "9.0.0", "codeSha256": "0" * 64}

    assert replay_check(2, factory=None)(case_of(chain, newer)).message.endswith("votes equal bit for bit")


def test_noise_under_another_key_is_not_the_certified_one(chain: Chain) -> None:
    case = case_of(chain, replaced("certification.key0", "7"))
    with pytest.raises(VerificationError, match=r"replay: sample .* recorded"):
        replay_check(ALL, factory=None)(case)


def test_rows_are_as_many_as_the_share_of_wrong_ones_asks_for() -> None:
    """(1 - share)^rows <= 0.05, and one row less is not enough."""
    for share, wanted in ((0.05, 59), (0.01, 299), (0.5, 5)):
        assert rows_for(share) == wanted
        assert (1 - share) ** wanted <= 0.05 < (1 - share) ** (wanted - 1)


@pytest.mark.parametrize("share", [0, 1, -1, 2])
def test_a_share_that_is_none_is_refused(share: float) -> None:
    with pytest.raises(InputError, match=r"expected 0 < undetected share < 1"):
        rows_for(share)


def test_a_nonce_chooses_the_same_rows_for_everybody_and_another_one_others(chain: Chain) -> None:
    case = case_of(chain)
    root = chain.predicate.certification.evidence.merkle_root
    samples = [row["sample"] for row in rows_of(chain, "certification")]

    def digest(sample: int) -> str:
        return hashlib.sha256(f"rcert-replay-v1\0n1\0{root}\0{sample}".encode()).hexdigest()

    assert [row["sample"] for row in chosen_rows(case, 4, nonce="n1")] == sorted(sorted(samples, key=digest)[:4])
    choices = {tuple(row["sample"] for row in chosen_rows(case, 4, nonce=f"n{number}")) for number in range(20)}
    assert len(choices) > 10
    assert replay_check(2, factory=None, nonce="n1")(case).message.endswith("bit for bit; chosen by nonce n1")


def test_bfloat16_votes_of_another_environment_are_out_of_scope(chain: Chain) -> None:
    def elsewhere(statement: Document) -> None:
        predicate = statement["predicate"]
        predicate["environment"]["cpuCapability"] = "NEON"
        text = predicate["specification"]["text"]
        predicate["specification"]["text"] = text.replace("certification:", "certification:\n  precision: bfloat16")

    found = replay_check(1, factory=None)(case_of(chain, elsewhere))
    assert found.status == "not established"
    assert found.message.startswith("out of scope: bfloat16")
