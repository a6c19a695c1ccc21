"""Step 3: the attacks of the suite run against every threat model, and the evaluation checks itself."""

from __future__ import annotations

import json
from pathlib import Path

from robustcert.certificate.evidence import EVALUATION_SCHEMA, write_rows
from robustcert.data.dataset import load_dataset
from robustcert.data.planned_samples import planned_samples
from robustcert.evaluation.adversarials import save_adversarials
from robustcert.evaluation.evaluate import evaluate
from robustcert.evaluation.suites import load_suite
from robustcert.models.files import load_model
from robustcert.provenance.digests import sha256_file
from robustcert.provenance.environment import environment
from robustcert.steps.step import StepInputs, finish_once, one_line_failures, open_inputs, progress

STEP = "robustness_evaluation"


def evaluate_robustness(
    *,
    specification: str,
    store: str,
    run_token: str,
    dataset: Path,
    model: Path,
    evidence: Path,
    adversarials: Path,
    validity: Path,
    record: Path,
) -> None:
    """Writes the evidence table, the perturbed inputs, and the validity checks with the attacks' budgets."""
    with one_line_failures(STEP):
        inputs = open_inputs(specification=specification, store=store, run_token=run_token)
        finish_once(
            inputs,
            step=STEP,
            key=_key(inputs, dataset=dataset, model=model),
            outputs={"evidence": evidence, "adversarials": adversarials, "validity": validity},
            record=record,
            run=lambda: _run(
                inputs, dataset=dataset, model=model, evidence=evidence, adversarials=adversarials, validity=validity
            ),
        )


def _key(inputs: StepInputs, *, dataset: Path, model: Path) -> dict[str, object]:
    part = inputs.loaded.canonical_part
    return {
        "datasetSha256": sha256_file(dataset),
        "modelSha256": sha256_file(model),
        "evaluation": part("evaluation"),
        "suiteSha256": load_suite(inputs.loaded.specification.evaluation.suite).sha256,
        "threatModels": part("threatModels"),
        "seed": inputs.loaded.specification.seed,
        "environment": environment(),
    }


def _run(
    inputs: StepInputs, *, dataset: Path, model: Path, evidence: Path, adversarials: Path, validity: Path
) -> dict[str, object]:
    written, data = inputs.loaded.specification, load_dataset(dataset)
    test = data.select("test")
    planned = planned_samples(test.sample_ids.tolist(), samples=written.evaluation.samples, seed=written.seed)
    loaded = load_model(model, factory=written.model.factory)
    result = evaluate(loaded, test.rows(planned), written, progress=progress(STEP))
    write_rows(result.rows, evidence, schema=EVALUATION_SCHEMA)
    save_adversarials(result.adversarials, adversarials)
    checks = [{"check": check.name, "passed": check.passed, "detail": check.detail} for check in result.validity]
    validity.write_text(json.dumps({"checks": checks, "budgets": result.budgets}, indent=1) + "\n")
    return {"valid": result.valid}
