"""A window: labelled rows of production data, held to the contract and put on the grid of the data that were certified.

Units, scales and ranges are those of the certified data set, never estimated anew: a perturbation of a certified size
is as large on the window as it was on the test split. Shapes: N samples of the window, D coordinates.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np

from robustcert.data.build import Grid, grid_steps
from robustcert.data.checks import classes, duplicates, provenance
from robustcert.data.contract import contract_of, provenance_of
from robustcert.data.coordinates import encode, table_coordinates
from robustcert.data.dataset import Dataset, refuse_inconsistent
from robustcert.data.digests import sample_sha256
from robustcert.data.raw import RawData
from robustcert.data.sources import Fetch, load_raw
from robustcert.data.splits import SPLITS
from robustcert.data.validation import BATCH_CHECKS, Finding, ValidationReport, validate
from robustcert.document import Sha256
from robustcert.errors import InputError, expected
from robustcert.specification import Data, Splits

# Drift may change how frequent a class is, even to none: that is what a window is for, and no breach of the contract.
CHECKS = (
    *BATCH_CHECKS,
    classes.label_range,
    duplicates.duplicates,
    duplicates.label_conflicts,
    provenance.approval_expiry,
)


def read_window(data: Data, uri: str, *, sha256: Sha256, fetch: Fetch | None = None) -> RawData:
    """The rows at a path or s3:// URI, in the format of the specification's data, if they have that SHA-256.

    Raises: DataError as `load_raw`; InputError where no digest is given.
    """
    if not sha256:
        remedy = "give the SHA-256 of the file, which names the rows that are meant"
        raise InputError(expected("a digest of the window", got="none", remedy=remedy))
    described = {"contract": contract_of(data), "provenance": provenance_of(data), "splits": Splits()}
    return load_raw(data.model_copy(update={"source": uri, "sha256": sha256, **described}), fetch=fetch)


def validate_window(data: Data, raw: RawData, *, today: date) -> ValidationReport:
    """What holding the window to the contract found; class frequencies and splits are not asked of it."""
    return validate(data, raw, profile="standard", today=today, seed=0, checks=CHECKS)


def window_on_grid(raw: RawData, *, data: Data, certified: Dataset) -> Dataset:
    """The window as a data set whose rows are all test samples, on the grid of `certified`; DataError if they can't."""
    contract = contract_of(data)
    if contract.kind == "image":
        x = raw.values.astype(np.float64) / contract.divide_by
    else:
        x = encode(raw.values, table_coordinates(contract))
    grid = Grid(
        x=np.rint(x / certified.unit),
        unit=certified.unit,
        scale=certified.scale,
        lower=certified.lower,
        upper=certified.upper,
        perturbable=certified.perturbable,
    )
    window = replace(
        certified,
        card=certified.card.model_copy(update={"source": raw.source, "source_sha256": raw.source_sha256}),
        x_int=grid_steps(grid),
        y=raw.labels,
        sample_ids=raw.sample_ids,
        split=np.full(len(raw), SPLITS.index("test"), dtype=np.int8),
    )
    refuse_inconsistent(window)
    return window


def seen_in_training(window: Dataset, certified: Dataset, *, allowed: float) -> Finding | None:
    """An error where more than `allowed`, 0 to 1, of the window are inputs that training or its choices saw."""
    seen = {sample_sha256(x) for x in certified.x_int[certified.split != SPLITS.index("test")]}
    known = [int(sample) for sample, x in zip(window.sample_ids, window.x_int, strict=True) if sample_sha256(x) in seen]
    if len(known) <= allowed * len(window):
        return None
    what = f"at most {allowed:g} of the window equal to a sample of train or validation"
    got = f"{len(known)} of {len(window)}, the first sample {known[0]}"
    return Finding(
        check="seen_in_training",
        severity="error",
        message=expected(what, got=got, remedy="drop them: the model was made to get them right"),
        samples=tuple(known[:20]),
        count=len(known),
        of=len(window),
    )
