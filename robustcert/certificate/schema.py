"""The certificate: an in-toto Statement v1 whose predicate is typed here; `certificate.v1.schema.json` is made from it.

Every number is an integer or a decimal string, already rounded toward the weaker side, so that the signed bytes need no
float formatting rules. Unknown fields are ignored, unknown versions are refused (docs/certificate.md).
"""

from __future__ import annotations

import json
from typing import Annotated, Final, Literal

from pydantic import Field

from robustcert.document import Decimal, IssuedPart, Sha256, Text, Timestamp

STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE: Final = "urn:robustcert:certificate:v1"
SCHEMA_ID = "urn:robustcert:certificate:v1:schema"

Count = Annotated[int, Field(ge=0)]


class Digest(IssuedPart):
    """in-toto DigestSet with the one algorithm that is used here."""

    sha256: Sha256


class Subject(IssuedPart):
    """What the certificate is about: one model file, by digest."""

    name: Text
    digest: Digest


class RatePart(IssuedPart):
    """A proportion with its denominator and interval; lower is rounded down, upper is rounded up."""

    count: Count
    of: Annotated[int, Field(gt=0)]
    estimate: Decimal
    lower: Decimal
    upper: Decimal
    confidence: Decimal


class SpecificationPart(IssuedPart):
    """The pre-registered specification: digest of the file's bytes, digest of its canonical form, and the text."""

    sha256: Sha256
    canonical_sha256: Sha256
    text: str


class SplitPart(IssuedPart):
    """One split: rows and the RFC 6962 Merkle root over its samples."""

    rows: Count
    merkle_root: Sha256


class DataPart(IssuedPart):
    """The data set: source, digests, provenance and what validation found."""

    source: Text
    source_sha256: Sha256
    file_sha256: Sha256
    merkle_root: Sha256
    splits: dict[Literal["train", "validation", "test"], SplitPart]
    classes: tuple[str, ...]
    shape: tuple[int, ...]
    transforms: tuple[str, ...]
    provenance: dict[str, object]
    validation_report_sha256: Sha256
    validation_warnings: tuple[str, ...]


class ModelPart(IssuedPart):
    """The model: its file's digest (the subject), architecture, and the preprocessing that belongs to it."""

    sha256: Sha256
    card: dict[str, object]


class ThreatModelPart(IssuedPart):
    """A threat model with everything resolved: where it applies, and the clip range it used."""

    name: str
    norm: Literal["linf", "l2"]
    epsilon: Decimal
    unit: str
    bounds: str
    access: str
    goal: str
    perturbation_space: Literal["raw model input, before the model's preprocessing"]


class EvidencePart(IssuedPart):
    """An evidence table: Parquet file digest, number of rows, and RFC 6962 Merkle root over its canonical rows."""

    sha256: Sha256
    rows: Count
    merkle_root: Sha256


class AttackPart(IssuedPart):
    """One attack of the suite; `id` is name, version and hash of the parameters."""

    id: str
    parameters: dict[str, object]


class ValidityPart(IssuedPart):
    """One sanity check of the empirical evaluation."""

    check: str
    passed: bool
    detail: str


class EvaluationPart(IssuedPart):
    """The empirical half: which suite ran, whether it can vouch for itself, and its evidence."""

    suite: str
    suite_sha256: Sha256
    attacks: tuple[AttackPart, ...]
    validity: tuple[ValidityPart, ...]
    valid: bool
    evidence: EvidencePart
    adversarials_sha256: Sha256


