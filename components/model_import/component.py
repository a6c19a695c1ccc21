"""Kubeflow component: brings the user's own model into one checked file."""

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def model_import(
    specification: str,
    store: str,
    dataset: dsl.Input[dsl.Dataset],
    model: dsl.Output[dsl.Model],
    history: dsl.Output[dsl.Artifact],
    record: dsl.Output[dsl.Artifact],
    source_folder: str = "",
    model_uri: str = "",
    run_token: str = "",
) -> None:
    """Checks the user's own model against specification and data; nothing is trained.

    Args:
        specification: The specification as text, as a path, or as an s3:// URI.
        store: Folder or s3:// URI of the content-addressed store.
        dataset: The validated data set.
        source_folder: Folder that relative paths of the specification start from.
        model_uri: Where the model lies, if elsewhere than the specification says, which registers its SHA-256.
        run_token: Any text; a new one makes every step run again.

    Returns:
        model: The model file (safetensors, or the user's ONNX file as it is).
        history: An empty list, since nothing was trained here, as JSON.
        record: Digests and cost of this step.
    """
    from pathlib import Path

    from robustcert.steps.model_import import bring_model

    text = {"specification": specification, "store": store, "source_folder": source_folder, "run_token": run_token}
    made = {"model": Path(model.path), "history": Path(history.path), "record": Path(record.path)}
    bring_model(**text, model_uri=model_uri, dataset=Path(dataset.path), **made)  # type: ignore[arg-type]
