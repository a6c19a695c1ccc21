"""Checks of numbers against the range of the data: the classic mistakes of unit, such as an epsilon of 8 in [0, 1].

Images: the model's input ranges over contract.range / divideBy, so a perturbation in unit `input` is compared with that
range, one in unit 1/255 after division by 255, and an l2 one with the diagonal of the whole box. Tables: unit `input`
is compared with the widest range of a perturbable feature, `feature_std` with a number of standard deviations.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from robustcert.errors import expected
from robustcert.specification import Contract, Specification
from robustcert.specification_checks.finding import Finding, contract_or_none, every_value
from robustcert.threat_model import Norm, Unit
from robustcert.yaml_document import Path

LEAST_SHARE_OF_RANGE = 1e-3
MOST_STANDARD_DEVIATIONS = 5.0
LEAST_MAGNITUDE, MOST_MAGNITUDE = 1e-12, 1e12
GREY_LEVELS = 255


@dataclass(frozen=True, kw_only=True)
class Amount:
    """One number with a unit: an epsilon or sigma, its norm, and where it is written."""

    path: Path
    value: float
    unit: Unit
    norm: Norm

    def in_input_units(self) -> float:
        """The amount in the unit of the model's input; feature_std has no such value and stays as it is."""
        return self.value / GREY_LEVELS if self.unit == "1/255" else self.value


def numbers_are_of_a_sane_size(specification: Specification) -> Iterator[Finding]:
    """Every number is 0 or of a magnitude that a decimal string of the certificate can hold."""
    for path, value in every_value(specification):
        if isinstance(value, float) and value != 0 and not LEAST_MAGNITUDE <= abs(value) <= MOST_MAGNITUDE:
            limits = f"0 or a magnitude from {LEAST_MAGNITUDE:g} to {MOST_MAGNITUDE:g}"
            yield Finding(path=path, message=expected(limits, got=f"{value:g}", remedy="correct it"))


def units_fit_the_data(specification: Specification) -> Iterator[Finding]:
    """feature_std is for tables, 1/255 for images; unit input on a table is legal and rarely meant."""
    for contract, amount in _amounts(specification):
        path = (*amount.path[:-1], "unit")
        if contract.kind == "image" and amount.unit == "feature_std":
            message = expected("unit input or 1/255 for images", got="feature_std", remedy="feature_std is for tables")
            yield Finding(path=path, message=message)
        elif contract.kind == "tabular" and amount.unit == "1/255":
            message = expected("unit feature_std or input for tables", got="1/255", remedy="1/255 is for images")
            yield Finding(path=path, message=message)
        elif contract.kind == "tabular" and amount.unit == "input":
            remedy = "features of different units share one number otherwise"
            message = expected("unit feature_std for tables", got="input", remedy=remedy)
            yield Finding(path=path, message=message, severity="warning")


def amounts_are_below_the_range(specification: Specification) -> Iterator[Finding]:
    """A perturbation over the whole range turns any input into any other; its unit is wrong."""
    for contract, amount in _amounts(specification):
        reach = _reach(contract, amount)
        if reach is not None and amount.in_input_units() >= reach:
            what = f"less than the whole range of the data, {reach:.4g} in unit input"
            got = f"{amount.value:g} in unit {amount.unit}"
            yield Finding(path=amount.path, message=expected(what, got=got, remedy=_smaller_unit(amount, reach)))
        elif amount.unit == "feature_std" and amount.value > MOST_STANDARD_DEVIATIONS:
            what = f"at most {MOST_STANDARD_DEVIATIONS:g} standard deviations"
            message = expected(what, got=f"{amount.value:g}", remedy="check the unit")
            yield Finding(path=amount.path, message=message, severity="warning")