class CertificationPart(IssuedPart):
    """The certified half: every parameter that determines its evidence.

    What has None as default came after the first certificates; they had Gaussian noise, a selected candidate and one
    bound. `beta` and the looks are those of the group-sequential method, `tolerance` is that of the adaptive pilot.
    """

    method: Literal[
        "randomized-smoothing-fixed-n", "randomized-smoothing-group-sequential", "randomized-smoothing-adaptive-pilot"
    ]
    source: str
    threat: Literal["l2", "l1"]
    sigma: Decimal
    unit: str
    n0: Count
    n: Count
    alpha: Decimal
    radii: tuple[Decimal, ...]
    simultaneous_gamma: Decimal
    noise: str
    noise_kind: Literal["gaussian", "uniform", "laplace"] | None = None
    candidate: Literal["selected", "label", "most-voted"] | None = None
    bounds: Literal[1, 2] | None = None
    beta: Decimal | None = None
    tolerance: Decimal | None = None
    look_multiple: Count | None = None
    look_ratio: Decimal | None = None
    key0: Decimal
    precision: Literal["float32", "bfloat16"]
    batch: Count
    fragile_gap: Decimal
    evidence: EvidencePart


class UnderAttackPart(IssuedPart):
    """Accuracy under the union of a suite's attacks: an upper bound on the true accuracy under this threat."""

    threat_model: str
    epsilon: Decimal
    unit: str
    accuracy: RatePart
    attack_success: RatePart | None
    accuracy_loss: Decimal
    accuracy_loss_lower: Decimal
    accuracy_loss_upper: Decimal


class CertifiedPart(IssuedPart):
    """Certified accuracy at one radius: correct and certified, over all samples, abstentions included."""

    radius: Decimal
    accuracy: RatePart
    simultaneous_count: Count


class ResultsPart(IssuedPart):
    """Everything that follows from the evidence by counting; a verifier recomputes all of it."""

    clean_accuracy: RatePart
    accuracy_under_attack: tuple[UnderAttackPart, ...]
    certified_accuracy: tuple[CertifiedPart, ...]
    smoothed_accuracy: RatePart
    abstention_rate: RatePart
    average_certified_radius: Decimal
    median_certified_radius: Decimal


class CriterionPart(IssuedPart):
    """A criterion of the specification, what was observed on the weak end of its interval, and the verdict."""

    metric: str
    comparator: Literal[">=", "<="]
    threshold: Decimal
    threat_model: str | None = None
    radius: Decimal | None = None
    kind: Literal["empirical", "certified"]
    observed: Decimal
    met: bool


class StepPart(IssuedPart):
    """One finished pipeline step: the digest of all its inputs, and when it ended."""

    step: str
    key: Sha256
    finished_at: Timestamp


class RunPart(IssuedPart):
    """The run. With `certifiedAt` and `notAfter`, all that differs between two equal runs."""

    id: str
    started_at: Timestamp
    finished_at: Timestamp
    steps: tuple[StepPart, ...]


class ReproducibilityPart(IssuedPart):
    """What repeating the run gives, stated honestly."""

    level: Literal["bit-exact", "within-tolerance", "statistical"]
    statement: str


class Predicate(IssuedPart):
    """The certificate's content."""

    schema_version: Literal["1"]
    name: str
    verdict: Literal["accepted", "rejected"]
    claims: tuple[str, ...]
    narrative: str
    scope: str
    limits: tuple[str, ...]
    conditions: tuple[str, ...] | None = None
    intended_use: str
    owner: dict[str, str]
    specification: SpecificationPart
    data: DataPart
    model: ModelPart
    threat_models: tuple[ThreatModelPart, ...]
    evaluation: EvaluationPart
    certification: CertificationPart
    results: ResultsPart
    criteria: tuple[CriterionPart, ...]
    environment: dict[str, object]
    reproducibility: ReproducibilityPart
    run: RunPart
    supersedes: tuple[Sha256, ...]
    certified_at: Timestamp
    not_after: Timestamp


class Statement(IssuedPart):
    """in-toto Statement v1."""

    type_: Annotated[Literal["https://in-toto.io/Statement/v1"], Field(alias="_type")]
    subject: Annotated[tuple[Subject, ...], Field(min_length=1, max_length=1)]
    predicate_type: Literal["urn:robustcert:certificate:v1"]
    predicate: Predicate


def schema_json() -> str:
    """JSON Schema 2020-12 of the statement, as committed in certificate.v1.schema.json."""
    schema = Statement.model_json_schema(by_alias=True)
    document = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA_ID, **schema}
    return json.dumps(document, indent=2, sort_keys=True) + "\n"
