import re
from collections.abc import Callable
from dataclasses import replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

import numpy as np
import pytest

from robustcert.certificate.schema import Predicate
from robustcert.data.dataset import Dataset
from robustcert.errors import DataError
from robustcert.evaluation.adversarials import Adversarials
from robustcert.provenance.digests import canonical_json, sha256_bytes
from robustcert.report.report import verdict
from tests.report.page import Element, read_page
from tests.report.sample_certificate import Sample

HEADINGS = [
    "The claim",
    "What this certificate is not",
    "Verdict per criterion",
    "Certified accuracy",
    "Accuracy under attack",
    "Abstention",
    "Worst samples",
    "Validity checks",
    "Data sheet",
    "Training history",
    "Provenance",
    "Limits",
]
MOST_BYTES = 2_000_000
PERCENTAGE = re.compile(r"\d\s*%")
RATE = re.compile(r"^\d+ of \d+ [01]\.\d{3} \[-?[01]\.\d{3}, [01]\.\d{3}\]$")
PROOF_WORDS = re.compile(r"\b(?:proved|proven|proofs?|certified|certify|guarantee\w*)\b", re.I)
ATTACK_WORDS = re.compile(r"\b(?:attack\w*|no adversarial|not found|not broken)\b", re.I)


def given(element: Element) -> bool:
    """Whether the text comes from the certificate word for word."""
    return "given" in element.classes


def changed(predicate: Predicate, **values: Any) -> Predicate:
    return predicate.model_copy(update=values)


def test_the_page_has_its_sections_in_order(page: Element) -> None:
    assert [heading.text() for heading in page.all("h2")] == HEADINGS


def test_the_header_says_verdict_model_dates_owner_and_use(any_sample: Sample, page: Element) -> None:
    header, predicate = page.one("header").text(), any_sample.predicate
    for expected in (
        predicate.name,
        predicate.verdict.upper(),
        predicate.model.sha256[:12],
        "14 March 2026, 09:26 UTC",
        "12 June 2026, 09:26 UTC",
        "90 days from issue",
        predicate.owner["contact"],
        predicate.intended_use,
    ):
        assert expected in header


def test_every_claim_the_scope_the_narrative_and_every_limit_is_printed(any_sample: Sample, page: Element) -> None:
    text, predicate = page.text(), any_sample.predicate
    for expected in (*predicate.claims, *predicate.limits, predicate.scope, predicate.narrative):
        assert " ".join(expected.split()) in text


def test_every_criterion_shows_threshold_weak_end_rate_kind_and_verdict(digits: Sample, digits_page: Element) -> None:
    rows = [row.text() for row in digits_page.one("table", class_="criteria").one("tbody").all("tr")]
    assert len(rows) == len(digits.predicate.criteria)
    for row, criterion in zip(rows, digits.predicate.criteria, strict=True):
        assert criterion.kind in row
        assert f"{'at least' if criterion.comparator == '>=' else 'at most'} {criterion.threshold}" in row
        assert row.endswith("not met") != criterion.met
        weaker = ROUND_FLOOR if criterion.comparator == ">=" else ROUND_CEILING
        assert f"{Decimal(criterion.observed).quantize(Decimal('0.001'), weaker)}" in row


@pytest.mark.parametrize(
    ("met", "word", "reason"),
    [
        ([True, True], "ACCEPTED", "All acceptance criteria are met, 2 of 2."),
        ([True, False], "REJECTED", "1 of 2 acceptance criteria are met: this is a record of a rejection"),
    ],
)
def test_the_verdict_counts_the_criteria_that_are_met(digits: Sample, met: list[bool], word: str, reason: str) -> None:
    criteria = tuple(digits.predicate.criteria[0].model_copy(update={"met": value}) for value in met)
    predicate = changed(digits.predicate, criteria=criteria, verdict=word.lower())
    found = verdict(predicate)
    assert (found.accepted, found.word) == (all(met), word)
    assert found.reason.startswith(reason)
    header = read_page(digits.page(predicate=predicate)).one("div", class_="verdict")
    assert header.classes == {"verdict", word.lower()}
    assert header.text().startswith(f"{word} {reason}")


def test_no_percentage_is_printed_anywhere(page: Element) -> None:
    assert PERCENTAGE.findall(page.text(without=given)) == []


