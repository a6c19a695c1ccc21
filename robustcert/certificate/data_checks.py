"""Checks of the data set's file against what is registered: its grid, its splits, and the report on it.

What an attack may do is measured by scale, range and perturbable coordinates of this file, and a claim is about the
samples of its test split; both follow from the contract, the training split and the seed.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from robustcert.certificate.case import (
    Case,
    Finding,
    by_this_versions_rules,
    established,
    not_established,
    present,
    require,
)
from robustcert.data.build import GRID_BITS, STEPS_PER_FLOAT, STEPS_PER_INTEGER, nearest_power_of_two
from robustcert.data.contract import builtin_name, contract_of
from robustcert.data.coordinates import Coordinate, image_bounds, table_coordinates
from robustcert.data.dataset import Dataset
from robustcert.data.raw import Samples
from robustcert.data.source_builtin import samples_sha256
from robustcert.data.splits import draw_splits
from robustcert.data.validation import ValidationReport
from robustcert.errors import VerificationError
from robustcert.provenance.digests import sha256_file
from robustcert.specification import Contract
from robustcert.specification_data import TABLE_SUFFIXES

SLACK = 1 + 1e-6  # of a float64 standard deviation


@by_this_versions_rules
def data_grid(case: Case) -> Finding:
    """Units, ranges, scales and what may be perturbed follow from the contract and the training split."""
    name = "data grid"
    if case.files.dataset is None:
        return not_established(name, "no data set was given; what a unit means is the issuer's word")
    dataset, contract = case.dataset, contract_of(case.specification.data)
    require(dataset.card.kind == contract.kind, "data: of another kind than the contract")
    numbered = np.array_equal(dataset.sample_ids, np.arange(len(dataset)))
    require(numbered, "data: sample ids are not the numbers of the source's rows")
    coordinates = table_coordinates(contract)  # none of an image
    described = tuple(each.name for each in coordinates), tuple(each.unit for each in coordinates)
    found = dataset.card.coordinates, dataset.card.units
    require(found == described, "data: coordinates are not those of the contract")
    if contract.kind == "image":
        _require_image_grid(dataset, contract)
        _require_published(case, contract)
    else:
        _require_table_grid(dataset, coordinates)
    return established(name, "units, ranges and scales follow from contract and training split")


@by_this_versions_rules
def data_splits(case: Case) -> Finding:
    """No split is empty, and splits that no source gives are the ones that the seed draws."""
    name, written = "data splits", case.specification.data
    if case.files.dataset is None:
        return not_established(name, "no data set was given; which samples are held out is the issuer's word")
    dataset, seed = case.dataset, case.specification.seed
    require(set(dataset.split.tolist()) == {0, 1, 2}, "data: a split is empty")
    if written.splits.column is not None:
        return not_established(name, f"{written.splits.column} of the source gave them; they are the issuer's word")
    drawn = draw_splits(_samples(dataset), fractions=written.splits, seed=seed)
    if np.array_equal(drawn, dataset.split):
        return established(name, f"drawn by seed {seed}, class by class")
    brings_none = builtin_name(written) is not None or written.source.partition("?")[0].lower().endswith(TABLE_SUFFIXES)
    require(not brings_none, "data: splits are not those that the registered seed draws")
    return not_established(name, "the source gave them; they are the issuer's word")


def data_report_file(case: Case) -> Finding:
    """The given report is the one of the run, found no error, and warned of what the certificate repeats."""
    name, part = "data report", case.predicate.data
    if case.files.data_report is None:
        return not_established(name, "no data report was given; what validation found is the issuer's word")
    path = present(case.files.data_report)
    found, wanted = sha256_file(path), part.validation_report_sha256
    require(found == wanted, f"data report: SHA-256 of {path.name} is {found}, certified is {wanted}")
    try:
        report = ValidationReport.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise VerificationError(f"data report: {path.name} is none") from error
    errors = [finding for finding in report.findings if finding.severity == "error"]
    require(report.passed and not errors, "data report: validation did not pass")
    told = tuple(finding.message for finding in report.findings)
    require(told == part.validation_warnings, "data report: its findings are not the certificate's warnings")
    rows = {split: described.rows for split, described in part.splits.items()}
    require(report.split_counts == rows, "data report: it is about splits of other sizes")
    return established(name, f"passed with {len(told)} warning(s)")


def _samples(dataset: Dataset) -> Samples:
    """What a reader of the source would have found, values in grid steps."""
    return Samples(values=dataset.x_int, labels=dataset.y, sample_ids=dataset.sample_ids)


def _require_image_grid(dataset: Dataset, contract: Contract) -> None:
    """The grid of integers or that of floats: the file does not say which of them the source stored."""
    (low, high), divide_by = image_bounds(contract), contract.divide_by
    integer = 1 / (STEPS_PER_INTEGER * divide_by)
    grids = {
        integer: (low * STEPS_PER_INTEGER * integer, high * STEPS_PER_INTEGER * integer),
        1 / STEPS_PER_FLOAT: (low / divide_by, high / divide_by),
    }
    unit = float(dataset.unit.flat[0])
    require(unit in grids, "data: unit is not that of the contract's grid")
    for field, wanted in (("unit", unit), ("scale", 1.0), ("lower", grids[unit][0]), ("upper", grids[unit][1])):
        require(bool(np.all(getattr(dataset, field) == wanted)), f"data: {field} is not that of the contract")
    require(bool(dataset.perturbable.all()), "data: a pixel that can't be perturbed")


def _require_published(case: Case, contract: Contract) -> None:
    """Embedded images are, bit for bit, the published ones: nothing is lost on the grid of integers."""
    if builtin_name(case.specification.data) is None:
        return
    dataset = case.dataset
    stored = replace(_samples(dataset), values=dataset.x_int / STEPS_PER_INTEGER)
    same = samples_sha256(stored) == case.predicate.data.source_sha256
    of_integers = bool(np.all(dataset.unit == 1 / (STEPS_PER_INTEGER * contract.divide_by)))
    require(same and of_integers, "data: samples are not those of the embedded data set")


def _require_table_grid(dataset: Dataset, coordinates: tuple[Coordinate, ...]) -> None:
    for field in ("lower", "upper", "perturbable"):
        limits = [getattr(coordinate, field) for coordinate in coordinates]
        require(getattr(dataset, field).tolist() == limits, f"data: {field} is not that of the contract")
    train = dataset.select("train")
    require(len(train) > 0, "data: the training split is empty")
    for x, unit, scale, each in zip(train.x().T, dataset.unit, dataset.scale, coordinates, strict=True):
        wanted_unit = 2.0 ** (nearest_power_of_two(float(scale)) - GRID_BITS) if each.scaled else 1.0
        require(unit == wanted_unit, f"data: unit is not that of the scale, in {each.name}")
        wanted, slack = (_std(x), float(unit) * SLACK) if each.scaled else (1.0, 0.0)
        require(abs(wanted - scale) <= slack, f"data: scale is not that of the training split, in {each.name}")


def _std(x: NDArray[np.float64]) -> float:
    """Population standard deviation, 1 of a constant, NaN where it overflows.

    The grid moved each value by a step at most, and so their standard deviation by no more.
    """
    if x.min() == x.max():
        return 1.0
    with np.errstate(over="ignore", invalid="ignore"):
        return float(np.std(x))
