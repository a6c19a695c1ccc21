"""Contracts and provenances of the embedded data sets, and which ones apply to a specification's data.

Sources: scikit-learn's descriptions of the two UCI data sets; ranges are chosen wider than anything observed.
"""

from __future__ import annotations

from robustcert.errors import DataError, expected
from robustcert.specification import Contract, Data, Feature, Provenance

BUILTIN = "builtin:"

# Ten quantities of a cell nucleus (Street, Wolberg and Mangasarian 1993): unit, and the upper end of the range for the
# mean over the nuclei, for its standard error, and for the mean of the three largest. All are non-negative.
NUCLEUS = (
    ("radius", "source length", 50.0, 5.0, 50.0),
    ("texture", "grey levels", 100.0, 10.0, 100.0),
    ("perimeter", "source length", 300.0, 50.0, 400.0),
    ("area", "source length squared", 5000.0, 1000.0, 8000.0),
    ("smoothness", "1", 0.5, 0.1, 0.5),
    ("compactness", "1", 1.0, 0.5, 2.0),
    ("concavity", "1", 1.0, 1.0, 2.0),
    ("concave points", "1", 0.5, 0.1, 0.5),
    ("symmetry", "1", 1.0, 0.2, 1.0),
    ("fractal dimension", "1", 0.2, 0.1, 0.5),
)


def _nucleus_features() -> tuple[Feature, ...]:
    columns = [(f"mean {name}", unit, mean) for name, unit, mean, _, _ in NUCLEUS]
    columns += [(f"{name} error", unit, error) for name, unit, _, error, _ in NUCLEUS]
    columns += [(f"worst {name}", unit, worst) for name, unit, _, _, worst in NUCLEUS]
    return tuple(Feature(name=name, unit=unit, minimum=0.0, maximum=maximum) for name, unit, maximum in columns)


CONTRACTS = {
    "digits": Contract.model_validate(
        {
            "kind": "image",
            "classes": tuple("0123456789"),
            "shape": (1, 8, 8),
            "range": (0.0, 16.0),
            "divideBy": 16.0,
        }
    ),
    "breast-cancer": Contract.model_validate(
        {
            "kind": "tabular",
            "classes": ("malignant", "benign"),
            "features": _nucleus_features(),
            "label": "diagnosis",
            "minimumClassFraction": 0.2,
            "nearDuplicateDistance": 0.005,  # the closest two patients differ by 0.0102 of these wide ranges
        }
    ),
}

PROVENANCES = {
    "digits": Provenance.model_validate(
        {
            "source": "UCI Optical Recognition of Handwritten Digits, test part (13 writers), shipped in scikit-learn",
            "licence": "CC BY 4.0",
            "collectedAt": "1998-07",
            "transforms": ("forms scanned to bitmaps of 32x32 pixels", "count of pixels set per block of 4x4, 0 to 16"),
            "personalData": "anonymised",
        }
    ),
    "breast-cancer": Provenance.model_validate(
        {
            "source": "UCI Breast Cancer Wisconsin (Diagnostic), shipped in scikit-learn",
            "licence": "CC BY 4.0",
            "collectedAt": "1995-11",
            "transforms": (
                "outlines of cell nuclei in digitised images of fine needle aspirates",
                "per quantity: mean over the nuclei, standard error, mean of the three largest",
            ),
            "personalData": "anonymised",
        }
    ),
}


def builtin_name(data: Data) -> str | None:
    """Name of the embedded data set that `data` asks for, None where it asks for another source.

    Raises: DataError for an embedded data set that does not exist.
    """
    if not data.source.startswith(BUILTIN):
        return None
    name = data.source.removeprefix(BUILTIN)
    if name not in CONTRACTS:
        known = " or ".join(BUILTIN + known for known in CONTRACTS)
        raise DataError(expected(known, got=data.source, remedy="name one of them, a path or an s3:// URI"))
    return name


def contract_of(data: Data) -> Contract:
    """The contract that holds for `data`: the specification's own, else that of the embedded data set."""
    if data.contract is not None:
        return data.contract
    name = builtin_name(data)
    if name is None:
        raise DataError(expected("a contract for your own data", got="none", remedy="add data.contract"))
    return CONTRACTS[name]


def provenance_of(data: Data) -> Provenance:
    """The provenance that holds for `data`: the specification's own, else that of the embedded data set."""
    if data.provenance is not None:
        return data.provenance
    name = builtin_name(data)
    if name is None:
        raise DataError(expected("the provenance of your own data", got="none", remedy="add data.provenance"))
    return PROVENANCES[name]
