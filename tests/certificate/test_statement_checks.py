"""Checks of the statement alone. Oracle: statements that an issuer's own key signed over something that is not true."""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from robustcert.certificate import file_checks
from robustcert.certificate import statement_checks as checks
from robustcert.certificate.case import Case, Finding
from robustcert.certificate.verify import CHECKS
from robustcert.errors import RobustcertError, VerificationError
from tests.certificate.tampering import Document, case_of, in_force, replaced, resigned, statement_of, verified
from tests.chain import Chain

Check = Callable[[Case], Finding]
Place = tuple[str | int, ...]

FUZZ_SEED = 20261122
FUZZ_CHANGES = 120
MISSING = object()
FOREIGN = (MISSING, None, -1, 10**30, "", "x", "0", "-0.5", "9999-99-99T00:00:00Z", "0" * 64, [], {}, True, ["x"])

# What a verifier takes from the signature alone: everything else in a statement is recomputed or compared.
ISSUERS_WORD = (
    r"environment(\..*)?",
    r"evaluation\.validity\.\d+\.detail",
    r"run\..*",
)


@pytest.mark.parametrize(
    ("check", "path", "value", "message"),
    [
        (checks.subject, "model.sha256", "0" * 64, "subject: digest .* is not that of the described model"),
        (checks.subject, "name", "other", "subject: digits/model is not named after the certificate"),
        (checks.registered_text, "specification.text", "no YAML: [", "the certificate's specification"),
        (checks.registered_text, "specification.sha256", "0" * 64, "the text in the certificate has another SHA-256"),
        (checks.registered_text, "specification.canonicalSha256", "0" * 64, "its canonical form has another SHA-256"),
        (checks.registered_description, "name", "other", "name: other, the specification says digits"),
        (checks.registered_description, "narrative", "Proof against everything.", "narrative: it is not the claim"),
        (checks.registered_description, "intendedUse", "Weapons.", "intended use: it is not that"),
        (checks.registered_description, "owner", {"name": "Mallory"}, "owner: another one"),
        (checks.registered_terms, "threatModels", [], "threat models: other ones"),
        (checks.registered_terms, "threatModels.1.access", "labels", "threat models: other ones"),
        (checks.registered_terms, "certification.sigma", "0.5", "sigma is 0.5, the specification registers 0.25"),
        (checks.registered_terms, "certification.unit", "1/255", "unit is 1/255, the specification registers input"),
        (checks.registered_terms, "certification.n0", 33, "n0 is 33, the specification registers 32"),
        (checks.registered_terms, "certification.n", 513, "n is 513, the specification registers 512"),
        (checks.registered_terms, "certification.alpha", "0.01", "alpha is 0.01, the specification registers 0.001"),
        (checks.registered_terms, "certification.radii", ["0"], "radii is"),
        (checks.registered_terms, "certification.simultaneousGamma", "0.5", "simultaneous_gamma is 0.5"),
        (checks.registered_terms, "evaluation.suite", "quick@2", "evaluation: another suite"),
        (checks.registered_terms, "notAfter", "2199-01-01T00:00:00Z", "days, not those registered"),
        (checks.registered_terms, "certification.batch", 257, "batch and fragileGap are not those of the format"),
        (checks.registered_terms, "certification.fragileGap", "0.1", "batch and fragileGap are not those"),
        (checks.registered_attacks, "evaluation.suiteSha256", "0" * 64, "attacks: suite quick@1 has SHA-256"),
        (checks.registered_attacks, "evaluation.attacks.1.parameters.steps", 1, "not those of suite quick@1"),
        (checks.registered_attacks, "evaluation.attacks.1.id", "pgd@1-0", "not those of suite quick@1"),
        (checks.registered_attacks, "evaluation.attacks", [], "not those of suite quick@1"),
        (checks.registered_results, "results.accuracyUnderAttack", [], "not of the registered threats and epsilons"),
        (checks.registered_results, "results.accuracyUnderAttack.0.epsilon", "0.1", "registered threats and epsilons"),
        (checks.registered_results, "results.accuracyUnderAttack.0.unit", "1/255", "registered threats and epsilons"),
        (checks.registered_results, "results.accuracyUnderAttack.0.threatModel", "x", "registered threats"),
        (checks.registered_results, "results.cleanAccuracy.of", 23, "results: over 23 samples, registered are 24"),
        (checks.registered_results, "results.smoothedAccuracy.of", 17, "results: over 17 samples, registered are 16"),
        (checks.registered_results, "results.certifiedAccuracy", [], "not of the registered radii"),
        (checks.registered_results, "results.certifiedAccuracy.0.radius", "0.1", "not of the registered radii"),
        (checks.validity_period, "notAfter", "2027-02-30T00:00:00Z", "2027-02-30T00:00:00Z is no time"),
        (checks.verdicts, "evaluation.validity", [], "it names none of its own checks"),
        (checks.verdicts, "evaluation.validity.0.passed", False, "'valid' contradicts its checks"),
        (checks.verdicts, "evaluation.valid", False, "'valid' contradicts its checks"),
        (checks.verdicts, "criteria", [], "criteria: they do not follow"),
        (checks.verdicts, "criteria.0.met", False, "criteria: they do not follow"),
        (checks.verdicts, "criteria.0.observed", "0.999000", "criteria: they do not follow"),
        (checks.verdicts, "results.cleanAccuracy.lower", "0.000001", "criteria: they do not follow"),
        (checks.verdicts, "verdict", "rejected", "verdict: rejected, but the criteria give accepted"),
        (checks.accepted, "criteria.0.met", False, "rejected: clean_accuracy .* is not >= 0.1; this document records"),
        (checks.smoothing_seed, "certification.key0", "7", "noise: its key is not derived"),
        (checks.smoothing_seed, "data.fileSha256", "0" * 64, "noise: its key is not derived"),
        (checks.sentences, "claims.0", "Proof against everything.", "claims: the sentences do not follow"),
        (checks.sentences, "results.certifiedAccuracy.0.accuracy.count", 16, "claims: the sentences do not follow"),
        (checks.sentences, "scope", "Everything.", "scope: it is not that of the specification"),
        (checks.sentences, "limits", [], "limits: they are not those of this version"),
        (checks.sentences, "certification.noise", "Dice.", "method: it is not described in the words"),
        (checks.sentences, "certification.source", "Folklore.", "method: it is not described in the words"),
        (checks.sentences, "reproducibility.statement", "Always.", "reproducibility: it is not what this version"),
        (checks.sentences, "reproducibility.level", "statistical", "reproducibility: it is not what this version"),
    ],
)
def test_a_check_refuses_the_one_thing_that_it_is_about(
    chain: Chain, check: Check, path: str, value: object, message: str
) -> None:
    assert check(case_of(chain)).status == "established"
    with pytest.raises(RobustcertError, match=message):
        check(case_of(chain, replaced(path, value)))


