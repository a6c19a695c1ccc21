"""The drift report: one self-contained HTML page about one window, for the person whom the alert called.

It shows what the signed record says, and draws the distributions that moved most. No requests and no scripts; whatever
came from outside is escaped; the page is ASCII. Two questions are kept apart, since they have other remedies: did
known inputs shift, and do unknown ones come in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from importlib import resources

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

import robustcert
from robustcert.certificate.schema import RatePart
from robustcert.drift.record import DriftRecord, DriftTestPart, SignalPart
from robustcert.drift.report_charts import Distribution, distribution_chart, share_bar, signal_bar
from robustcert.report import wording

TEMPLATE = "report.html.jinja"
EVIDENTLY = "evidently.html"
MOST_CHARTS = 12
MOST_LINES = 200
VERDICT_WORDS = {
    "clean": "CLEAN",
    "drifted": "DRIFTED",
    "gross": "DRIFTED GROSSLY",
    "undecided": "UNDECIDED",
}
SIGNAL_WORDS = {
    "features": "Inputs",
    "embedding": "Embedding",
    "outputs": "Answers",
    "labels": "Labels",
    "distance": "Distance",
}


@dataclass(frozen=True, kw_only=True)
class ReportFacts:
    """What the page shows beside the record.

    `distributions` by column, `distance` of the rows to the training data's centre; `clean_accuracy` is the
    certificate's; `caveat` goes with the accuracy on labels; `samples` says in words how many rows each part looked at;
    `left_out`: columns that Evidently's page is not about, with the reason; `no_evidence`: why there is no such page,
    empty where there is one.
    """

    distributions: Mapping[str, Distribution]
    distance: Distribution | None
    clean_accuracy: RatePart
    caveat: str
    samples: Sequence[str]
    left_out: Mapping[str, str]
    no_evidence: str


@dataclass(frozen=True, kw_only=True)
class SignalLine:
    """One line of the table of signals."""

    signal: SignalPart
    title: str
    bar: Markup


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A column's drawing over the line that says what its test found."""

    test: DriftTestPart
    drawing: Markup


@dataclass(frozen=True, kw_only=True)
class AccuracyLine:
    """An accuracy with its interval and denominator, and what it is worth."""

    title: str
    counts: str
    interval: str
    worth: str
    bar: Markup


def render_drift_report(record: DriftRecord, facts: ReportFacts) -> str:
    """The page of a record, whose own `report_sha256` is not looked at."""
    columns = ranked([test for test in record.tests if is_column(test)])
    page = _template().render(
        r=record,
        word=VERDICT_WORDS[record.verdict],
        signals=[_signal_line(signal) for signal in record.signals],
        columns=columns[:MOST_LINES],
        charts=list(_charts(columns, facts)),
        other_tests=ranked([test for test in record.tests if not is_column(test)]),
        words=SIGNAL_WORDS,
        distance=None if facts.distance is None else distribution_chart(facts.distance, title="Distance"),
        accuracies=list(_accuracies(record, facts)),
        samples=facts.samples,
        left_out=facts.left_out,
        no_evidence=facts.no_evidence,
        evidently=EVIDENTLY,
        policy=wording.flat(record.policy),
        version=robustcert.__version__,
    )
    return page.encode("ascii", "xmlcharrefreplace").decode("ascii")


def is_column(test: DriftTestPart) -> bool:
    """Whether it is the test of one input column, not of all together."""
    return test.signal == "features" and bool(test.column)


def ranked(tests: Sequence[DriftTestPart]) -> list[DriftTestPart]:
    """Drifted ones first, each group by falling effect."""
    return sorted(tests, key=lambda test: (not test.drifted, -Decimal(test.effect), test.column))


def _template() -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {
        "date": wording.date_markup,
        "short": wording.short_digest,
        "grouped": wording.grouped,
        "number": number,
        "effect": effect_text,
        "words": lambda name: name.replace("_", " "),
    }
    return environment.from_string(resources.files("robustcert.drift").joinpath(TEMPLATE).read_text("utf-8"))


def number(text: str | None) -> str:
    """A decimal with three significant digits, never as if it were 0.

    >>> number("0.123456"), number("0.00000123"), number("1"), number(None)
    ('0.123', '1.23e-06', '1', '-')
    """
    return "-" if text is None else f"{float(text):.3g}"


def effect_text(test: DriftTestPart) -> str:
    """The effect with what it is measured in."""
    words = {"equivalent_shift": "{} sd", "cramers_v": "V = {}", "auc": "AUC {}"}
    return words.get(test.effect_name, "{} " + test.effect_name.replace("_", " ")).format(number(test.effect))


def _signal_line(signal: SignalPart) -> SignalLine:
    return SignalLine(signal=signal, title=SIGNAL_WORDS[signal.signal], bar=signal_bar(signal))


def _charts(columns: Sequence[DriftTestPart], facts: ReportFacts) -> Iterator[Chart]:
    """The columns that moved most."""
    drawn = [test for test in columns if test.column in facts.distributions]
    for test in drawn[:MOST_CHARTS]:
        yield Chart(test=test, drawing=distribution_chart(facts.distributions[test.column], title=test.column))


def _accuracies(record: DriftRecord, facts: ReportFacts) -> Iterator[AccuracyLine]:
    clean = facts.clean_accuracy
    yield _accuracy_line(
        "As certified, clean test data", clean.lower, clean.upper, counts=f"{clean.count} of {clean.of}", worth="",
        share=clean.count / clean.of, class_="certified",
    )  # fmt: skip
    if (found := record.realised) is not None:
        delay = found.median_delay_seconds
        worth = f"labels for {'all' if Decimal(found.coverage) == 1 else number(found.coverage)} of the answers"
        worth += "" if delay is None else f", half of them within {_duration(delay)}"
        worth += f"; {facts.caveat}" if facts.caveat else ""
        yield _accuracy_line(
            "In production, on labels that came", found.lower, found.upper, counts=f"{found.correct} of {found.of}",
            worth=worth, share=found.correct / found.of if found.of else 0.0, class_="realised",
        )  # fmt: skip
    if (guess := record.estimate) is not None:
        yield _accuracy_line(
            "In production, estimated without labels", guess.lower, guess.upper, counts=f"{record.window.rows} rows",
            worth=f"{'valid' if guess.valid else 'NOT VALID'}: {guess.why}", share=float(guess.accuracy),
            class_="estimated" if guess.valid else "invalid",
        )  # fmt: skip


def _accuracy_line(
    title: str, lower: str, upper: str, *, counts: str, worth: str, share: float, class_: str
) -> AccuracyLine:
    bar = share_bar(share, float(lower), float(upper), title=title, class_=class_)
    interval = f"{share:.3f} [{float(lower):.3f}, {float(upper):.3f}]"
    return AccuracyLine(title=title, counts=counts, interval=interval, worth=worth, bar=bar)


def _duration(seconds: int) -> str:
    """Seconds in the largest unit of which there are two.

    >>> _duration(90), _duration(7200), _duration(864000)
    ('90 s', '2 h', '10 d')
    """
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
