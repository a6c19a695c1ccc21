"""report.html.jinja: nothing comes in unescaped, nothing goes out, and everybody can read it."""

import re
from dataclasses import replace
from importlib import resources
from itertools import pairwise
from typing import Any

import pytest

from robustcert.certificate.schema import Predicate
from robustcert.data.dataset import Dataset
from robustcert.report.report import TEMPLATE
from tests.report.page import Element, read_page
from tests.report.sample_certificate import Sample

HOSTILE = "</style><script>alert(1)</script><img src=x onerror=\"alert('2')\">{{ 7 * 7 }}"
ADDRESS = re.compile(
    r"(?:src|href|srcset|action|data|poster)\s*=\s*[\"']?\s*(?:[a-z]+:)?//|url\(|@import|<link|<base", re.IGNORECASE
)
STYLE = resources.files("robustcert.report").joinpath(TEMPLATE).read_text("utf-8")


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


def test_everything_from_outside_is_escaped(any_sample: Sample) -> None:
    html = hostile_page(any_sample)
    page = read_page(html)
    assert page.all("script") == []
    assert [element.tag for element in page.walk() if any(name.startswith("on") for name in element.attributes)] == []
    assert html.count("&lt;script&gt;") > 100
    assert "49" not in re.findall(r"onerror=\"alert\('2'\)\">(\S+)", page.text())


def hostile_page(sample: Sample) -> str:
    """The report with a hostile text wherever the types of its inputs allow one."""
    first = sample.predicate.threat_models[0].name
    return sample.page(
        predicate=hostile_predicate(sample.predicate, first),
        dataset=hostile_dataset(sample.dataset),
        evaluation_rows=[row | {"threat": renamed(row["threat"], first)} for row in sample.evaluation_rows],
        adversarials={key.replace(f"{first}/", f"{HOSTILE}/"): found for key, found in sample.adversarials.items()},
        budgets=[budget | {"threat": renamed(budget["threat"], first), "attack": HOSTILE} for budget in sample.budgets],
        history=[record | {f"{HOSTILE} loss": 1.0, f"{HOSTILE} accuracy": 0.5} for record in sample.history],
        certificate_sha256=HOSTILE,
        key_id=HOSTILE,
    )


def renamed(name: Any, hostile: str) -> Any:
    return HOSTILE if name == hostile else name


def hostile_copy(value: Any) -> Any:
    """The same JSON value with a hostile text in place of every text."""
    if isinstance(value, dict):
        return {key: hostile_copy(part) for key, part in value.items()} | {HOSTILE: HOSTILE}
    if isinstance(value, list | tuple):
        return type(value)(hostile_copy(part) for part in value)
    return HOSTILE if isinstance(value, str) else value


def hostile_dataset(dataset: Dataset) -> Dataset:
    texts = (HOSTILE,) * len(dataset.card.coordinates)
    return replace(dataset, card=dataset.card.model_copy(update={"coordinates": texts, "units": texts}))


def hostile_predicate(predicate: Predicate, threat: str) -> Predicate:
    data, evaluation, results = predicate.data, predicate.evaluation, predicate.results
    checks = [check.model_copy(update={"check": HOSTILE, "detail": HOSTILE}) for check in evaluation.validity]
    hostile_threats = [
        part.model_copy(update={"name": renamed(part.name, threat), "bounds": HOSTILE})
        for part in predicate.threat_models
    ]
    under_attack = [
        part.model_copy(update={"threat_model": renamed(part.threat_model, threat)})
        for part in results.accuracy_under_attack
    ]
    criteria = [
        criterion.model_copy(update={"threat_model": renamed(criterion.threat_model, threat)})
        for criterion in predicate.criteria
    ]
    changes = {
        **dict.fromkeys(("name", "narrative", "scope", "intended_use"), HOSTILE),
        "claims": (HOSTILE,),
        "limits": (HOSTILE,),
        "owner": {"name": HOSTILE, "contact": HOSTILE},
        "data": data.model_copy(
            update={
                "source": HOSTILE,
                "classes": (HOSTILE,) * len(data.classes),
                "transforms": (HOSTILE,),
                "provenance": hostile_copy(data.provenance) | {"personalData": "none"},
                "validation_warnings": (HOSTILE,),
            }
        ),
        "specification": predicate.specification.model_copy(update={"text": HOSTILE}),
        "model": predicate.model.model_copy(update={"card": hostile_copy(predicate.model.card)}),
        "threat_models": tuple(hostile_threats),
        "results": results.model_copy(update={"accuracy_under_attack": tuple(under_attack)}),
        "criteria": tuple(criteria),
        "evaluation": evaluation.model_copy(update={"suite": HOSTILE, "validity": tuple(checks)}),
        "environment": hostile_copy(predicate.environment),
        "reproducibility": predicate.reproducibility.model_copy(update={"statement": HOSTILE}),
        "run": predicate.run.model_copy(update={"id": HOSTILE}),
    }
    return predicate.model_copy(update=changes)


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
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_identifiers_are_unique_and_labels_point_to_them(page: Element) -> None:
    identifiers = [element.attributes["id"] for element in page.walk() if "id" in element.attributes]
    labels = [element.attributes.get("aria-labelledby") for element in page.all("section")]
    assert len(identifiers) == len(set(identifiers))
    assert labels == identifiers


def colours(start: str) -> dict[str, str]:
    """The colour variables of the first :root block after `start`."""
    block = STYLE[STYLE.index(start) :].partition(":root {")[2].partition("}")[0]
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
    found = colours(theme)
    grounds = [found[name] for name in ("ground", "paper", "sunken")]
    for name in ("ink", "muted", "certified", "empirical", "accepted", "rejected"):
        assert min(contrast(found[name], ground) for ground in grounds) >= 4.5, name
    for name in ("accepted", "rejected"):
        assert contrast(found[name], found[f"{name}-ground"]) >= 4.5
        assert contrast(found["ink"], found[f"{name}-ground"]) >= 4.5
    assert contrast(found["certified"], found["band"]) >= 3


def test_both_themes_name_the_same_colours() -> None:
    assert colours("<style>").keys() == colours("prefers-color-scheme: dark").keys()


@pytest.mark.parametrize(
    "used", ["(max-width: 620px)", "@media print", "@page { size: A4;", "(prefers-color-scheme: dark)"]
)
def test_the_style_serves_phones_print_and_dark_rooms(used: str) -> None:
    assert used in STYLE


def test_every_class_that_a_drawing_uses_has_a_style(html: str, page: Element) -> None:
    names = {name for drawing in page.all("svg") for part in drawing.walk() for name in part.classes}
    style = html.partition("<style>")[2].partition("</style>")[0]
    assert {name for name in names if f".{name}" not in style} == {"frame"}
