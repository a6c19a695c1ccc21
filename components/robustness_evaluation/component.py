"""Kubeflow component: runs the attack suite against every threat model."""

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def robustness_evaluation(
    specification: str,
    store: str,
    dataset: dsl.Input[dsl.Dataset],
    model: dsl.Input[dsl.Model],
    evidence: dsl.Output[dsl.Artifact],
    adversarials: dsl.Output[dsl.Artifact],
    validity: dsl.Output[dsl.Artifact],
    record: dsl.Output[dsl.Artifact],
    run_token: str = "",
) -> None:
    """Attacks the model under every threat model of the specification, and checks the evaluation itself.

    Args:
        specification: The specification as text, as a path, or as an s3:// URI.
        store: Folder or s3:// URI of the content-addressed store.
        dataset: The validated data set.
        model: The model file.
        run_token: Any text; a new one makes every step run again.

    Returns:
        evidence: One row per attacked sample, as Parquet.
        adversarials: The perturbed inputs that were found.
        validity: Sanity checks of the evaluation, and the budget that the attacks used.
        record: Digests and cost of this step.
    """
    from pathlib import Path

    from robustcert.steps.robustness_evaluation import evaluate_robustness

    text = {"specification": specification, "store": store, "run_token": run_token}
    made = {"evidence": evidence, "adversarials": adversarials, "validity": validity, "record": record}
    files = {name: Path(artifact.path) for name, artifact in {"dataset": dataset, "model": model, **made}.items()}
    evaluate_robustness(**text, **files)  # type: ignore[arg-type]
