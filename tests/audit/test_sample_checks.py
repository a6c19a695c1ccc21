"""Which samples a log is about, and copies among its rows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from robustcert.audit.claim import Claim
from robustcert.audit.log import LogForm
from robustcert.audit.sample_checks import COPY_CHANCE, pattern, repeated_run, run_length, sample_checks
from robustcert.audit.source import open_source
from robustcert.audit.survey import survey
from tests.audit.conftest import Log


def messages(log: Log, claim: Claim) -> dict[str, tuple[str, str]]:
    taken = survey(open_source(log.write(), claim=claim, form=LogForm()))
    return {finding.check: (finding.status, finding.message) for finding in sample_checks(taken)}


def test_what_was_not_claimed_is_described(clean_log: Callable[..., Log]) -> None:
    found = messages(clean_log(30), Claim())
    assert found["row count"] == ("cannot tell", "30 rows; how many were claimed was not given")
    assert found["sample ids"][1].startswith("30 ids from 0 to 580, every 20th, 0 left out; which were claimed")


def test_missing_and_foreign_ids_are_both_named(clean_log: Callable[..., Log]) -> None:
    found = messages(clean_log(30), Claim(samples=31, ids=frozenset({*range(20, 600, 20), 7})))
    assert found["row count"] == (
        "WRONG",
        "30 rows for 31 claimed; missing ones have to count as not certified",
    )
    message = "1 claimed ids are missing (first 7); 1 are not claimed (first 0)"
    assert found["sample ids"] == ("WRONG", message)


def test_patterns_in_words() -> None:
    assert pattern(np.array([5])) == "one id, 5"
    assert pattern(np.array([0, 1, 2, 9])) == "4 ids from 0 to 9, steps of 1 to 7"


def test_independent_rows_repeat_a_run_as_rarely_as_it_says() -> None:
    """At chance 1e-6 a run; here, 300 logs of 300 rows with 20 different radii, none has one."""
    generator = np.random.default_rng(3)
    counts = {str(radius): 15 for radius in range(20)}
    length = run_length(300, counts)
    assert length is not None
    assert 300 * 299 / 2 * (1 / 20) ** length <= COPY_CHANCE < 300 * 299 / 2 * (1 / 20) ** (length - 1)
    logs = generator.integers(0, 20, size=(300, 300)).astype(np.uint64)
    assert [repeated_run(rows, length) for rows in logs] == [None] * 300


@pytest.mark.parametrize(("first", "second"), [(0, 50), (3, 12), (100, 291)])
def test_a_planted_copy_is_found_where_it_is(first: int, second: int) -> None:
    rows = np.random.default_rng(4).integers(0, 1 << 63, size=300).astype(np.uint64)
    rows[second : second + 9] = rows[first : first + 9]
    assert repeated_run(rows, 9) == (first, second)
    assert repeated_run(rows, 10) is None


def test_rows_that_are_mostly_alike_tell_nothing() -> None:
    assert run_length(100, {"1.9": 90, "0.5": 10}) is None
    assert run_length(1, {"1.9": 1}) is None
    assert run_length(6, {str(radius): 1 for radius in range(6)}) is None


def test_sequences_of_abstentions_are_no_copies(clean_log: Callable[..., Log]) -> None:
    log = clean_log(200)
    for place in (*range(20, 40), *range(120, 140)):
        log.lines[place][2:] = [-1, "0.0", 0, "0:00:14"]
    assert messages(log, Claim())["copied rows"][0] == "ok"
