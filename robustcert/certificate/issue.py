"""From a run's facts to the signed certificate. Facts are gathered by the step; the clock is one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from robustcert.certificate.claims import claims, conditions, limits, scope
from robustcert.certificate.results import judge, results
from robustcert.certificate.schema import (
    PREDICATE_TYPE,
    STATEMENT_TYPE,
    AttackPart,
    CertificationPart,
    DataPart,
    Digest,
    EvaluationPart,
    EvidencePart,
    ModelPart,
    Predicate,
    ReproducibilityPart,
    RunPart,
    SpecificationPart,
    SplitPart,
    Statement,
    StepPart,
    Subject,
    ThreatModelPart,
    ValidityPart,
)
from robustcert.certificate.smoothing_method import certification_parameters, noise_words, source_words
from robustcert.data.dataset import Dataset
from robustcert.data.digests import dataset_root
from robustcert.document import rfc3339
from robustcert.evaluation.suites import Suite
from robustcert.provenance.digests import canonical_json
from robustcert.provenance.run_record import StepRecord
from robustcert.specification import Certification
from robustcert.specification_file import LoadedSpecification, decimal
from robustcert.threat_model import ThreatModel

Row = Mapping[str, Any]

SPLITS = ("train", "validation", "test")
BATCH = 256
FRAGILE_GAP = "0.0001"
REPRODUCIBILITY = {
    "float32": "repeating the run with the same environment gives the same evidence bit for bit; on another processor "
    "or library version the votes may differ by the fragile ones that each row counts",
    "bfloat16": "repeating the run with the same environment gives the same evidence bit for bit; on another processor "
    "or library version bfloat16 gives other votes, and the evidence cannot be repeated there",
}


@dataclass(frozen=True, kw_only=True)
class IssueFacts:
    """Everything a certificate is made of."""

    loaded: LoadedSpecification
    dataset: Dataset
    dataset_sha256: str
    data_report_sha256: str
    data_warnings: Sequence[str]
    model_card: Mapping[str, object]
    model_sha256: str
    suite: Suite
    validity: Sequence[ValidityPart]
    evaluation_rows: Sequence[Row]
    evaluation_evidence: EvidencePart
    adversarials_sha256: str
    certification_rows: Sequence[Row]
    certification_evidence: EvidencePart
    key0: int
    environment: Mapping[str, object]
    run_id: str
    steps: Sequence[StepRecord]
    started_at: str
    certified_at: datetime
    supersedes: Sequence[str]


def build_statement(facts: IssueFacts) -> Statement:
    """The in-toto statement of a run; its verdict is `accepted` only if every criterion is met."""
    written = facts.loaded.specification
    found = results(written, evaluation_rows=facts.evaluation_rows, certification_rows=facts.certification_rows)
    valid = all(check.passed for check in facts.validity)
    criteria = judge(written, found, valid=valid)
    root, certification = dataset_root(facts.dataset), _certification(facts, written.certification)
    predicate = Predicate(
        schema_version="1",
        name=written.name,
        verdict="accepted" if all(criterion.met for criterion in criteria) else "rejected",
        claims=claims(written, found, model_sha256=facts.model_sha256, data_root=root),
        narrative=written.claim,
        scope=scope(written),
        limits=limits(written),
        conditions=conditions(certification, card=facts.model_card, environment=facts.environment),
        intended_use=written.intended_use,
        owner={"name": written.owner.name, "contact": written.owner.contact},
        specification=_specification(facts.loaded),
        data=_data(facts, root),
        model=ModelPart(sha256=facts.model_sha256, card=dict(facts.model_card)),
        threat_models=tuple(threat_part(threat) for threat in written.threat_models),
        evaluation=_evaluation(facts, valid),
        certification=certification,
        results=found,
        criteria=criteria,
        environment=dict(facts.environment),
        reproducibility=ReproducibilityPart(level="bit-exact", statement=REPRODUCIBILITY[certification.precision]),
        run=_run(facts),
        supersedes=tuple(facts.supersedes),
        certified_at=rfc3339(facts.certified_at),
        not_after=rfc3339(facts.certified_at + timedelta(days=written.validity.days)),
    )
    subject = Subject(name=subject_name(written.name), digest=Digest(sha256=facts.model_sha256))
    return Statement(type_=STATEMENT_TYPE, subject=(subject,), predicate_type=PREDICATE_TYPE, predicate=predicate)


def subject_name(name: str) -> str:
    """The subject's name in the certificate `name`; its digest is what counts."""
    return f"{name}/model"


def payload(statement: Statement) -> bytes:
    """The bytes that are signed: canonical JSON."""
    return canonical_json(statement.model_dump(mode="json", by_alias=True))


def _specification(loaded: LoadedSpecification) -> SpecificationPart:
    return SpecificationPart(sha256=loaded.text_sha256, canonical_sha256=loaded.canonical_sha256, text=loaded.text)


def _data(facts: IssueFacts, root: str) -> DataPart:
    card = facts.dataset.card
    return DataPart(
        source=card.source,
        source_sha256=card.source_sha256,
        file_sha256=facts.dataset_sha256,
        merkle_root=root,
        splits={split: _split(facts.dataset, split) for split in SPLITS},  # type: ignore[misc]
        classes=card.classes,
        shape=card.shape,
        transforms=card.transforms,
        provenance=card.provenance.model_dump(mode="json", by_alias=True),
        validation_report_sha256=facts.data_report_sha256,
        validation_warnings=tuple(facts.data_warnings),
    )


def _split(dataset: Dataset, split: Any) -> SplitPart:
    return SplitPart(rows=len(dataset.select(split)), merkle_root=dataset_root(dataset, split))


def threat_part(threat: ThreatModel) -> ThreatModelPart:
    """A threat model as it stands in the certificate."""
    bounds = threat.bounds if isinstance(threat.bounds, str) else " to ".join(map(decimal, threat.bounds))
    return ThreatModelPart(
        name=threat.name,
        norm=threat.norm,
        epsilon=decimal(threat.epsilon),
        unit=threat.unit,
        bounds=bounds,
        access=threat.access,
        goal=threat.goal,
        perturbation_space="raw model input, before the model's preprocessing",
    )


def _evaluation(facts: IssueFacts, valid: bool) -> EvaluationPart:
    return EvaluationPart(
        suite=f"{facts.suite.name}@{facts.suite.version}",
        suite_sha256=facts.suite.sha256,
        attacks=tuple(AttackPart(id=attack.id, parameters=dict(attack.parameters)) for attack in facts.suite.attacks),
        validity=tuple(facts.validity),
        valid=valid,
        evidence=facts.evaluation_evidence,
        adversarials_sha256=facts.adversarials_sha256,
    )


def _certification(facts: IssueFacts, wanted: Certification) -> CertificationPart:
    return CertificationPart(
        source=source_words(wanted),
        noise=noise_words(wanted),
        key0=str(facts.key0),
        batch=BATCH,
        fragile_gap=FRAGILE_GAP,
        evidence=facts.certification_evidence,
        **certification_parameters(wanted),  # type: ignore[arg-type]
    )


def _run(facts: IssueFacts) -> RunPart:
    steps = tuple(StepPart(step=step.step, key=step.key, finished_at=step.finished_at) for step in facts.steps)
    return RunPart(id=facts.run_id, started_at=facts.started_at, finished_at=rfc3339(facts.certified_at), steps=steps)
