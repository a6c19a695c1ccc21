"""Sample certificates of the two embedded data sets, made with numpy only (sample_rows.py says how)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

import numpy as np

from robustcert.certificate.claims import claims, limits, scope
from robustcert.certificate.results import judge, results
from robustcert.certificate.schema import (
    AttackPart,
    CertificationPart,
    DataPart,
    EvaluationPart,
    EvidencePart,
    ModelPart,
    Predicate,
    ReproducibilityPart,
    RunPart,
    SpecificationPart,
    SplitPart,
    StepPart,
    ThreatModelPart,
    ValidityPart,
)
from robustcert.data.build import build_dataset
from robustcert.data.dataset import Dataset
from robustcert.data.digests import dataset_root
from robustcert.data.sources import load_raw
from robustcert.evaluation.adversarials import Adversarials
from robustcert.evaluation.suites import load_suite
from robustcert.provenance.digests import sha256_bytes
from robustcert.report.report import render_report
from robustcert.specification import Specification
from robustcert.specification_file import LoadedSpecification, decimal, parse_specification
from robustcert.specification_template import template
from robustcert.threat_model import ThreatModel
from tests.report.sample_rows import Budget, Row, attack_rows, ridge_classifier, smoothing_rows

TIME = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)
DAY = "2026-03-14T09:2{}:53Z"
SPLITS = tuple(enumerate(("train", "validation", "test")))
RIDGE = {"digits": 30.0, "breast-cancer": 3.0}


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Everything that `render_report` takes."""

    predicate: Predicate
    certification_rows: list[Row]
    evaluation_rows: list[Row]
    dataset: Dataset
    adversarials: dict[str, Adversarials]
    history: list[dict[str, float]]
    budgets: list[Budget]

    def page(self, **changes: Any) -> str:
        """The report, with `changes` to its arguments."""
        given: dict[str, Any] = {
            "certification_rows": self.certification_rows,
            "evaluation_rows": self.evaluation_rows,
            "dataset": self.dataset,
            "adversarials": self.adversarials,
            "history": self.history,
            "budgets": self.budgets,
            "certificate_sha256": sha("certificate"),
            "key_id": sha("key"),
        }
        given |= changes
        return render_report(given.pop("predicate", self.predicate), **given)


@cache
def sample(kind: str) -> Sample:
    """The sample certificate of an embedded data set, `digits` or `breast-cancer`."""
    text = template(kind).replace("  method: group-sequential\n", "").replace("  n: 100000 ", "  n: 10000 ")
    loaded = parse_specification(text, name=f"{kind}.yaml")
    written = loaded.specification
    dataset = build_dataset(written.data, load_raw(written.data), seed=written.seed)
    model = ridge_classifier(dataset.select("train"), strength=RIDGE[kind])
    test = dataset.select("test")
    attacked = [attack_rows(model, test, threat, written) for threat in written.threat_models]
    evaluation_rows = [row for found in attacked for row in found.rows]
    certification_rows = smoothing_rows(model, test, written)
    return Sample(
        predicate=predicate_of(loaded, dataset, certification_rows, evaluation_rows),
        certification_rows=certification_rows,
        evaluation_rows=evaluation_rows,
        dataset=dataset,
        adversarials={key: inputs for found in attacked for key, inputs in found.adversarials.items()},
        history=history(of=len(dataset.select("validation"))),
        budgets=[budget for found in attacked for budget in found.budgets],
    )


def history(*, of: int) -> list[dict[str, float]]:
    """Forty epochs that look like adversarial training."""
    generator = np.random.default_rng(3)
    records: list[dict[str, float]] = []
    for epoch in range(1, 41):
        clean = min(1.0, 0.97 * (1 - math.exp(-epoch / 5)) + generator.normal(0, 0.008))
        attacked = max(0.0, 0.79 * (1 - math.exp(-epoch / 8)) + generator.normal(0, 0.012))
        records.append(
            {
                "epoch": epoch,
                "loss": 2.2 * math.exp(-epoch / 9) + 0.42 + generator.normal(0, 0.015),
                "validationSamples": of,
                "cleanAccuracy": round(clean * of) / of,
                "accuracyUnderAttack": round(attacked * of) / of,
            }
        )
    return records


def predicate_of(
    loaded: LoadedSpecification, dataset: Dataset, certification_rows: Sequence[Row], evaluation_rows: Sequence[Row]
) -> Predicate:
    written = loaded.specification
    found = results(written, evaluation_rows=evaluation_rows, certification_rows=certification_rows)
    criteria = judge(written, found, valid=True)
    root = dataset_root(dataset)
    return Predicate(
        schema_version="1",
        name=written.name,
        verdict="accepted" if all(criterion.met for criterion in criteria) else "rejected",
        claims=claims(written, found, model_sha256=sha("model"), data_root=root),
        narrative=written.claim,
        scope=scope(written),
        limits=limits(written),
        intended_use=written.intended_use,
        owner={"name": written.owner.name, "contact": written.owner.contact},
        specification=SpecificationPart(
            sha256=loaded.text_sha256, canonical_sha256=loaded.canonical_sha256, text=loaded.text
        ),
        data=data_part(dataset, root),
        model=ModelPart(sha256=sha("model"), card=model_card(dataset)),
        threat_models=tuple(map(threat_part, written.threat_models)),
        evaluation=evaluation_part(written),
        certification=certification_part(written),
        results=found,
        criteria=criteria,
        environment=ENVIRONMENT,
        reproducibility=ReproducibilityPart(level="bit-exact", statement="repeating the run gives the same evidence"),
        run=run_part(),
        supersedes=(sha("earlier"),),
        certified_at=TIME.strftime("%Y-%m-%dT%H:%M:%SZ"),
        not_after="2026-06-12T09:26:53Z",
    )


