"""Kubeflow component: keeps the certified model, or trains a new one where it failed and its specification allows."""

from typing import NamedTuple

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def recertification_model(
    specification: str,
    store: str,
    holds: bool,
    dataset: dsl.Input[dsl.Dataset],
    certified_model: dsl.Input[dsl.Model],
    certified_history: dsl.Input[dsl.Artifact],
    model: dsl.Output[dsl.Model],
    history: dsl.Output[dsl.Artifact],
    record: dsl.Output[dsl.Artifact],
    run_token: str = "",
) -> NamedTuple("Outputs", [("retrained", bool)]):  # type: ignore[valid-type]
    """Keeps the certified model, or trains anew on the registered data where it failed and its specification allows.

    Args:
        specification: The specification as text, as a path, or as an s3:// URI.
        store: Folder or s3:// URI of the content-addressed store.
        holds: Whether the certified model met the criteria on the window.
        dataset: The certified data set; the window has no part in training.
        certified_model: The certified model file.
        certified_history: Losses and accuracies per epoch of the certified model's training.
        run_token: The seed of a new training is drawn from it.

    Returns:
        model: The model file to certify.
        history: Losses and accuracies per epoch of its training.
        record: Digests and cost of this step.
        retrained: Whether the model is a new one.
    """
    from pathlib import Path

    from robustcert.steps.recertification_model import choose_model

    text = {"specification": specification, "store": store, "run_token": run_token}
    given = {"dataset": dataset, "certified_model": certified_model, "certified_history": certified_history}
    made = {"model": model, "history": history, "record": record}
    files = {name: Path(artifact.path) for name, artifact in {**given, **made}.items()}
    return (choose_model(**text, holds=holds, **files),)  # type: ignore[arg-type]
