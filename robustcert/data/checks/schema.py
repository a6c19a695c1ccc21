"""Schema checks: samples, columns, shape and type of the arrays. Later checks rely on them."""

from __future__ import annotations

from robustcert.data.checks.facts import Breach, Facts
from robustcert.data.coordinates import image_shape
from robustcert.errors import expected


def samples(facts: Facts) -> Breach | None:
    """There is at least one sample."""
    if len(facts.raw):
        return None
    return Breach(message=expected("at least one sample", got="none", remedy="give the data"))


def columns(facts: Facts) -> Breach | None:
    """A table with named columns has those of the contract, in any order, and no others."""
    found, wanted = set(facts.raw.columns), {feature.name for feature in facts.contract.features}
    if not found or facts.contract.kind == "image" or found == wanted:
        return None
    missing, extra = sorted(wanted - found), sorted(found - wanted)
    parts = (("missing", missing), ("not in the contract", extra))
    got = "; ".join(f"{what} {', '.join(names[:10])}" for what, names in parts if names)
    return Breach(message=expected("the contract's columns", got=got, remedy="correct the table or contract.features"))


def shape(facts: Facts) -> Breach | None:
    """Arrays have the contract's shape: (N, C, H, W), or (N, F) with one column per feature."""
    contract, found = facts.contract, facts.raw.values.shape[1:]
    wanted = image_shape(contract) if contract.kind == "image" else (len(contract.features),)
    if found == wanted:
        return None
    remedy = "reshape x or correct the contract"
    return Breach(message=expected(f"samples of shape {list(wanted)}", got=list(found), remedy=remedy))


def dtype(facts: Facts) -> Breach | None:
    """Values are booleans, integers or real numbers."""
    found = facts.raw.values.dtype
    if found.kind in "biuf":
        return None
    return Breach(message=expected("values that are real numbers", got=found, remedy="store x as integers or floats"))