@pytest.mark.parametrize("planted", ["<p>95.8 % correct</p>", "<p>so 3% abstain</p>"])
def test_the_reader_of_percentages_finds_a_planted_one(planted: str) -> None:
    assert PERCENTAGE.search(read_page(planted).text(without=given))


def test_every_rate_is_printed_with_count_denominator_and_interval(any_sample: Sample, page: Element) -> None:
    rates = [rate.text() for rate in page.all("span", class_="rate")]
    attacked = any_sample.predicate.results.accuracy_under_attack
    assert len(rates) >= len(any_sample.predicate.criteria) + 2 * len(attacked)
    assert [rate for rate in rates if not RATE.match(rate)] == []


def test_no_estimate_of_the_results_is_printed_outside_a_rate(any_sample: Sample, page: Element) -> None:
    found = any_sample.predicate.results
    parts = [found.clean_accuracy, found.smoothed_accuracy, *(part.accuracy for part in found.accuracy_under_attack)]
    shares = {f"{part.count / part.of:.3f}" for part in parts}
    text = page.text(without=lambda element: given(element) or "rate" in element.classes)
    assert shares & set(re.findall(r"\d\.\d+", text)) == set()


def test_rates_are_those_of_the_certificate(any_sample: Sample, page: Element) -> None:
    printed = {" ".join(rate.text().split()[:3]) for rate in page.all("span", class_="rate")}
    found = any_sample.predicate.results
    parts = [found.clean_accuracy, found.smoothed_accuracy, found.abstention_rate]
    parts += [part.accuracy for part in found.accuracy_under_attack]
    parts += [part.accuracy for part in found.certified_accuracy]
    assert {f"{part.count} of {part.of}" for part in parts} <= printed


def test_the_word_robust_is_never_a_claim(page: Element) -> None:
    assert re.findall(r"\brobust(?:ly)?\b", page.text(), re.I) == []


def test_empirical_and_certified_never_share_their_words(page: Element) -> None:
    by_kind: dict[str, str] = {"empirical": "", "certified": ""}
    for part in page.walk():
        if "data-kind" in part.attributes and part.tag == "section":
            by_kind[part.attributes["data-kind"]] += part.text(without=given)
    assert "no attack of this suite found more; an upper bound" in by_kind["empirical"]
    assert "Proved" in by_kind["certified"]
    assert PROOF_WORDS.findall(by_kind["empirical"]) == []
    assert ATTACK_WORDS.findall(by_kind["certified"]) == []


def test_each_criterion_keeps_to_the_words_of_its_kind(page: Element) -> None:
    rows = page.one("table", class_="criteria").one("tbody").all("tr")
    forbidden = {"empirical": PROOF_WORDS, "certified": ATTACK_WORDS}
    assert [row.text() for row in rows if forbidden[row.attributes["data-kind"]].search(row.text())] == []


def test_the_page_is_ascii_so_that_no_declared_encoding_can_change_it(digits: Sample) -> None:
    page = digits.page(predicate=changed(digits.predicate, name="ε-Prüfung ✓"))
    assert page.isascii()
    assert read_page(page).one("h1").text() == "ε-Prüfung ✓"


def test_a_page_stays_under_its_limit(html: str) -> None:
    assert len(html.encode()) < MOST_BYTES


def test_large_noisy_pictures_long_texts_and_many_classes_stay_under_the_limit(digits: Sample) -> None:
    dataset, adversarials, rows = large_pictures(digits)
    long = "all work and no play " * 190
    classes = tuple(f"{number} {long}" for number in range(1000))
    predicate = changed(
        digits.predicate,
        data=digits.predicate.data.model_copy(update={"classes": classes, "validation_warnings": (long,) * 1000}),
        specification=digits.predicate.specification.model_copy(update={"text": long * 1000}),
        narrative=long,
    )
    page = digits.page(predicate=predicate, dataset=dataset, adversarials=adversarials, evaluation_rows=rows)
    assert page.count("data:image/png") >= 5
    assert len(page.encode()) < MOST_BYTES


