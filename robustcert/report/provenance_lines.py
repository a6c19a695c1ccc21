"""The provenance part of a report: every digest, parameter and version that the certificate names, as lines."""

from __future__ import annotations

from dataclasses import dataclass

from robustcert.certificate.schema import CertificationPart, EvidencePart, Predicate
from robustcert.report.data_sheet import splits_in_order
from robustcert.report.wording import flat, plain, shortened

Lines = list[tuple[str, str]]

MOST_SPECIFICATION = 60_000
EVIDENCE = "{} evidence, {}"


@dataclass(frozen=True, kw_only=True)
class ProvenanceLines:
    """(name, value) lines of each table, and the specification's text."""

    digests: Lines
    parameters: Lines
    environment: Lines
    specification: str


def provenance_lines(predicate: Predicate, *, certificate_sha256: str) -> ProvenanceLines:
    """Everything that the template prints under Provenance."""
    return ProvenanceLines(
        digests=_digests(predicate, certificate_sha256),
        parameters=_parameters(predicate),
        environment=flat(predicate.environment),
        specification=shortened(predicate.specification.text, limit=MOST_SPECIFICATION),
    )


def _digests(predicate: Predicate, certificate_sha256: str) -> Lines:
    data, evaluation = predicate.data, predicate.evaluation
    return [
        ("Certificate, signed file", certificate_sha256),
        ("Model file, the subject", predicate.model.sha256),
        ("Specification, file", predicate.specification.sha256),
        ("Specification, canonical", predicate.specification.canonical_sha256),
        ("Data source", data.source_sha256),
        ("Data set file", data.file_sha256),
        ("Data set, Merkle root", data.merkle_root),
        *((f"Split {name}, Merkle root", split.merkle_root) for name, split in splits_in_order(data)),
        ("Data validation report", data.validation_report_sha256),
        *_evidence("Certification", predicate.certification.evidence),
        *_evidence("Evaluation", evaluation.evidence),
        ("Perturbed inputs, file", evaluation.adversarials_sha256),
        (f"Attack suite {evaluation.suite}", evaluation.suite_sha256),
        *(("Supersedes certificate", superseded) for superseded in predicate.supersedes),
    ]


def _evidence(name: str, part: EvidencePart) -> Lines:
    return [
        (EVIDENCE.format(name, "file"), part.sha256),
        (EVIDENCE.format(name, f"Merkle root of {part.rows} rows"), part.merkle_root),
    ]


def _parameters(predicate: Predicate) -> Lines:
    found = predicate.certification
    return [
        *((f"Model {name}", text) for name, text in flat(predicate.model.card)),
        ("Smoothing method", f"{found.method}; {found.source}"),
        ("Smoothing sigma", f"{plain(found.sigma)} ({found.unit})"),
        ("Smoothing votes", f"n0 {found.n0}, n {found.n}, alpha {plain(found.alpha)}"),
        *_options(found),
        ("Noise", f"{found.noise}; key0 {found.key0}"),
        ("Arithmetic", f"{found.precision}, batches of {found.batch}"),
        ("Ties", f"votes within {plain(found.fragile_gap)} are counted for no class"),
        *((f"Attack {attack.id}", _attack(attack.parameters)) for attack in predicate.evaluation.attacks),
    ]


def _options(found: CertificationPart) -> Lines:
    """What certificates before these options do not name is left out."""
    looks = None if found.look_ratio is None else f"multiples of {found.look_multiple}, ratio {plain(found.look_ratio)}"
    options = (
        ("Smoothing noise", found.noise_kind and f"{found.noise_kind}, radii in {found.threat}"),
        ("Smoothing candidate", found.candidate),
        ("Smoothing bounds", found.bounds and str(found.bounds)),
        ("Smoothing looks", looks and f"{looks}, the last at n"),
        ("Smoothing futility", found.beta and f"beta {plain(found.beta)}"),
        ("Smoothing tolerance", found.tolerance and plain(found.tolerance)),
    )
    return [(name, text) for name, text in options if text]


def _attack(parameters: dict[str, object]) -> str:
    return ", ".join(f"{name} {text}" for name, text in flat(parameters)) or "no parameters"
