"""The lint of claims, held to claims that a person judged."""

import pytest

from robustcert.claim_wording import NEVER, ONLY_TIED, claim_problems

GOOD = (
    "On the test split, 70 percent of the digits stay correctly classified under linf-0.1.",
    "Robust under linf-0.1 on most test digits; nothing is claimed for other images.",
    "The smoothed votes are guaranteed within l2 radius 0.25 up to the stated failure probability.",
    "This system handles insecure channels and fullyrobust identifiers in the data set names.",
)


def found(claim: str) -> list[str]:
    return list(claim_problems(claim, threat_models=("linf-0.1",), radii=(0.25, 0.5)))


@pytest.mark.parametrize("claim", GOOD)
def test_a_claim_that_says_against_what_passes(claim: str) -> None:
    assert found(claim) == []


@pytest.mark.parametrize("claim", ["", "   ", "TODO", "Robustness.", "It works fine."])
def test_an_empty_claim_is_refused(claim: str) -> None:
    assert "expected a claim of at least 5 words" in found(claim)[0]


@pytest.mark.parametrize("phrase", NEVER)
def test_a_phrase_without_possible_evidence_is_refused_even_beside_a_threat(phrase: str) -> None:
    problems = found(f"Under linf-0.1 the network for test digits is, we say, {phrase} within radius 0.25.")
    assert len(problems) == 1
    assert f"got '{phrase}'" in problems[0]


@pytest.mark.parametrize("word", ONLY_TIED)
def test_a_word_that_needs_a_threat_passes_only_beside_one(word: str) -> None:
    assert any(f"'{word}' tied to a threat" in problem for problem in found(f"The test digits network is {word} here."))
    assert found(f"The test digits network is {word} under linf-0.1 here.") == []


def test_the_threat_must_stand_in_the_same_sentence() -> None:
    problems = found("The network reads test digits under linf-0.1. It is secure.")
    assert problems == [
        "expected 'secure' tied to a threat, got it alone; "
        "name a threat model of this file, or a certified radius, in the same sentence"
    ]


def test_a_radius_or_threat_that_was_not_declared_ties_nothing() -> None:
    assert len(found("The network that reads test digits is robust within radius 0.75.")) == 1
    assert len(found("The network that reads test digits is robust under linf-0.15.")) == 1


@pytest.mark.parametrize(
    "written", ["UNHACKABLE", "un\u00adhackable", "\uff55nhackable", "bullet-proof", "bullet\n proof", "100%", "100  %"]
)
def test_case_hyphens_spaces_and_invisible_characters_hide_nothing(written: str) -> None:
    assert len(found(f"On all the test digits this network is {written} for good.")) == 1


def test_a_denial_is_refused_too_as_documented() -> None:
    assert len(found("Nobody says that the network for test digits is unhackable.")) == 1