def large_pictures(digits: Sample) -> tuple[Dataset, dict[str, Adversarials], list[dict[str, Any]]]:
    """The digits as noise of 3 x 224 x 224, each attacked once."""
    generator, shape = np.random.default_rng(1), (3, 224, 224)
    few = digits.dataset.select("test").rows(digits.dataset.select("test").sample_ids[:12])
    dataset = replace(
        few,
        card=few.card.model_copy(update={"shape": shape}),
        x_int=generator.integers(0, 257, (12, *shape), dtype=np.int32),
        **{
            name: np.full(shape, getattr(few, name).flat[0])
            for name in ("unit", "scale", "lower", "upper", "perturbable")
        },
    )
    x_adv = np.clip(dataset.x() + generator.uniform(-0.1, 0.1, (12, *shape)), 0, 1).astype(np.float32)
    attack = digits.predicate.evaluation.attacks[0].id
    first = digits.predicate.threat_models[0].name
    rows = [
        {"threat": first, "epsilon": "0.1", "attack": attack, "sample": int(sample), "label": 1, "prediction": 1}
        | {"adversarial": 2, "distance": "0.05", "perturbed": sha256_bytes(x.tobytes())}
        for sample, x in zip(dataset.sample_ids, x_adv, strict=True)
    ]
    return dataset, {f"{first}/{attack}": Adversarials(sample_ids=dataset.sample_ids, x_adv=x_adv)}, rows


def test_the_same_certificate_gives_the_same_page(digits: Sample) -> None:
    assert digits.page() == digits.page()


def test_a_certificate_that_was_read_back_gives_the_same_page(any_sample: Sample, html: str) -> None:
    signed = canonical_json(any_sample.predicate.model_dump(mode="json", by_alias=True))
    assert any_sample.page(predicate=Predicate.model_validate_json(signed)) == html


def test_rows_of_another_certificate_are_refused(digits: Sample) -> None:
    with pytest.raises(DataError, match=r"certified at radius .*, got .*; use the evidence of the same bundle"):
        digits.page(certification_rows=digits.certification_rows[:-40])


def test_an_evaluation_that_cannot_vouch_for_itself_is_no_evidence(digits: Sample) -> None:
    evaluation = digits.predicate.evaluation
    failed = evaluation.validity[0].model_copy(update={"passed": False})
    invalid = evaluation.model_copy(update={"valid": False, "validity": (failed, *evaluation.validity[1:])})
    text = read_page(digits.page(predicate=changed(digits.predicate, evaluation=invalid))).text()
    assert "These figures are not evidence." in text
    assert "6 of 7 checks passed: it cannot be used as evidence." in text
    assert "These figures are not evidence." not in read_page(digits.page()).text()


def test_an_own_model_has_no_training_history(digits: Sample) -> None:
    page = read_page(digits.page(history=[]))
    assert "its owner brought it" in page.text()


def test_the_command_that_verifies_is_printed(page: Element) -> None:
    assert page.one("code", class_="verify").text() == "robustcert verify BUNDLE --key issuer.pub"


def test_every_digest_of_the_certificate_is_printed_in_full(any_sample: Sample, page: Element) -> None:
    predicate = any_sample.predicate
    printed = {cell.text() for cell in page.all("td", class_="digest")}
    assert {
        predicate.model.sha256,
        predicate.specification.sha256,
        predicate.specification.canonical_sha256,
        predicate.data.merkle_root,
        predicate.certification.evidence.merkle_root,
        predicate.evaluation.evidence.merkle_root,
        *predicate.supersedes,
    } <= printed


KINDS_OF_PERSONAL_DATA: tuple[tuple[str, Callable[[int], bool]], ...] = (
    ("identifiable", lambda pictures: pictures == 0),
    ("anonymised", lambda pictures: pictures >= 5),
)


@pytest.mark.parametrize(("personal", "holds"), KINDS_OF_PERSONAL_DATA)
def test_samples_of_persons_are_withheld(digits: Sample, personal: str, holds: Callable[[int], bool]) -> None:
    data = digits.predicate.data
    provenance = data.provenance | {"personalData": personal}
    predicate = changed(digits.predicate, data=data.model_copy(update={"provenance": provenance}))
    page = read_page(digits.page(predicate=predicate))
    assert holds(len(page.all("img")))
    assert ("No sample is shown" in page.text()) == (personal == "identifiable")
