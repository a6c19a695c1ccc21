"""Rows of every method, verified offline from counts. Oracle: real runs, and rows changed and signed again."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from robustcert.certificate import statement_checks, vote_checks
from robustcert.errors import VerificationError
from robustcert.specification import Certification
from tests.certificate.tampering import Document, Rows, case_of, reason, replaced, rows_of, verified, with_rows
from tests.chain import Chain, run_chain, small_specification

Change = Callable[[Document], Document]

SEQUENTIAL = {"method": "group-sequential", "n": 3000, "radii": [0, 0.1, 0.25, 0.4]}
PILOT = {"method": "adaptive-pilot", "n": 3000, "noise": "laplace", "tolerance": 0.2}


def certified_by(folder: Path, options: dict[str, Any]) -> Chain:
    document = yaml.safe_load(small_specification())
    document["certification"] |= options
    if options["method"] == "adaptive-pilot":
        document["certification"].pop("n0")
    return run_chain(folder, specification=yaml.safe_dump(document, sort_keys=False))


@pytest.fixture(scope="module")
def sequential(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    return certified_by(tmp_path_factory.mktemp("sequential"), SEQUENTIAL)


@pytest.fixture(scope="module")
def pilot(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    return certified_by(tmp_path_factory.mktemp("pilot"), PILOT)


def said(chain: Chain) -> str:
    found = verified(chain)
    assert found.refused is None
    return next(each.message for each in found.findings if each.check == "certification evidence")


def test_a_sequential_certificate_is_verified_and_its_exact_level_said(sequential: Chain) -> None:
    found = re.fullmatch(
        r"16 rows, .* counts, 4 plans recomputed: exact type-I error at most (0\.\d+)", said(sequential)
    )
    assert found is not None
    assert Decimal("0.0009") < Decimal(found[1]) <= Decimal("0.001")
    part = sequential.predicate.certification
    assert (part.method, part.threat, part.beta) == ("randomized-smoothing-group-sequential", "l2", "0.01")
    assert (part.look_multiple, part.look_ratio, part.n) == (32, "1.1", 3000)
    rows = rows_of(sequential, "certification")
    assert {row["radius"] for row in rows} <= {"0", "0.1", "0.25", "0.4"}
    assert min(row["n"] for row in rows) < 3000


def test_a_pilot_certificate_is_verified_and_names_its_noise(pilot: Chain) -> None:
    assert said(pilot) == "16 rows, every radius recomputed from its counts"
    part = pilot.predicate.certification
    assert (part.threat, part.noise_kind, part.tolerance, part.n0) == ("l1", "laplace", "0.2", 0)
    assert "inverse Laplace" in part.noise
    assert "stream 1" not in part.noise
    assert "streams 1 pilot and 2 estimation" in part.noise


def at_first(where: Callable[[Document], bool], change: Change) -> Callable[[Rows], Rows]:
    def changed(rows: Rows) -> Rows:
        place = next(number for number, row in enumerate(rows) if where(row))
        return [change(row) if number == place else row for number, row in enumerate(rows)]

    return changed


def with_one_vote_moved(row: Document) -> Document:
    counts = dict(map(tuple, row["counts"]))
    other = next(label for label in range(10) if label != row["candidate"])
    counts[row["candidate"]] -= 1
    counts[other] = counts.get(other, 0) + 1
    return row | {"counts": sorted([label, count] for label, count in counts.items() if count)}


def another_candidate(row: Document) -> Document:
    return row | {"candidate": (row["candidate"] + 1) % 10}


def several_looks(row: Document) -> bool:
    return len(row["path"]) > 2 and row["decision"] == "certified"


def later_look(row: Document) -> Document:
    """As if nothing failed until a later look: votes that were drawn after the decision."""
    return row | {"n": row["n"] + 32, "counts": [[row["candidate"], row["n"] + 32]], "fragile": 0,
                  "path": [0] * (len(row["path"]) + 1)}  # fmt: skip


def unanimous(row: Document) -> bool:
    return row["counts"] == [[row["candidate"], row["n"]]] and 32 < row["n"] < 256


TAMPERED: dict[str, tuple[Callable[[Document], bool], Change, str]] = {
    "one vote": (several_looks, with_one_vote_moved, "expected a path that ends with the"),
    "last entry of the path": (
        several_looks,
        lambda row: row | {"path": [*row["path"][:-1], row["path"][-1] + 1]},
        "expected a path that ends with the",
    ),
    "earlier entry beyond the draws": (
        several_looks,
        lambda row: row | {"path": [33, *row["path"][1:]]},
        "failures that grow by no more than the votes drawn",
    ),
    "a look left out": (
        several_looks,
        lambda row: row | {"path": [row["path"][0], *row["path"][2:]]},
        "expected one path entry for each look",
    ),
    "no path": (several_looks, lambda row: row | {"path": []}, "expected one path entry for each look"),
    "another candidate": (several_looks, another_candidate, "the candidate is not the most voted class of selection"),
    "radius between the registered ones": (
        lambda row: row["radius"] == "0.25",
        lambda row: row | {"radius": "0.250001"},
        "decision certified with radius 0.250001 does not follow from its counts",
    ),
    "the next radius": (
        lambda row: row["radius"] == "0.1",
        lambda row: row | {"radius": "0.25"},
        "radius 0.25 does not follow from its counts",
    ),
    "an abstention that is none": (
        several_looks,
        lambda row: row | {"decision": "abstain", "radius": "0"},
        "decision abstain with radius 0 does not follow",
    ),
    "votes after the decision": (unanimous, later_look, "no votes after every radius is decided"),
    "more selection votes": (
        several_looks,
        lambda row: row | {"n0": 33, "selectionFragile": row["selectionFragile"] + 1},
        "expected 32 votes that select the candidate, got 33",
    ),
}


@pytest.mark.parametrize("what", TAMPERED)
def test_a_row_that_breaks_its_plan_is_refused_with_the_reason(sequential: Chain, tmp_path: Path, what: str) -> None:
    where, change, message = TAMPERED[what]
    rows = rows_of(sequential, "certification")
    sample = next(row["sample"] for row in rows if where(row))
    found = reason(verified(sequential, with_rows(sequential, tmp_path, "certification", at_first(where, change))))
    assert found.startswith(f"certification evidence: sample {sample}: ")
    assert message in found


def stopped_at_the_first_look(row: Document) -> Document:
    return row | {"n": 32, "counts": [[row["candidate"], 32]], "fragile": 0, "path": [0]}


def test_stopping_before_the_decision_is_refused(sequential: Chain, tmp_path: Path) -> None:
    files = with_rows(sequential, tmp_path, "certification", at_first(several_looks, stopped_at_the_first_look))
    assert "expected votes until every radius is decided, got 32, undecided" in reason(verified(sequential, files))


PILOTED: dict[str, tuple[Change, str]] = {
    "lengthened after looking": (
        lambda row: row | {"n": row["n"] + 1, "fragile": row["fragile"] + 1},
        "votes, as the pilot planned",
    ),
    "another pilot": (
        lambda row: row | {"n0": row["n0"] + 1, "selectionFragile": row["selectionFragile"] + 1},
        "expected a pilot that grows by half from 100 votes",
    ),
    "rounded up": (
        lambda row: row | {"radius": f"{Decimal(row['radius']) + Decimal('0.000001'):f}"},
        "does not follow from its counts",
    ),
    "a path": (lambda row: row | {"path": [0]}, "expected no path of looks"),
}


@pytest.mark.parametrize("what", PILOTED)
def test_what_a_pilot_did_not_plan_is_refused(pilot: Chain, tmp_path: Path, what: str) -> None:
    change, message = PILOTED[what]
    certified = at_first(lambda row: row["decision"] == "certified", change)
    assert message in reason(verified(pilot, with_rows(pilot, tmp_path, "certification", certified)))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("method", "randomized-smoothing-fixed-n"),
        ("threat", "l1"),
        ("noiseKind", "laplace"),
        ("candidate", "label"),
        ("bounds", 2),
        ("beta", "0.02"),
        ("beta", None),
        ("lookMultiple", 1),
        ("lookRatio", None),
        ("tolerance", "0.05"),
        ("precision", "bfloat16"),
    ],
)
def test_a_parameter_that_is_not_the_registered_one_is_refused(sequential: Chain, name: str, value: object) -> None:
    with pytest.raises(VerificationError, match=r"^certification: \w+ is .*, the specification registers"):
        statement_checks.registered_terms(case_of(sequential, replaced(f"certification.{name}", value)))


LATER = ("noiseKind", "candidate", "bounds", "beta", "tolerance", "lookMultiple", "lookRatio")


def without_later(statement: Document) -> None:
    predicate = statement["predicate"]
    predicate["certification"] = {key: value for key, value in predicate["certification"].items() if key not in LATER}
    del predicate["conditions"]


def test_a_certificate_from_before_the_options_is_as_good_and_one_that_hides_them_is_not(
    chain: Chain, sequential: Chain
) -> None:
    for check in (statement_checks.registered_terms, statement_checks.sentences):
        assert check(case_of(chain, without_later)).status == "established"
    with pytest.raises(VerificationError, match=r"beta is None, the specification registers 0\.01"):
        statement_checks.registered_terms(case_of(sequential, without_later))


def test_plans_beyond_alpha_would_be_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = Certification(sigma=0.25, unit="input", radii=(0.1,), n=1000, method="group-sequential")
    assert vote_checks.plans_in_words(wanted).startswith(", 1 plans recomputed")
    monkeypatch.setattr(vote_checks, "type_one_error", lambda _: 0.00101)
    with pytest.raises(VerificationError, match=r"plans of type-I error 0\.00101, registered is 0\.001"):
        vote_checks.plans_in_words(wanted)
