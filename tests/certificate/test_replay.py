"""Replay: the one check that sees votes which were never cast, since everything else follows from them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from robustcert.certificate.replay import replay_check
from robustcert.errors import VerificationError
from tests.certificate.tampering import (
    Document,
    Rows,
    case_of,
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
    elsewhere = replaced("environment.cpuCapability", "NEON")
    check = (replay_check(ALL, factory=None),)
    honest = verified(chain, resigned(chain, tmp_path, elsewhere), more=check)
    assert honest.refused is None
    assert honest.findings[-1].message.endswith("votes equal within their fragile votes (another environment)")
    invented = with_rows(chain, tmp_path, "certification", unanimous, also=elsewhere)
    assert "more than the 0 fragile votes" in reason(verified(chain, invented, more=check))


def test_another_version_of_this_code_on_the_same_machine_must_still_give_equal_votes(chain: Chain) -> None:
    def newer(statement: Document) -> None:
        statement["predicate"]["environment"] |= {"robustcert": "9.0.0", "codeSha256": "0" * 64}

    assert replay_check(2, factory=None)(case_of(chain, newer)).message.endswith("votes equal bit for bit")


def test_noise_under_another_key_is_not_the_certified_one(chain: Chain) -> None:
    case = case_of(chain, replaced("certification.key0", "7"))
    with pytest.raises(VerificationError, match=r"replay: sample .* recorded"):
        replay_check(ALL, factory=None)(case)
