"""Kubeflow component: holds the data to their contract and puts them on the integer grid."""

from typing import NamedTuple

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def data_validation(
    specification: str,
    store: str,
    dataset: dsl.Output[dsl.Dataset],
    report: dsl.Output[dsl.Artifact],
    record: dsl.Output[dsl.Artifact],
    source_folder: str = "",
    data_uri: str = "",
    run_token: str = "",
) -> NamedTuple("Outputs", [("passed", bool), ("summary", str)]):  # type: ignore[valid-type]
    """Holds the data to their contract: schema, ranges, nulls, duplicates, leakage between splits.

    Args:
        specification: The specification as text, as a path, or as an s3:// URI.
        store: Folder or s3:// URI of the content-addressed store.
        source_folder: Folder that relative paths of the specification start from.
        data_uri: Where the data lie, if elsewhere than the specification says, which registers their SHA-256.
        run_token: Any text; a new one makes every step run again.

    Returns:
        dataset: The data set on its integer grid, with splits and units.
        report: What validation found, as JSON.
        record: Digests and cost of this step.
        passed: Whether the contract holds.
        summary: One line that says what was found.
    """
    from pathlib import Path

    from robustcert.steps.data_validation import validate_data

    files = {"dataset": Path(dataset.path), "report": Path(report.path), "record": Path(record.path)}
    text = {"specification": specification, "store": store, "source_folder": source_folder, "run_token": run_token}
    text |= {"data_uri": data_uri}
    outcome = validate_data(**text, **files)  # type: ignore[arg-type]
    return outcome.passed, outcome.summary
