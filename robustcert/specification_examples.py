"""The values of what `robustcert init` writes: two embedded data sets, and two skeletons for your own data.

The comments around them come from the types (`robustcert.specification_template`). Every one passes `robustcert check`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from robustcert.data.contract import PROVENANCES
from robustcert.specification import API_VERSION, KIND

Values = Mapping[str, Any]

_DEMONSTRATION_OWNER = {"name": "Demonstration", "contact": "nobody@example.org"}
_YOUR_OWNER = {"name": "YOUR TEAM", "contact": "you@example.org"}
_NOISE_REASON = "Equal to certification.sigma: smoothing certifies little for a network that never saw its noise."

_RATIONALE = {
    "training.noiseSigma": _NOISE_REASON,
    "certification.method": "Decides at the registered radii, with as few votes as an exact test allows.",
    "certification.n": "The most votes of a sample that no look decides; most samples take some hundred.",
}


def _threat(name: str, norm: str, epsilon: float, unit: str) -> Values:
    return {
        "name": name,
        "norm": norm,
        "epsilon": epsilon,
        "unit": unit,
        "bounds": "contract",
        "access": "gradients",
        "goal": "untargeted",
    }


def _training(threat_model: str, *, noise_sigma: float) -> Values:
    return {"method": "pgd", "threatModel": threat_model, "epochs": 40, "noiseSigma": noise_sigma}


def _certification(sigma: float, unit: str, radii: list[float]) -> Values:
    method = "group-sequential"
    return {"sigma": sigma, "unit": unit, "radii": radii, "n0": 100, "n": 100_000, "alpha": 0.001, "method": method}


def _acceptance(clean: float, attacked: tuple[str, float], certified: tuple[float, float], abstained: float) -> Any:
    (threat_model, under_attack), (radius, at_radius) = attacked, certified
    return [
        {"metric": "clean_accuracy", "comparator": ">=", "threshold": clean},
        {
            "metric": "accuracy_under_attack",
            "comparator": ">=",
            "threshold": under_attack,
            "threatModel": threat_model,
        },
        {"metric": "certified_accuracy", "comparator": ">=", "threshold": at_radius, "radius": radius},
        {"metric": "abstention_rate", "comparator": "<=", "threshold": abstained},
    ]


DIGITS: Values = {
    "apiVersion": API_VERSION,
    "kind": KIND,
    "name": "digits",
    "profile": "standard",
    "owner": _DEMONSTRATION_OWNER,
    "intendedUse": "Demonstration of robustcert on small images. Not for reading handwriting in production.",
    "claim": (
        "On handwritten digits like those of the test split, the shares of images that stay correctly classified when "
        "attacked under linf-0.1, and that are certified within l2 radius 0.25, reach the thresholds under acceptance. "
        "Nothing is claimed for other images, other perturbations or another preprocessing."
    ),
    "seed": 0,
    "data": {"source": "builtin:digits", "splits": {"train": 0.6, "validation": 0.15, "test": 0.25}},
    "model": {"architecture": "mlp", "hidden": [256, 128]},
    "training": _training("linf-0.1", noise_sigma=0.25),
    "threatModels": [_threat("linf-0.1", "linf", 0.1, "input"), _threat("l2-0.5", "l2", 0.5, "input")],
    "evaluation": {"suite": "quick@1", "curve": [0.25, 0.5, 1.0, 1.5]},
    "certification": _certification(0.25, "input", [0, 0.1, 0.25, 0.5]),
    "acceptance": _acceptance(0.95, ("linf-0.1", 0.75), (0.25, 0.8), 0.1),
    "validity": {"days": 90},
    "rationale": _RATIONALE,
}

BREAST_CANCER: Values = {
    **DIGITS,
    "name": "breast-cancer",
    "profile": "high-stakes",
    "intendedUse": "Demonstration of robustcert on a clinical table. Not for diagnosis or any decision on a person.",
    "claim": (
        "On tumour measurements like those of the test split, the shares of patients that stay correctly classified "
        "when attacked under linf-0.1, and that are certified within l2 radius 0.25, both in standard deviations of "
        "each feature, reach the thresholds under acceptance. Nothing is claimed for other clinics, other ways of "
        "measuring or larger perturbations."
    ),
    "data": {
        "source": "builtin:breast-cancer",
        "provenance": {
            **PROVENANCES["breast-cancer"].model_dump(by_alias=True, exclude_defaults=True),
            "approvals": [
                {
                    "id": "FICTIONAL-0001",
                    "authority": "FICTIONAL approval for demonstration; name the board that approved your data here",
                    "expires": "2099-12-31",
                }
            ],
        },
        "splits": {"train": 0.6, "validation": 0.15, "test": 0.25},
    },
    "threatModels": [_threat("linf-0.1", "linf", 0.1, "feature_std"), _threat("l2-0.5", "l2", 0.5, "feature_std")],
    "certification": _certification(0.25, "feature_std", [0, 0.1, 0.25, 0.5]),
    "acceptance": _acceptance(0.88, ("linf-0.1", 0.8), (0.25, 0.75), 0.15),
    "rationale": _RATIONALE,
}

IMAGES: Values = {
    **DIGITS,
    "name": "my-images",
    "owner": _YOUR_OWNER,
    "intendedUse": "YOUR USE: what the model decides, for whom, and what it must not be used for.",
    "claim": (
        "YOUR CLAIM: on images like those of the test split, the shares that stay correctly classified under linf-8, "
        "and that are certified within l2 radius 0.25, reach the thresholds under acceptance. Nothing else is claimed."
    ),
    "data": {
        "source": "data/my-images",
        "contract": {
            "kind": "image",
            "classes": ["cat", "dog"],
            "shape": [3, 32, 32],
            "range": [0, 255],
            "divideBy": 255,
        },
        "provenance": {
            "source": "YOUR SOURCE: who collected the images, and how",
            "licence": "YOUR LICENCE",
            "collectedAt": "2025",
            "personalData": "none",
        },
        "splits": {"train": 0.6, "validation": 0.15, "test": 0.25},
    },
    "model": {"architecture": "small-cnn", "width": 16},
    "training": _training("linf-8", noise_sigma=0.25),
    "threatModels": [_threat("linf-8", "linf", 8, "1/255"), _threat("l2-0.5", "l2", 0.5, "input")],
    "acceptance": _acceptance(0.85, ("linf-8", 0.5), (0.25, 0.5), 0.2),
}

TABLE: Values = {
    **DIGITS,
    "name": "my-table",
    "owner": _YOUR_OWNER,
    "intendedUse": "YOUR USE: what the model decides, for whom, and what it must not be used for.",
    "claim": (
        "YOUR CLAIM: on rows like those of the test split, the shares that stay correctly classified under linf-0.1, "
        "and that are certified within l2 radius 0.25, reach the thresholds under acceptance. Nothing else is claimed."
    ),
    "data": {
        "source": "data/my-table.csv",
        "contract": {
            "kind": "tabular",
            "classes": ["no", "yes"],
            "features": [
                {"name": "age", "kind": "continuous", "unit": "years", "minimum": 0, "maximum": 120},
                {"name": "visits", "kind": "integer", "unit": "1/year", "minimum": 0, "maximum": 365},
                {"name": "smoker", "kind": "binary"},
                {"name": "region", "kind": "categorical", "categories": ["north", "south"]},
            ],
            "label": "outcome",
        },
        "provenance": {
            "source": "YOUR SOURCE: who collected the rows, and how",
            "licence": "YOUR LICENCE",
            "collectedAt": "2025",
            "personalData": "none",
        },
        "splits": {"train": 0.6, "validation": 0.15, "test": 0.25},
    },
    "threatModels": [_threat("linf-0.1", "linf", 0.1, "feature_std"), _threat("l2-0.5", "l2", 0.5, "feature_std")],
    "certification": _certification(0.25, "feature_std", [0, 0.1, 0.25, 0.5]),
    "acceptance": _acceptance(0.8, ("linf-0.1", 0.6), (0.25, 0.5), 0.2),
}

EXAMPLES: Mapping[str, Values] = {
    "digits": DIGITS,
    "breast-cancer": BREAST_CANCER,
    "images": IMAGES,
    "table": TABLE,
}