def amounts_are_noticeable(specification: Specification) -> Iterator[Finding]:
    """A perturbation of a thousandth of the range is hardly meant: 0.03 in unit 1/255 looks like unit input."""
    for contract, amount in _amounts(specification):
        reach = _reach(contract, amount)
        if reach is not None and amount.in_input_units() < LEAST_SHARE_OF_RANGE * reach:
            what = f"at least {LEAST_SHARE_OF_RANGE:g} of the range of the data, {reach:.4g} in unit input"
            got = f"{amount.value:g} in unit {amount.unit}"
            remedy = f"did you mean {amount.value:g} with unit input?" if amount.unit == "1/255" else "check the unit"
            yield Finding(path=amount.path, message=expected(what, got=got, remedy=remedy), severity="warning")


def bounds_hold_the_data(specification: Specification) -> Iterator[Finding]:
    """`bounds` contain the contract's range: a clean input outside them could not be attacked within them."""
    contract = contract_or_none(specification)
    ranges = [] if contract is None else _ranges(contract)
    for number, threat in enumerate(specification.threat_models):
        path, bounds = ("threatModels", number, "bounds"), threat.bounds
        if bounds == "contract" or not ranges:
            continue
        outside = next(((low, high) for low, high in ranges if bounds[0] > low or bounds[1] < high), None)
        if outside is not None:
            what = f"bounds that hold the data's range {_shown(outside)}, in unit input"
            message = expected(what, got=_shown(bounds), remedy="widen them, or write contract")
            yield Finding(path=path, message=message)
        elif ranges != [bounds]:
            what = f"bounds that are the data's range, in unit input: {_shown(ranges[0])}"
            remedy = "write contract, unless attacks may leave the range that validation enforces"
            yield Finding(path=path, message=expected(what, got=_shown(bounds), remedy=remedy), severity="warning")


def something_can_be_perturbed(specification: Specification) -> Iterator[Finding]:
    """A table has a continuous or integer feature that is perturbable; binary and categorical ones never are."""
    contract = contract_or_none(specification)
    if contract is not None and contract.kind == "tabular" and not _ranges(contract):
        message = expected("a perturbable continuous or integer feature", got="none", remedy="mark one")
        yield Finding(path=("data", "contract", "features"), message=message)


def _amounts(specification: Specification) -> Iterator[tuple[Contract, Amount]]:
    contract = contract_or_none(specification)
    if contract is not None and _ranges(contract):
        for amount in _written_amounts(specification):
            yield contract, amount


def _written_amounts(specification: Specification) -> Iterator[Amount]:
    for number, threat in enumerate(specification.threat_models):
        path = ("threatModels", number, "epsilon")
        yield Amount(path=path, value=threat.epsilon, unit=threat.unit, norm=threat.norm)
    wanted = specification.certification
    yield Amount(path=("certification", "sigma"), value=wanted.sigma, unit=wanted.unit, norm="linf")


def _reach(contract: Contract, amount: Amount) -> float | None:
    """How far one input can be from another in the amount's norm, in unit input; None where it has no such unit."""
    if amount.unit == "feature_std" or (contract.kind == "tabular" and amount.unit == "1/255"):
        return None
    widths = [high - low for low, high in _ranges(contract)]
    if amount.norm == "linf":
        return max(widths)
    coordinates = math.prod(contract.shape or ()) if contract.kind == "image" else 1
    return math.sqrt(coordinates) * math.hypot(*widths)


def _ranges(contract: Contract) -> list[tuple[float, float]]:
    """Ranges in unit input: the one of all pixels, or one per perturbable feature of a table."""
    if contract.range is not None and contract.kind == "image":
        return [(contract.range[0] / contract.divide_by, contract.range[1] / contract.divide_by)]
    return [
        (feature.minimum, feature.maximum)
        for feature in contract.features
        if feature.perturbable and feature.kind in ("continuous", "integer")
        if feature.minimum is not None and feature.maximum is not None
    ]


def _smaller_unit(amount: Amount, reach: float) -> str:
    if amount.unit == "input" and amount.value / GREY_LEVELS < reach:
        return f"did you mean {amount.value:g} with unit 1/255?"
    return "lower it, or correct its unit"


def _shown(bounds: tuple[float, ...]) -> str:
    return f"[{bounds[0]:g}, {bounds[1]:g}]"
