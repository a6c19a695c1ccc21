"""Checks of the stored perturbed inputs: each is the one that its row names, as far away, and within its budget."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from robustcert.attacks.budget import ABSOLUTE_SLACK, RELATIVE_SLACK, distances, legal, within
from robustcert.certificate.case import Case, Finding, Row, established, not_established, present, require
from robustcert.data.dataset import Dataset
from robustcert.evaluation.adversarials import Adversarials, load_adversarials
from robustcert.evaluation.curve import curve_of
from robustcert.provenance.digests import sha256_bytes, sha256_file
from robustcert.threat_model import ThreatModel

NAME = "perturbed inputs"

Rows = dict[int, Row]  # by sample


def adversarials_file(case: Case) -> Finding:
    """Perturbed inputs have the digests of the evidence, and lie within the threat model's ball, in float64."""
    files = case.files
    if files.adversarials is None:
        return not_established(NAME, "none were given; budgets were not re-measured")
    found, wanted = sha256_file(files.adversarials), case.predicate.evaluation.adversarials_sha256
    require(found == wanted, f"{NAME}: SHA-256 of {files.adversarials.name} is {found}, certified is {wanted}")
    if files.dataset is None or files.evaluation is None:
        return not_established(NAME, "digest checked; budgets need the data set and the evaluation evidence")
    return established(NAME, f"{_measure_all(case)} re-measured in float64, all within their budget")


def _measure_all(case: Case) -> int:
    """Number of perturbed inputs of the main epsilons; each that the evidence names is there, and no other."""
    sets = load_adversarials(present(case.files.adversarials))
    named, threats = _named_inputs(case), {threat.name: threat for threat in case.specification.threat_models}
    for key, found in sets.items():
        name = key.partition("/")[0]
        require(name in threats, f"{NAME}: {key} is of no registered threat model")
        rows = named.pop(key, {})
        _require_named(key, found, rows)
        _require_within(key, found, threats[name], case.dataset, rows)
    require(not any(named.values()), f"{NAME}: the file lacks some of those that the evidence names")
    return sum(len(found.sample_ids) for found in sets.values())


def _named_inputs(case: Case) -> dict[str, Rows]:
    """`THREAT/ATTACK` -> sample -> the row that names its perturbed input, at each threat's own epsilon."""
    main = {
        (threat.name, strength.text) for threat in case.specification.threat_models for strength in curve_of(threat, ())
    }
    named: dict[str, Rows] = {}
    for row in case.evaluation_rows:
        if row["perturbed"] and (row["threat"], row["epsilon"]) in main:
            named.setdefault(f"{row['threat']}/{row['attack']}", {})[row["sample"]] = row
    return named


def _require_named(key: str, found: Adversarials, rows: Rows) -> None:
    digests = [sha256_bytes(x.astype("<f4").tobytes()) for x in found.x_adv]
    stored = dict(zip(found.sample_ids.tolist(), digests, strict=True))
    named = {sample: row["perturbed"] for sample, row in rows.items()}
    require(stored == named, f"{NAME}: those of {key} are not the ones that the evidence names")


def _require_within(key: str, found: Adversarials, threat: ThreatModel, dataset: Dataset, rows: Rows) -> None:
    require(found.x_adv.shape[1:] == dataset.card.shape, f"{NAME}: those of {key} have another shape than the data")
    x = dataset.rows(found.sample_ids.tolist()).x()
    far = distances(found.x_adv, x, scale=dataset.perturbation_scale(threat.unit), norm=threat.norm)
    outside = found.sample_ids[~within(far, threat.epsilon) | ~_legal(found.x_adv, x, threat, dataset)]
    require(not len(outside), f"{NAME}: that of sample {outside[:1].tolist()} under {key} is outside budget or bounds")
    told = np.array([float(rows[sample]["distance"]) for sample in found.sample_ids.tolist()])
    other = found.sample_ids[~np.isclose(told, far, rtol=RELATIVE_SLACK, atol=ABSOLUTE_SLACK)]
    require(not len(other), f"{NAME}: that of sample {other[:1].tolist()} under {key} is not as far as its row says")


def _legal(
    x_adv: NDArray[np.float32], x: NDArray[np.float64], threat: ThreatModel, dataset: Dataset
) -> NDArray[np.bool_]:
    if threat.bounds == "contract":
        return legal(x_adv, x, lower=dataset.lower, upper=dataset.upper)
    low, high = (np.full_like(dataset.lower, bound) for bound in threat.bounds)
    return legal(x_adv, x, lower=low, upper=high)
