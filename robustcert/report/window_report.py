"""The window's page in Kubeflow's interface: plain Markdown, at most a few kilobytes, no HTML."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from robustcert.certificate.schema import RatePart
from robustcert.certificate.window import WindowEvaluation, window_summary

NO_WINDOW = "# Window of production data\n\nNone was given: nothing was evaluated here.\n"

# Whatever Markdown or HTML would read as more than text; a file may be called anything.
_MARKUP = re.compile(r"[^\w .,:;/@+()%'=>-]")


def window_markdown(found: WindowEvaluation) -> str:
    """Criteria, accuracies with interval and denominator, and what the evaluation's own checks found."""
    return "\n".join([*_head(found), *_criteria(found), *_accuracies(found), *_checks(found)]) + "\n"


def _head(found: WindowEvaluation) -> Iterator[str]:
    yield "# Window of production data"
    yield ""
    yield f"**{'Holds' if found.holds else 'Does not hold'}**: {_plain(window_summary(found))}."
    yield ""
    yield f"Model {found.model_sha256[:12]}, certified by {found.certificate_sha256[:12]}, on {_plain(found.source)}"
    yield f"(SHA-256 {found.source_sha256[:12]}): {found.samples} of {found.rows} rows, suite {found.suite}."


def _criteria(found: WindowEvaluation) -> Iterator[str]:
    rows = [
        (part.metric, part.threat_model or "", f"{part.comparator} {part.threshold}", part.observed, _yes(part.met))
        for part in found.criteria
    ]
    yield from _table(("criterion", "threat", "required", "weak end", "met"), rows)


def _accuracies(found: WindowEvaluation) -> Iterator[str]:
    parts = found.accuracy_under_attack
    rows = [("clean", "", *_rate(found.clean_accuracy))]
    rows += [(part.threat_model, f"{part.epsilon} {part.unit}", *_rate(part.accuracy)) for part in parts]
    yield from _table(("under", "size", "right", "accuracy", "interval"), rows)
    yield ""
    yield "Accuracy under attack is empirical, an upper bound; nothing was certified on the window."


def _checks(found: WindowEvaluation) -> Iterator[str]:
    rows = [(part.check, _yes(part.passed), part.detail) for part in found.validity]
    yield from _table(("the evaluation's own check", "passed", "detail"), rows)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield ""
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(_plain(cell) for cell in row)} |"


def _rate(part: RatePart) -> tuple[str, str, str]:
    return f"{part.count} of {part.of}", part.estimate, f"{part.lower} to {part.upper} at {part.confidence}"


def _yes(holds: bool) -> str:
    return "yes" if holds else "NO"


def _plain(text: str) -> str:
    return _MARKUP.sub(" ", text)