def test_a_comment_changes_the_registered_bytes_and_not_the_registered_content(chain: Chain) -> None:
    text = chain.predicate.specification.text + "# and nothing else\n"

    def change(statement: Document) -> None:
        part = statement["predicate"]["specification"]
        part |= {"text": text, "sha256": hashlib.sha256(text.encode()).hexdigest()}

    assert checks.registered_text(case_of(chain, change)).status == "established"


def test_attacks_of_a_suite_that_this_version_does_not_know_are_not_established(chain: Chain) -> None:
    found = checks.registered_attacks(case_of(chain, replaced("evaluation.suite", "later@1")))
    assert (found.status, "later@1 is unknown to this version" in found.message) == ("not established", True)


def test_where_no_number_of_samples_is_registered_it_is_that_of_the_test_split(chain: Chain) -> None:
    text = chain.predicate.specification.text.replace("  samples: 16\n", "").replace("  samples: 24\n", "")

    def change(statement: Document, *, test_rows: int) -> None:
        predicate = statement["predicate"]
        predicate["specification"]["text"] = text
        predicate["data"]["splits"]["test"]["rows"] = test_rows
        predicate["results"]["cleanAccuracy"]["of"] = predicate["results"]["smoothedAccuracy"]["of"] = 447

    assert checks.registered_results(case_of(chain, partial(change, test_rows=447))).status == "established"
    with pytest.raises(VerificationError, match="over 447 samples, registered are 448"):
        checks.registered_results(case_of(chain, partial(change, test_rows=448)))


def test_a_certificate_is_in_force_from_five_minutes_before_its_issue_until_its_end(chain: Chain) -> None:
    begin, end = (
        datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        for text in (chain.predicate.certified_at, chain.predicate.not_after)
    )
    second = timedelta(seconds=1)
    for at in (
        begin - timedelta(minutes=5),
        begin,
        end - second,
        (end - second).astimezone(timezone(-timedelta(hours=9))),
    ):
        assert checks.validity_period(case_of(chain, at=at)).status == "established"
    with pytest.raises(VerificationError, match=r"not yet valid: certified at .*; check the clock"):
        checks.validity_period(case_of(chain, at=begin - timedelta(minutes=5) - second))
    for at in (end, end + timedelta(days=400)):
        with pytest.raises(VerificationError, match=f"expired: valid until {chain.predicate.not_after}, and it is"):
            checks.validity_period(case_of(chain, at=at))


