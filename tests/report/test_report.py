import re
from collections.abc import Callable
from dataclasses import replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from importlib import resources
from typing import Any

import numpy as np
import pytest

from robustcert.certificate.schema import Predicate
from robustcert.data.dataset import Dataset
from robustcert.errors import DataError
from robustcert.evaluation.adversarials import Adversarials
from robustcert.provenance.digests import sha256_bytes
from robustcert.report.report import TEMPLATE, verdict
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
HOSTILE = "</style><script>alert(1)</script><img src=x onerror=\"alert('2')\">{{ 7 * 7 }}"
PERCENTAGE = re.compile(r"\d\s*%")
ADDRESS = re.compile(
    r"(?:src|href|srcset|action|data|poster)\s*=\s*[\"']?\s*(?:[a-z]+:)?//|url\(|@import|<link|<base", re.I
)
RATE = re.compile(r"^\d+ of \d+ [01]\.\d{3} \[-?[01]\.\d{3}, [01]\.\d{3}\]$")
PROOF_WORDS = re.compile(r"\b(?:proved|proven|proofs?|certified|certify|guarantee\w*)\b", re.I)
ATTACK_WORDS = re.compile(r"\b(?:attack\w*|no adversarial|not found|not broken)\b", re.I)


def given(element: Element) -> bool:
    """Whether the text comes from the certificate word for word."""
    return "given" in element.classes


def changed(predicate: Predicate, **values: Any) -> Predicate:
    return predicate.model_copy(update=values)