def sha(text: str) -> str:
    return sha256_bytes(text.encode())


def evidence(name: str, rows: int) -> EvidencePart:
    return EvidencePart(sha256=sha(f"{name} file"), rows=rows, merkle_root=sha(f"{name} root"))


def data_part(dataset: Dataset, root: str) -> DataPart:
    splits = {name: SplitPart(rows=int((dataset.split == code).sum()), merkle_root=sha(name)) for code, name in SPLITS}
    return DataPart(
        source=dataset.card.source,
        source_sha256=dataset.card.source_sha256,
        file_sha256=sha("file"),
        merkle_root=root,
        splits=splits,
        classes=dataset.card.classes,
        shape=dataset.card.shape,
        transforms=dataset.card.transforms,
        provenance=dataset.card.provenance.model_dump(mode="json", by_alias=True),
        validation_report_sha256=sha("report"),
        validation_warnings=("expected features that vary, got 3 constant ones; drop them or explain them",),
    )


def model_card(dataset: Dataset) -> dict[str, object]:
    mean = [f"{value:.6f}" for value in dataset.x().reshape(len(dataset), -1).mean(axis=0)]
    return {
        "format": "safetensors",
        "architecture": "mlp",
        "parameters": {"hidden": [64, 64]},
        "factory": None,
        "preprocessing": {"mean": mean if dataset.card.kind == "tabular" else mean[:1], "std": ["0.375"]},
        "trainedBy": "robustcert, method pgd",
    }


def threat_part(threat: ThreatModel) -> ThreatModelPart:
    return ThreatModelPart(
        name=threat.name,
        norm=threat.norm,
        epsilon=decimal(threat.epsilon),
        unit=threat.unit,
        bounds=str(threat.bounds),
        access=threat.access,
        goal=threat.goal,
        perturbation_space="raw model input, before the model's preprocessing",
    )


def evaluation_part(written: Specification) -> EvaluationPart:
    suite = load_suite(written.evaluation.suite)
    return EvaluationPart(
        suite=written.evaluation.suite,
        suite_sha256=suite.sha256,
        attacks=tuple(AttackPart(id=attack.id, parameters=dict(attack.parameters)) for attack in suite.attacks),
        validity=tuple(ValidityPart(check=check, passed=True, detail=detail) for check, detail in CHECKS),
        valid=True,
        evidence=evidence("evaluation", 8082),
        adversarials_sha256=sha("adversarials"),
    )


def certification_part(written: Specification) -> CertificationPart:
    wanted = written.certification
    return CertificationPart(
        method="randomized-smoothing-fixed-n",
        source="Cohen, Rosenfeld, Kolter: Certified Adversarial Robustness via Randomized Smoothing, ICML 2019",
        threat="l2",
        sigma=decimal(wanted.sigma),
        unit=wanted.unit,
        n0=wanted.n0,
        n=wanted.n,
        alpha=decimal(wanted.alpha),
        radii=tuple(map(decimal, wanted.radii)),
        simultaneous_gamma="0.001",
        noise="Philox4x64-10, key (key0, sample id), streams 0 selection and 2 estimation, rounded to the grid",
        key0="12107362148316251003",
        precision="float32",
        batch=256,
        fragile_gap="0.0001",
        evidence=evidence("certification", 449),
    )


def run_part() -> RunPart:
    steps = ("data_validation", "adversarial_training", "robustness_evaluation", "certification", "certification")
    return RunPart(
        id="digits-20260314-092001-5f2c",
        started_at=DAY.format(0),
        finished_at=DAY.format(6),
        steps=tuple(
            StepPart(step=step, key=sha(f"{step}{number}"), finished_at=DAY.format(number))
            for number, step in enumerate(steps)
        ),
    )


CHECKS = (
    ("epsilon-zero-is-clean", "inputs or predictions changed at epsilon 0: none, in 4 attack runs"),
    ("budget-kept", "0 perturbed inputs outside budget or bounds; largest distance is 0.999999941 of epsilon"),
    ("adversarials-reproduce", "0 stored perturbed inputs break nothing"),
    ("whole-range-breaks", "linf-0.1: 0 of 256 unbroken, chance is 0.100; l2-0.5: 0 of 256 unbroken, chance is 0.100"),
    ("logits-are-scores", "0 rows not finite, 0 of 449 look like probabilities"),
    ("gradients-present", "0 of 449 input gradients are exactly zero; at most 5 % may be"),
    ("falls-with-epsilon", "no rise beyond 2 standard errors"),
)
ENVIRONMENT: dict[str, object] = {
    "robustcert": "0.1.0",
    "codeSha256": sha("code"),
    "python": "3.11.9",
    "platform": "Linux x86_64",
    "packages": {"numpy": "2.4.6", "scipy": "1.16.0", "torch": "2.13.0", "scikit-learn": "1.7.0", "kfp": "2.17.0"},
    "cpuCapability": "AVX2",
    "device": "cpu",
    "threadsPerProcess": "1",
    "nonDeterministicOperations": "none known on this device",
}