def test_an_invalid_evaluation_meets_no_empirical_criterion_and_still_its_certified_ones(chain: Chain) -> None:
    def change(statement: Document) -> None:
        predicate = statement["predicate"]
        predicate["evaluation"]["validity"][0]["passed"] = predicate["evaluation"]["valid"] = False
        predicate["criteria"][0]["met"] = False
        predicate["verdict"] = "rejected"

    assert checks.verdicts(case_of(chain, change)).status == "established"
    with pytest.raises(VerificationError, match="rejected: clean_accuracy"):
        checks.accepted(case_of(chain, change))


def test_the_sentences_of_another_version_are_not_judged(chain: Chain) -> None:
    def change(statement: Document) -> None:
        statement["predicate"]["environment"]["robustcert"] = "9.0.0"
        statement["predicate"]["limits"] = ["None."]

    found = checks.sentences(case_of(chain, change))
    assert (found.status, found.message) == (
        "not established",
        "issued by version 9.0.0; read the numbers, not the sentences",
    )


def places(value: Any, place: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Every place of a JSON document below its root, with what stands there."""
    if place:
        yield place, value
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(inner, (*place, key))


def changed(place: Place, value: object) -> Callable[[Document], None]:
    def change(statement: Document) -> None:
        target: Any = statement
        for key in place[:-1]:
            target = target[key]
        if value is MISSING:
            del target[place[-1]]
        else:
            target[place[-1]] = value

    return change


def of_the_same_type(value: Any) -> object:
    """Another value that the schema allows where `value` stands, whenever there is one."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if value is None or re.fullmatch(r"-?\d+(\.\d+)?", value):
        return f"{value or 0}1" if "." in (value or "") else f"1{value or ''}"
    if re.fullmatch(r"[0-9a-f]{64}", value):
        return hashlib.sha256(value.encode()).hexdigest()
    return "2026-02-03T04:05:06Z" if re.fullmatch(r"[\d:TZ-]{20}", value) else f"{value}x"


def believed(chain: Chain, whole: Case, change: Callable[[Document], None]) -> bool:
    """Whether a changed statement passes every check beside the files of `whole`, which are read once for all."""
    try:
        case = case_of(chain, change)
        vars(case).update({name: getattr(whole, name) for name in ("dataset", "certification_rows", "evaluation_rows")})
        return all(check(case).status != "refused" for check in CHECKS)
    except (ValidationError, RobustcertError):
        return False


@pytest.fixture
def _hashed_once(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    """The data set's Merkle roots, which no change of the statement can change, are computed once for all cases."""
    dataset = case_of(chain).dataset
    roots = {split: file_checks.dataset_root(dataset, split) for split in (None, "train", "validation", "test")}
    monkeypatch.setattr(file_checks, "dataset_root", lambda _, split=None: roots[split])


@pytest.mark.usefixtures("_hashed_once")
def test_every_value_is_recomputed_compared_or_known_to_be_the_issuers_word(chain: Chain) -> None:
    """Of each list its first entry stands for all."""
    whole = case_of(chain)
    first = [(place, value) for place, value in places(statement_of(chain)) if {*place} & set(range(1, 99)) == set()]
    leaves = {place: value for place, value in first if not isinstance(value, dict | list)}
    found = {
        ".".join(map(str, place)).removeprefix("predicate.")
        for place, value in leaves.items()
        if believed(chain, whole, changed(place, of_the_same_type(value)))
    }
    assert {name for name in found if not any(re.fullmatch(word, name) for word in ISSUERS_WORD)} == set()
    assert all(any(re.fullmatch(word, name) for name in found) for word in ISSUERS_WORD)
    assert len(leaves) > 150


def test_whatever_an_issuer_signs_verification_ends_in_findings_and_never_in_an_exception(
    chain: Chain, tmp_path: Path
) -> None:
    chooser, every, at = random.Random(FUZZ_SEED), list(places(statement_of(chain))), in_force(chain)
    for _ in range(FUZZ_CHANGES):
        place, value = chooser.choice(every)[0], chooser.choice(FOREIGN)
        found = verified(chain, resigned(chain, tmp_path, changed(place, value)), at=at)
        assert found.findings[-1].message, (place, value)
