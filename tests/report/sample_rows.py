"""Evidence rows of a linear classifier, whose smallest perturbations have a closed form.

The nearest decision boundary of input x is min_k (z_y - z_k) / ||(w_y - w_k) s||_q away, q the dual norm, so every row
states the truth of a real, if weak, model. Votes under noise are drawn from exact two-class probabilities, fixed seed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from robustcert.data.dataset import Dataset
from robustcert.data.digests import sample_sha256
from robustcert.evaluation.adversarials import Adversarials
from robustcert.evaluation.curve import CLEAN, curve_of
from robustcert.evaluation.suites import load_suite
from robustcert.provenance.digests import sha256_bytes
from robustcert.smoothing.confidence import certified_radius
from robustcert.specification import Specification
from robustcert.threat_model import ThreatModel

Row = dict[str, Any]
Budget = dict[str, str | int]
Float64 = NDArray[np.float64]
Found = tuple[NDArray[np.float32], int, float]

# Each attack of suite quick@1 needs this many times the smallest perturbation: a weak one and a better one.
SLACK = {"fgsm": 1.8, "pgd": 1.15}
GRADIENTS = {"fgsm": 1, "pgd": 200}


@dataclass(frozen=True, kw_only=True)
class Linear:
    """Scores z = w_KD x + b_K of flat inputs, and what follows from them in closed form."""

    w_KD: Float64
    b_K: Float64

    def predict(self, x_ND: Float64) -> NDArray[np.int64]:
        return np.asarray((x_ND @ self.w_KD.T + self.b_K).argmax(axis=1))

    def nearest(self, x_D: Float64, label: int, scale_D: Float64, *, norm: str) -> tuple[float, int, Float64]:
        """Distance (in units of scale) to the nearest other class, that class, and w_k - w_y times scale."""
        z_K = self.w_KD @ x_D + self.b_K
        toward_KD = (self.w_KD - self.w_KD[label]) * scale_D
        lengths_K = np.abs(toward_KD).sum(axis=1) if norm == "linf" else np.sqrt((toward_KD**2).sum(axis=1))
        lengths_K[label] = 1.0
        distances_K = (z_K[label] - z_K) / lengths_K
        distances_K[label] = np.inf
        other = int(distances_K.argmin())
        return float(distances_K[other]), other, toward_KD[other]


@dataclass(frozen=True, kw_only=True)
class Attacked:
    """What attacks on one threat give: evidence rows, perturbed inputs by `THREAT/ATTACK`, and costs."""

    rows: list[Row]
    adversarials: dict[str, Adversarials]
    budgets: list[Budget]


def ridge_classifier(train: Dataset, *, strength: float) -> Linear:
    """Ridge regression of one-hot labels, in closed form, on inputs in standard deviations."""
    x_ND = train.x().reshape(len(train), -1)
    scale_D = train.scale.reshape(-1)
    mean_D = x_ND.mean(axis=0)
    z_ND = (x_ND - mean_D) / scale_D
    targets_NK = np.eye(train.n_classes)[train.y] - 1 / train.n_classes
    w_DK = np.linalg.solve(z_ND.T @ z_ND + strength * np.eye(z_ND.shape[1]), z_ND.T @ targets_NK)
    w_KD = w_DK.T / scale_D
    return Linear(w_KD=w_KD, b_K=targets_NK.mean(axis=0) - w_KD @ mean_D)


def attack_rows(model: Linear, test: Dataset, threat: ThreatModel, written: Specification) -> Attacked:
    """The clean rows, then those of every attack at every epsilon of the curve."""
    clean = clean_rows(model, test, threat=threat.name)
    right = sum(row["prediction"] == row["label"] for row in clean)
    rows, stored, budgets = list(clean), dict[str, Adversarials](), list[Budget]()
    for attack in load_suite(written.evaluation.suite).attacks:
        best = [smallest(model, test, position, threat, SLACK[attack.name]) for position in range(len(test))]
        for strength in curve_of(threat, written.evaluation.curve):
            found = [entry if entry is not None and entry[2] <= strength.value else None for entry in best]
            named = {"epsilon": strength.text, "attack": attack.id}
            rows += [row | named | finding(entry) for row, entry in zip(clean, found, strict=True)]
            broken = [position for position, entry in enumerate(found) if entry is not None]
            budgets.append({"threat": threat.name, **named, **cost(attack.name, right, len(broken))})
            if strength.main and broken:
                inputs = np.stack([entry[0] for entry in found if entry is not None])
                key = f"{threat.name}/{attack.id}"
                stored[key] = Adversarials(sample_ids=test.sample_ids[broken], x_adv=inputs)
    return Attacked(rows=rows, adversarials=stored, budgets=budgets)


def clean_rows(model: Linear, test: Dataset, *, threat: str) -> list[Row]:
    predictions_N = model.predict(test.x().reshape(len(test), -1))
    return [
        {
            "threat": threat,
            "epsilon": "0",
            "attack": CLEAN,
            "sample": int(test.sample_ids[position]),
            "input": sample_sha256(test.x_int[position]),
            "label": int(test.y[position]),
            "target": None,
            "prediction": int(prediction),
            "adversarial": int(prediction),
            "distance": "0",
            "perturbed": "",
        }
        for position, prediction in enumerate(predictions_N)
    ]


def cost(attack: str, samples: int, broken: int) -> Budget:
    gradients = GRADIENTS[attack] * samples
    return {"samples": samples, "broken": broken, "gradients": gradients, "forwards": gradients + samples}


def smallest(model: Linear, test: Dataset, position: int, threat: ThreatModel, slack: float) -> Found | None:
    """The smallest perturbation times `slack`, its class and distance; None where clipping to the range undoes it."""
    x, label = test.x()[position], int(test.y[position])
    if int(model.predict(x.reshape(1, -1))[0]) != label:
        return None
    scale_D = test.perturbation_scale(threat.unit).reshape(-1)
    distance, _, toward_D = model.nearest(x.reshape(-1), label, scale_D, norm=threat.norm)
    direction_D = np.sign(toward_D) if threat.norm == "linf" else toward_D / np.linalg.norm(toward_D)
    x_adv = x + (direction_D * scale_D * distance * slack).reshape(x.shape)
    x_adv = np.clip(x_adv, test.lower, test.upper).astype(np.float32)
    seen = int(model.predict(x_adv.astype(np.float64).reshape(1, -1))[0])
    return None if seen == label else (x_adv, seen, distance * slack)


def finding(found: Found | None) -> Row:
    if found is None:
        return {}
    x_adv, seen, distance = found
    digest = sha256_bytes(x_adv.astype("<f4").tobytes())
    return {"adversarial": seen, "distance": f"{distance:.12f}", "perturbed": digest}


def smoothing_rows(model: Linear, test: Dataset, written: Specification) -> list[Row]:
    """Votes of the top two classes, drawn from their exact probabilities under the noise."""
    generator, wanted = np.random.default_rng(7), written.certification
    scale_D = test.perturbation_scale(wanted.unit).reshape(-1)
    rows = []
    for position in range(len(test)):
        x_D = test.x()[position].reshape(-1)
        candidate = int(model.predict(x_D[None])[0])
        distance, other, _ = model.nearest(x_D, candidate, scale_D, norm="l2")
        votes = int(generator.binomial(wanted.n, ndtr(distance / wanted.sigma)))
        fragile = int(generator.poisson(0.4)) if votes > 10 else 0
        found = certified_radius(votes - fragile, wanted.n, alpha=wanted.alpha, sigma=wanted.sigma)
        counts = sorted([[candidate, votes - fragile], [other, wanted.n - votes]])
        rows.append(
            {
                "sample": int(test.sample_ids[position]),
                "input": sample_sha256(test.x_int[position]),
                "label": int(test.y[position]),
                "candidate": candidate,
                "n0": wanted.n0,
                "selection": [[candidate, wanted.n0]],
                "selectionFragile": 0,
                "n": wanted.n,
                "counts": [count for count in counts if count[1]],
                "fragile": fragile,
                "decision": "abstain" if found is None else "certified",
                "radius": found or "0",
            }
        )
    return rows
