"""Sample certificates made with numpy only: a linear classifier whose smallest perturbations have a closed form.

For a linear classifier the nearest decision boundary of input x is min_k (z_y - z_k) / ||(w_y - w_k) s||_q, q the dual
norm, so every row states the truth of a real, if weak, model. Votes under noise are drawn from their exact two-class
probabilities with a fixed seed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from robustcert.certificate.claims import LIMITS, claims, scope
from robustcert.certificate.results import decimal, judge, results
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
from robustcert.data.digests import dataset_root, sample_sha256
from robustcert.data.sources import load_raw
from robustcert.evaluation.adversarials import Adversarials
from robustcert.evaluation.curve import CLEAN, curve_of
from robustcert.evaluation.suites import load_suite
from robustcert.provenance.digests import sha256_bytes
from robustcert.report.report import render_report
from robustcert.smoothing.confidence import certified_radius
from robustcert.specification import Specification
from robustcert.specification_file import LoadedSpecification, parse_specification
from robustcert.specification_template import template
from robustcert.threat_model import ThreatModel

Row = dict[str, Any]
Float64 = NDArray[np.float64]

TIME = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)
DAY = "2026-03-14T09:2{}:53Z"
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
    budgets: list[dict[str, str | int]]

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


@dataclass(frozen=True, kw_only=True)
class Linear:
    """Scores z = w_KD x + b_K of flat inputs, and what follows from them in closed form."""

    w_KD: Float64
    b_K: Float64

    def predict(self, x_ND: Float64) -> NDArray[np.int64]:
        return np.asarray((x_ND @ self.w_KD.T + self.b_K).argmax(axis=1))

    def nearest(self, x_D: Float64, label: int, scale_D: Float64, *, norm: str) -> tuple[float, int, Float64]:
        """Distance (in units of scale) to the nearest other class, that class, and w_k - w_y times scale."""
        z_K = self.w_KD @ x_D + self.b_K
        toward_KD = (self.w_KD - self.w_KD[label]) * scale_D
        lengths_K = np.abs(toward_KD).sum(axis=1) if norm == "linf" else np.sqrt((toward_KD**2).sum(axis=1))
        lengths_K[label] = 1.0
        distances_K = (z_K[label] - z_K) / lengths_K
        distances_K[label] = np.inf
        other = int(distances_K.argmin())
        return float(distances_K[other]), other, toward_KD[other]


@cache
def sample(kind: str) -> Sample:
    """The sample certificate of an embedded data set, `digits` or `breast-cancer`."""
    loaded = parse_specification(template(kind), name=f"{kind}.yaml")
    written = loaded.specification
    dataset = build_dataset(written.data, load_raw(written.data), seed=written.seed)
    model = ridge_classifier(dataset.select("train"), strength=RIDGE[kind])
    test = dataset.select("test")
    attacked = [attack_rows(model, test, threat, written) for threat in written.threat_models]
    evaluation_rows = [row for rows, _, _ in attacked for row in rows]
    certification_rows = smoothing_rows(model, test, written)
    return Sample(
        predicate=predicate_of(loaded, dataset, certification_rows, evaluation_rows),
        certification_rows=certification_rows,
        evaluation_rows=evaluation_rows,
        dataset=dataset,
        adversarials={key: found for _, found, _ in attacked for key, found in found.items()},
        history=history(of=len(dataset.select("validation"))),
        budgets=[budget for _, _, budgets in attacked for budget in budgets],
    )


def ridge_classifier(train: Dataset, *, strength: float) -> Linear:
    """Ridge regression of one-hot labels, in closed form, on inputs in standard deviations."""
    x_ND = train.x().reshape(len(train), -1)
    scale_D = train.scale.reshape(-1)
    mean_D = x_ND.mean(axis=0)
    z_ND = (x_ND - mean_D) / scale_D
    targets_NK = np.eye(train.n_classes)[train.y] - 1 / train.n_classes
    w_DK = np.linalg.solve(z_ND.T @ z_ND + strength * np.eye(z_ND.shape[1]), z_ND.T @ targets_NK)
    w_KD = w_DK.T / scale_D
    return Linear(w_KD=w_KD, b_K=targets_NK.mean(axis=0) - w_KD @ mean_D)


def attack_rows(
    model: Linear, test: Dataset, threat: ThreatModel, written: Specification
) -> tuple[list[Row], dict[str, Adversarials], list[dict[str, str | int]]]:
    """Rows of a threat: clean, and a perfect attack ("pgd") and a weaker one ("fgsm") at every epsilon of the curve."""
    rows = [
        row_of(test, model, position, threat=threat.name, epsilon="0", attack=CLEAN) for position in range(len(test))
    ]
    stored: dict[str, Adversarials] = {}
    budgets: list[dict[str, str | int]] = []
    for strength in curve_of(threat, written.evaluation.curve):
        for attack, slack in zip(load_suite(written.evaluation.suite).attacks, (1.8, 1.15), strict=True):
            found = [perturbed(test, model, position, threat, strength.value, slack) for position in range(len(test))]
            rows += [
                row_of(test, model, position, threat=threat.name, epsilon=strength.text, attack=attack.id) | finding(x)
                for position, x in enumerate(found)
            ]
            broken = [position for position, x in enumerate(found) if x is not None]
            if strength.main and broken:
                inputs = np.stack([x[0] for x in found if x is not None])
                stored[f"{threat.name}/{attack.id}"] = Adversarials(sample_ids=test.sample_ids[broken], x_adv=inputs)
            right = sum(model.predict(test.x().reshape(len(test), -1)) == test.y)
            steps = 200 if "pgd" in attack.id else 1
            budgets.append(
                {
                    "threat": threat.name,
                    "epsilon": strength.text,
                    "attack": attack.id,
                    "samples": int(right),
                    "broken": len(broken),
                    "gradients": steps * int(right),
                    "forwards": steps * int(right) + int(right),
                }
            )
    return rows, stored, budgets


def row_of(test: Dataset, model: Linear, position: int, *, threat: str, epsilon: str, attack: str) -> Row:
    prediction = int(model.predict(test.x()[position].reshape(1, -1))[0])
    return {
        "threat": threat,
        "epsilon": epsilon,
        "attack": attack,
        "sample": int(test.sample_ids[position]),
        "input": sample_sha256(test.x_int[position]),
        "label": int(test.y[position]),
        "target": None,
        "prediction": prediction,
        "adversarial": prediction,
        "distance": "0",
        "perturbed": "",
    }


def perturbed(
    test: Dataset, model: Linear, position: int, threat: ThreatModel, epsilon: float, slack: float
) -> tuple[NDArray[np.float32], int, float] | None:
    """The smallest perturbation times `slack`, its class and distance; None where it is larger than epsilon."""
    x = test.x()[position]
    label, scale_D = int(test.y[position]), test.perturbation_scale(threat.unit).reshape(-1)
    if int(model.predict(x.reshape(1, -1))[0]) != label:
        return None
    distance, _, toward_D = model.nearest(x.reshape(-1), label, scale_D, norm=threat.norm)
    if distance * slack > epsilon:
        return None
    direction_D = np.sign(toward_D) if threat.norm == "linf" else toward_D / np.linalg.norm(toward_D)
    x_adv = (x + (direction_D * scale_D * distance * slack).reshape(x.shape)).astype(np.float32)
    x_adv = np.clip(x_adv, test.lower, test.upper).astype(np.float32)
    seen = int(model.predict(x_adv.astype(np.float64).reshape(1, -1))[0])
    return None if seen == label else (x_adv, seen, distance * slack)


def finding(found: tuple[NDArray[np.float32], int, float] | None) -> Row:
    if found is None:
        return {}
    x_adv, seen, distance = found
    digest = sha256_bytes(x_adv.astype("<f4").tobytes())
    return {"adversarial": seen, "distance": f"{distance:.12f}", "perturbed": digest}


def smoothing_rows(model: Linear, test: Dataset, written: Specification) -> list[Row]:
    """Votes of the top two classes, drawn from their exact probabilities under the noise."""
    generator, wanted = np.random.default_rng(7), written.certification
    scale_D = test.perturbation_scale(wanted.unit).reshape(-1)
    rows = []
    for position in range(len(test)):
        x_D = test.x()[position].reshape(-1)
        candidate = int(model.predict(x_D[None])[0])
        distance, other, _ = model.nearest(x_D, candidate, scale_D, norm="l2")
        votes = int(generator.binomial(wanted.n, ndtr(distance / wanted.sigma)))
        fragile = int(generator.poisson(0.4)) if votes > 10 else 0
        found = certified_radius(votes - fragile, wanted.n, alpha=wanted.alpha, sigma=wanted.sigma)
        counts = sorted([[candidate, votes - fragile], [other, wanted.n - votes]])
        rows.append(
            {
                "sample": int(test.sample_ids[position]),
                "input": sample_sha256(test.x_int[position]),
                "label": int(test.y[position]),
                "candidate": candidate,
                "n0": wanted.n0,
                "selection": [[candidate, wanted.n0]],
                "selectionFragile": 0,
                "n": wanted.n,
                "counts": [count for count in counts if count[1]],
                "fragile": fragile,
                "decision": "abstain" if found is None else "certified",
                "radius": found or "0",
            }
        )
    return rows


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
        limits=LIMITS,
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
    splits = {
        split: SplitPart(rows=len(dataset.select(split)), merkle_root=sha(split))
        for split in ("train", "validation", "test")
    }  # type: ignore[arg-type]
    return DataPart(
        source=dataset.card.source,
        source_sha256=dataset.card.source_sha256,
        file_sha256=sha("file"),
        merkle_root=root,
        splits=splits,  # type: ignore[arg-type]
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
    finished = [
        StepPart(step=step, key=sha(f"{step}{number}"), finished_at=DAY.format(number))
        for number, step in enumerate(steps)
    ]
    return RunPart(
        id="digits-20260314-092001-5f2c", started_at=DAY.format(0), finished_at=DAY.format(6), steps=tuple(finished)
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