def hostile_copy(value: Any) -> Any:
    """The same with a hostile text in place of every text of a JSON object."""
    if isinstance(value, dict):
        return {key: hostile_copy(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(hostile_copy(part) for part in value)
    return HOSTILE if isinstance(value, str) else value


def test_the_page_has_its_sections_in_order(page: Element) -> None:
    assert [heading.text() for heading in page.all("h2")] == HEADINGS


def test_the_header_says_verdict_model_dates_owner_and_use(digits: Sample, digits_page: Element) -> None:
    header = digits_page.one("header").text()
    for expected in (
        "digits",
        "REJECTED",
        "2 of 4 acceptance criteria are met",
        digits.predicate.model.sha256[:12],
        "14 March 2026, 09:26 UTC",
        "12 June 2026, 09:26 UTC",
        "90 days from issue",
        "nobody@example.org",
        digits.predicate.intended_use,
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
        assert f"at least {criterion.threshold}" in row or f"at most {criterion.threshold}" in row
        assert row.endswith("not met") != criterion.met
        weaker = ROUND_FLOOR if criterion.comparator == ">=" else ROUND_CEILING
        assert f"{Decimal(criterion.observed).quantize(Decimal('0.001'), weaker)}" in row


def test_an_accepted_certificate_says_so(table: Sample) -> None:
    found = verdict(table.predicate)
    assert (found.accepted, found.word) == (True, "ACCEPTED")
    assert "REJECTED" not in table.page()


def test_the_page_asks_for_nothing_from_outside(html: str) -> None:
    assert ADDRESS.findall(html) == []
    assert "<script" not in html
    assert all(source.startswith("data:image/png;base64,") for source in re.findall(r"src=\"([^\"]*)\"", html))


@pytest.mark.parametrize(
    "planted",
    ['<img src="https://a.b/c.png">', "<a href='//a.b'>", "fill: url(#a)", "@import 'a.css'", '<link rel="x">'],
)
def test_the_reader_of_addresses_finds_a_planted_one(planted: str) -> None:
    assert ADDRESS.search(planted)


def test_the_content_policy_allows_styles_and_data_pictures_only(page: Element) -> None:
    policies = [meta for meta in page.all("meta") if meta.attributes.get("http-equiv") == "Content-Security-Policy"]
    assert [policy.attributes["content"] for policy in policies] == [
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    ]


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
    parts += [part.accuracy for part in (*found.accuracy_under_attack, *found.certified_accuracy)]
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
    rows = [row for row in page.one("table", class_="criteria").one("tbody").all("tr")]
    forbidden = {"empirical": PROOF_WORDS, "certified": ATTACK_WORDS}
    assert [row.text() for row in rows if forbidden[row.attributes["data-kind"]].search(row.text())] == []


def test_everything_from_outside_is_escaped(digits: Sample) -> None:
    predicate = hostile_predicate(digits.predicate)
    card = digits.dataset.card.model_copy(update={"classes": (HOSTILE,) * 10})
    page = digits.page(
        predicate=predicate, dataset=replace(digits.dataset, card=card), certificate_sha256=HOSTILE, key_id=HOSTILE
    )
    read = read_page(page)
    assert read.all("script") == []
    assert [image for image in read.all("img") if "onerror" in image.attributes] == []
    assert "onerror=&" in page
    assert HOSTILE in read.text()
    assert "49" not in re.findall(r"onerror=[^>]*>(\d+)", read.text())


def hostile_predicate(predicate: Predicate) -> Predicate:
    """The certificate with a hostile text wherever its types allow one."""
    data = predicate.data.model_copy(
        update={
            "source": HOSTILE,
            "classes": (HOSTILE,) * 10,
            "transforms": (HOSTILE,),
            "provenance": hostile_copy(predicate.data.provenance) | {HOSTILE: HOSTILE},
            "validation_warnings": (HOSTILE,),
        }
    )
    evaluation = predicate.evaluation
    return changed(
        predicate,
        name=HOSTILE,
        claims=(HOSTILE,),
        narrative=HOSTILE,
        scope=HOSTILE,
        limits=(HOSTILE,),
        intended_use=HOSTILE,
        owner={"name": HOSTILE, "contact": HOSTILE},
        data=data,
        specification=predicate.specification.model_copy(update={"text": HOSTILE}),
        model=predicate.model.model_copy(update={"card": hostile_copy(predicate.model.card) | {HOSTILE: HOSTILE}}),
        evaluation=evaluation.model_copy(
            update={
                "suite": HOSTILE,
                "attacks": tuple(attack.model_copy(update={"id": HOSTILE}) for attack in evaluation.attacks),
                "validity": tuple(
                    check.model_copy(update={"check": HOSTILE, "detail": HOSTILE}) for check in evaluation.validity
                ),
            }
        ),
        environment=hostile_copy(predicate.environment),
        reproducibility=predicate.reproducibility.model_copy(update={"statement": HOSTILE}),
        run=predicate.run.model_copy(update={"id": HOSTILE}),
    )


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


def test_pictures_drawings_and_tables_have_names(page: Element) -> None:
    assert page.one("html").attributes["lang"] == "en"
    assert [image for image in page.all("img") if not image.attributes.get("alt")] == []
    for drawing in page.all("svg"):
        if drawing.attributes.get("aria-hidden") != "true":
            assert drawing.attributes["role"] == "img"
            assert [child.tag for child in drawing.children[:2] if isinstance(child, Element)] == ["title", "desc"]
            assert drawing.one("title").text()
    assert [table for table in page.all("table") if not table.one("caption").text()] == []
    assert [cell for cell in page.all("th") if cell.attributes.get("scope") not in ("row", "col")] == []


def test_headings_descend_one_step_at_a_time(page: Element) -> None:
    levels = [int(heading.tag[1]) for heading in page.walk() if re.fullmatch(r"h[1-6]", heading.tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(levels, levels[1:], strict=False))


def test_identifiers_are_unique_and_labels_point_to_them(page: Element) -> None:
    identifiers = [element.attributes["id"] for element in page.walk() if "id" in element.attributes]
    labels = {
        element.attributes["aria-labelledby"] for element in page.walk() if "aria-labelledby" in element.attributes
    }
    assert len(identifiers) == len(set(identifiers))
    assert labels <= set(identifiers)


def colours(style: str, start: str) -> dict[str, str]:
    """The colour variables of the first :root block after `start`."""
    block = style[style.index(start) :].partition(":root {")[2].partition("}")[0]
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block))


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    shares = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    red, green, blue = (share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: str, second: str) -> float:
    """Contrast ratio, WCAG 2.2."""
    lighter, darker = sorted((luminance(first), luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_the_contrast_ratio_is_that_of_wcag() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.005)


@pytest.mark.parametrize("theme", ["<style>", "prefers-color-scheme: dark"])
def test_text_and_drawings_have_the_contrast_of_wcag_aa(theme: str) -> None:
    style = resources.files("robustcert.report").joinpath(TEMPLATE).read_text("utf-8")
    found = colours(style, theme)
    grounds = [found[name] for name in ("ground", "paper", "sunken")]
    for name in ("ink", "muted", "certified", "empirical", "accepted", "rejected"):
        assert min(contrast(found[name], ground) for ground in grounds) >= 4.5, name
    for name in ("accepted", "rejected"):
        assert contrast(found[name], found[f"{name}-ground"]) >= 4.5
        assert contrast(found["ink"], found[f"{name}-ground"]) >= 4.5
    assert contrast(found["certified"], found["band"]) >= 3


def test_both_themes_name_the_same_colours() -> None:
    style = resources.files("robustcert.report").joinpath(TEMPLATE).read_text("utf-8")
    assert colours(style, "<style>").keys() == colours(style, "prefers-color-scheme: dark").keys()


@pytest.mark.parametrize(
    "used", ["(max-width: 620px)", "@media print", "@page { size: A4;", "prefers-color-scheme: dark"]
)
def test_the_style_serves_phones_print_and_dark_rooms(html: str, used: str) -> None:
    assert used in html


def test_every_class_that_a_drawing_uses_has_a_style(html: str, page: Element) -> None:
    names = {name for drawing in page.all("svg") for part in drawing.walk() for name in part.classes}
    style = html.partition("<style>")[2].partition("</style>")[0]
    assert {name for name in names if f".{name}" not in style} == {"frame"}


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
