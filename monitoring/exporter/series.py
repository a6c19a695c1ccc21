"""The metrics of certified models, as lines of Prometheus' text format; docs/exporter.md lists them.

Source of the format: https://prometheus.io/docs/instrumenting/exposition_formats/ (0.0.4). Lines are made by scans,
not by scrapes: with thousands of models the text is megabytes. Only what the clock decides is chosen at a scrape.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from monitoring.exporter.scan import InForce

PREFIX = "robustcert_"
SHORT_DIGITS = 12  # of a model's SHA-256, as the label `version`
MOST_RADII = 8

STATUS = "certificate_status"
STATUSES = ("active", "suspended", "revoked", "expired")
VERDICTS = ("clean", "drifted", "gross", "undecided")

# Every gauge of a model, and its help; a model with too many series keeps those that stand first.
GAUGES = {
    "certificate_expiry_timestamp_seconds": "When the certificate in force ends.",
    "certificate_issued_timestamp_seconds": "When the model was certified.",
    "certificate_info": "The certificate in force: its SHA-256, method and run.",
    "certified_accuracy_lower_bound_ratio": "Lower end of the interval of the certified accuracy.",
    "certified_accuracy_ratio": "Share of samples that are right and certified at a radius.",
    "drift_verdict": "Verdict of the newest drift report about the certificate in force.",
    "drift_report_timestamp_seconds": "When the newest drift report was made.",
    "drift_report_rows": "Rows of the window of the newest drift report.",
    "window_end_timestamp_seconds": "When the window of the newest drift report ended.",
    "drift_features_ratio": "Share of the tested features that drifted.",
    "drift_score": "Score of a drift signal; it drifted where that is above its threshold.",
    "drift_threshold": "Threshold of a drift signal.",
    "window_quality_ratio": "Share of the window's rows without a defect.",
    "realised_accuracy_ratio": "Accuracy on the window's labelled rows.",
    "realised_accuracy_lower_bound_ratio": "Lower end of the interval of the realised accuracy.",
    "realised_accuracy_upper_bound_ratio": "Upper end of the interval of the realised accuracy.",
    "label_coverage_ratio": "Share of the window's rows whose label came.",
    "label_delay_seconds": "Median delay of the labels that came.",
    "estimated_accuracy_ratio": "Accuracy estimated without labels.",
    "estimated_accuracy_valid": "Whether the estimate without labels may count.",
    "result_shifted": "Whether a result moved between two certificates of the model by more than their intervals.",
    "empirical_accuracy_ratio": "Accuracy under the attacks of a suite (attack none: clean); an upper bound.",
}
STATUS_HELP = "Whether the certificate in force is in this status, by this program's clock."

# Label values that come from documents; a series with another one is dropped.
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,79}")

Line = tuple[str, str, str]  # gauge, labels beside model and version, value


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How many series are exported at most."""

    models: int = 10_000
    series_per_model: int = 100
    series: int = 1_000_000


@dataclass(frozen=True, kw_only=True)
class StatusLines:
    """A model's lines about its status: until its certificate ends, and from then on."""

    not_after: float
    before: str
    after: str


@dataclass(frozen=True, kw_only=True)
class Series:
    """The text of all gauges but the status, the lines of the status, and how many series were dropped."""

    text: str = ""
    statuses: tuple[StatusLines, ...] = ()
    dropped: int = 0

    def status_text(self, *, now: float) -> str:
        """The gauge of the status at a moment, in seconds since the epoch."""
        lines = [item.after if now >= item.not_after else item.before for item in self.statuses]
        return _family(STATUS, STATUS_HELP, lines) if lines else ""


def series_of(models: Sequence[InForce], *, limits: Limits) -> Series:
    """The series of all models; where there are too many, those certified last stay."""
    made = _Making(limits)
    for model in sorted(models, key=lambda item: (item.certificate.certified_at, _labels(item)), reverse=True):
        made.add(model)
    families = (_family(gauge, GAUGES[gauge], lines) for gauge, lines in made.lines.items() if lines)
    return Series(text="".join(families), statuses=tuple(made.statuses), dropped=made.dropped)


