"""Kubeflow component: trains the model of a specification."""

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def adversarial_training(
    specification: str,
    store: str,
    dataset: dsl.Input[dsl.Dataset],
    model: dsl.Output[dsl.Model],
    history: dsl.Output[dsl.Artifact],
    record: dsl.Output[dsl.Artifact],
    source_folder: str = "",
    processes: int = 1,
    run_token: str = "",
) -> None:
    """Trains the model against its threat model; the checkpoint is chosen on the validation split.

    Args:
        specification: The specification as text, as a path, or as an s3:// URI.
        store: Folder or s3:// URI of the content-addressed store.
        dataset: The validated data set.
        source_folder: Folder that relative paths of the specification start from.
        processes: Training processes; above 1 they share each batch, one GPU each where there are GPUs.
        run_token: Any text; a new one makes every step run again.

    Returns:
        model: The model file (safetensors).
        history: Losses and accuracies per epoch, as JSON.
        record: Digests and cost of this step.
    """
    from pathlib import Path

    from robustcert.steps.adversarial_training import train_model

    text = {"specification": specification, "store": store, "source_folder": source_folder, "run_token": run_token}
    made = {"model": Path(model.path), "history": Path(history.path), "record": Path(record.path)}
    train_model(**text, processes=processes, dataset=Path(dataset.path), **made)  # type: ignore[arg-type]
