"""The report: one self-contained HTML page that a risk officer reads and an engineer can check.

It draws what the certificate's predicate says; evidence rows give the curve between the stated radii and the worst
samples. No requests, no scripts; the template report.html.jinja escapes everything that came from outside, and the page
is ASCII, so that it reads the same whatever encoding a server declares.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

import robustcert
from robustcert.certificate.schema import CriterionPart, Predicate, RatePart
from robustcert.data.dataset import Dataset
from robustcert.evaluation.adversarials import Adversarials
from robustcert.evaluation.statistics import CONFIDENCE, PRINTED_DIGITS, round_down
from robustcert.report import wording
from robustcert.report.bars import criterion_bar, outcome_bar
from robustcert.report.certified_view import certified_view
from robustcert.report.data_sheet import data_sheet
from robustcert.report.flip_rates import flip_lines
from robustcert.report.limits import limits
from robustcert.report.provenance_lines import provenance_lines
from robustcert.report.sample_views import worst_view
from robustcert.report.smoothing_words import abstention_words
from robustcert.report.threat_views import Budget, threat_views
from robustcert.report.training_chart import TrainingChart, training_charts
from robustcert.report.worst_samples import worst_samples

Row = Mapping[str, Any]

TEMPLATE = "report.html.jinja"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The verdict in a word and a sentence."""

    accepted: bool
    word: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class CriterionLine:
    """One line of the table of criteria."""

    criterion: CriterionPart
    title: str
    required: str
    observed: str
    rate: RatePart | None
    bar: Markup


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How the smoothed classifier's answers divide."""

    right: int
    wrong: int
    abstained: int
    of: int
    bar: Markup


@dataclass(frozen=True, kw_only=True)
class History:
    """Charts of the training and what they are."""

    charts: tuple[TrainingChart, ...]
    introduction: str


def render_report(
    predicate: Predicate,
    *,
    certification_rows: Sequence[Row],
    evaluation_rows: Sequence[Row],
    dataset: Dataset,
    adversarials: Mapping[str, Adversarials],
    history: Sequence[Mapping[str, float]],
    budgets: Sequence[Budget],
    certificate_sha256: str,
    key_id: str,
) -> str:
    """The page of a certificate; DataError where the certification rows are not those that it counts.

    `adversarials` are keyed `THREAT/ATTACK`, `history` has one record per epoch (none for a model that was brought),
    `budgets` one entry per attack and epsilon, as `robustcert.evaluation.evaluate` returns them.
    """
    found = worst_samples(
        predicate,
        dataset,
        certification_rows=certification_rows,
        evaluation_rows=evaluation_rows,
        adversarials=adversarials,
    )
    page = _template().render(
        p=predicate,
        verdict=verdict(predicate),
        days=wording.days_valid(predicate),
        criteria=[_criterion(criterion, predicate) for criterion in predicate.criteria],
        curve=certified_view(predicate, dataset, certification_rows),
        threats=threat_views(predicate, dataset, budgets),
        outcome=_outcome(certification_rows),
        abstention=abstention_words(predicate.certification),
        flips=flip_lines(predicate, evaluation_rows),
        worst=worst_view(predicate, dataset, found),
        validity_summary=_validity_summary(predicate),
        data=data_sheet(predicate, dataset),
        history=_history(history),
        provenance=provenance_lines(predicate, certificate_sha256=certificate_sha256),
        limits=limits(predicate, certification_rows),
        certificate_sha256=certificate_sha256,
        key_id=key_id,
        version=robustcert.__version__,
    )
    return page.encode("ascii", "xmlcharrefreplace").decode("ascii")


def verdict(predicate: Predicate) -> Verdict:
    """ACCEPTED or REJECTED, and how many criteria are met."""
    met, of = sum(criterion.met for criterion in predicate.criteria), len(predicate.criteria)
    if predicate.verdict == "accepted":
        return Verdict(accepted=True, word="ACCEPTED", reason=f"All acceptance criteria are met, {met} of {of}.")
    reason = f"{met} of {of} acceptance criteria are met: this is a record of a rejection, and nothing may rely on it."
    return Verdict(accepted=False, word="REJECTED", reason=reason)


def _template() -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {
        "rate": wording.rate_markup,
        "loss": wording.loss_markup,
        "date": wording.date_markup,
        "plain": wording.plain,
        "radius": lambda text: round_down(text, PRINTED_DIGITS),
        "short": wording.short_digest,
        "grouped": wording.grouped,
        "unit_words": wording.unit_words,
        "unit_short": lambda unit: wording.UNIT_SHORT.get(unit, unit),
    }
    return environment.from_string(resources.files("robustcert.report").joinpath(TEMPLATE).read_text("utf-8"))


def _criterion(criterion: CriterionPart, predicate: Predicate) -> CriterionLine:
    rate, norm = wording.measured(criterion, predicate), predicate.certification.threat
    return CriterionLine(
        criterion=criterion,
        title=wording.metric_title(criterion, norm=norm),
        required=wording.required_text(criterion),
        observed=wording.observed_text(criterion),
        rate=rate,
        bar=criterion_bar(criterion, rate, norm=norm),
    )


def _outcome(rows: Sequence[Row]) -> Outcome:
    abstained = sum(row["decision"] == "abstain" for row in rows)
    right = sum(row["decision"] != "abstain" and row["candidate"] == row["label"] for row in rows)
    counts = (right, len(rows) - right - abstained, abstained)
    return Outcome(right=counts[0], wrong=counts[1], abstained=counts[2], of=len(rows), bar=outcome_bar(counts))


def _validity_summary(predicate: Predicate) -> str:
    checks = predicate.evaluation.validity
    passed = sum(check.passed for check in checks)
    ending = "the evaluation can be used as evidence" if predicate.evaluation.valid else "it cannot be used as evidence"
    return f"{passed} of {len(checks)} checks passed: {ending}."


def _history(history: Sequence[Mapping[str, float]]) -> History:
    charts = training_charts(history)
    of = f"{int(history[-1]['validationSamples'])} " if history and "validationSamples" in history[-1] else ""
    introduction = (
        f"{len(history)} epochs. Accuracies are over {of}validation samples, which choose the checkpoint; shaded is "
        f"the interval at confidence {CONFIDENCE}. They describe the training and claim nothing."
    )
    return History(charts=charts, introduction=introduction)