@dataclass
class _Making:
    """The lines so far."""

    limits: Limits
    lines: dict[str, list[str]] = field(default_factory=lambda: {gauge: [] for gauge in GAUGES})
    statuses: list[StatusLines] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    dropped: int = 0
    count: int = 0

    def add(self, model: InForce) -> None:
        """A model's series, all of them or, where there is no room for it, none."""
        labels = _labels(model)
        found = list(_lines(model))
        kept = [line for line in found if line is not None][: self.limits.series_per_model - len(STATUSES)]
        size = len(kept) + len(STATUSES)
        full = len(self.statuses) >= self.limits.models or self.count + size > self.limits.series
        if full or labels in self.seen:
            self.dropped += len(found) + len(STATUSES)
            return
        self.seen.add(labels)
        self.dropped += len(found) - len(kept)
        self.count += size
        self.statuses.append(_status_lines(model, labels))
        for gauge, more, value in kept:
            self.lines[gauge].append(f"{PREFIX}{gauge}{{{labels}{more}}} {value}\n")


def _labels(model: InForce) -> str:
    certificate = model.certificate
    return f'model="{certificate.name}",version="{certificate.model_sha256[:SHORT_DIGITS]}"'


def _family(gauge: str, text: str, lines: Iterable[str]) -> str:
    return f"# HELP {PREFIX}{gauge} {text}\n# TYPE {PREFIX}{gauge} gauge\n{''.join(lines)}"


def _status_lines(model: InForce, labels: str) -> StatusLines:
    """A revoked certificate stays revoked when it ends; a suspended one ends."""
    ended = "revoked" if model.status == "revoked" else "expired"
    before, after = (
        "".join(f'{PREFIX}{STATUS}{{{labels},status="{each}"}} {int(each == shown)}\n' for each in STATUSES)
        for shown in (model.status, ended)
    )
    return StatusLines(not_after=model.certificate.not_after, before=before, after=after)


def _lines(model: InForce) -> Iterator[Line | None]:
    """A model's series but for the status, the most important first; None for each that is not to be shown."""
    certificate = model.certificate
    yield "certificate_expiry_timestamp_seconds", "", f"{certificate.not_after:.0f}"
    yield "certificate_issued_timestamp_seconds", "", f"{certificate.certified_at:.0f}"
    run_id = certificate.run_id if _LABEL.fullmatch(certificate.run_id) else ""
    about = f'certificate_id="{certificate.certificate_sha256}",method="{certificate.method}",run_id="{run_id}"'
    yield "certificate_info", f",{about}", "1"
    shown = set(_spread(sorted({Decimal(radius) for _, radius, _, _ in certificate.certified})))
    for norm, radius, estimate, lower in certificate.certified:
        for gauge, value in (("certified_accuracy_ratio", estimate), ("certified_accuracy_lower_bound_ratio", lower)):
            yield _labelled(gauge, value, norm=norm, radius=radius) if Decimal(radius) in shown else None
    yield from _drift_lines(model)
    for metric, moved in model.shifted:
        yield _labelled("result_shifted", str(int(moved)), metric=metric)
    for attack, estimate in certificate.empirical:
        yield _labelled("empirical_accuracy_ratio", estimate, attack=attack)


def _drift_lines(model: InForce) -> Iterator[Line | None]:
    """When the newest report was made; what it says only where it is about the certificate in force."""
    drift = model.drift
    if drift is None:
        return
    yield "drift_report_timestamp_seconds", "", f"{drift.evaluated_at:.0f}"
    if drift.certificate_sha256 != model.certificate.certificate_sha256:
        return
    for verdict in VERDICTS:
        yield _labelled("drift_verdict", str(int(verdict == drift.verdict)), verdict=verdict)
    for gauge, value in drift.values:
        yield gauge, "", value
    for signal, method, score, threshold in drift.signals:
        yield _labelled("drift_score", score, signal=signal, method=method)
        yield _labelled("drift_threshold", threshold, signal=signal, method=method)


def _labelled(gauge: str, value: str, **labels: str) -> Line | None:
    if not all(_LABEL.fullmatch(each) for each in labels.values()):
        return None
    return gauge, "".join(f',{name}="{each}"' for name, each in labels.items()), value


def _spread(radii: Sequence[Decimal]) -> list[Decimal]:
    """At most eight of the sorted radii, the smallest and the largest among them, the others evenly between."""
    if len(radii) <= MOST_RADII:
        return list(radii)
    return [radii[round(place * (len(radii) - 1) / (MOST_RADII - 1))] for place in range(MOST_RADII)]
