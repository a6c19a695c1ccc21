"""What our statistics make of certificates that others published: their table, and the draws it would have taken.

    git clone https://github.com/locuslab/smoothing PEER
    OMP_NUM_THREADS=1 python benchmarks/published_certificates.py PEER

Reads the per-sample files of Cohen, Rosenfeld and Kolter (2019), `data/certify/` of their repository, n = 100,000 and
alpha = .001. Prints certified accuracy, which is to be that of the tables of the paper, and the average radius; then
inverts each radius to the frequency of votes that gives it (.45 for an abstention) and prints, exactly, the certified
fraction and the mean number of draws of fixed n, of the anytime mixture, and of group-sequential plans with at most
100,000 and 200,000 draws; and, simulated, those of several radii on one stream, with and without asking for a majority.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import bdtr, bdtrik, ndtr

from robustcert.audit.log import LogForm, read_log
from robustcert.smoothing.anytime import log_e_value
from robustcert.smoothing.certified_accuracy import ABSTAIN, CERTIFIED, average_certified_radius, curve
from robustcert.smoothing.confidence import failure_upper_bound
from robustcert.smoothing.group_sequential import (
    GroupSequentialPlan,
    decide,
    first_certifying_look,
    looks,
    operating_characteristics,
    plan,
)

N = 100_000
ALPHA = 0.001
ABSTAINED = 0.55
REPETITIONS = 20
TABLES = (  # file under data/certify, its sigma, radii of the published table, of the group-sequential one, of a curve
    ("cifar10/resnet110/noise_0.25/test/sigma_0.25", 0.25, (0.25, 0.5, 0.75), (0.25,), (0.25, 0.5, 0.75)),
    (
        "cifar10/resnet110/noise_0.50/test/sigma_0.50",
        0.5,
        (0.25, 0.5, 0.75, 1.0, 1.25, 1.5),
        (0.25, 0.5, 1.0),
        (0.25, 0.5, 0.75, 1.0, 1.25, 1.5),
    ),
    ("cifar10/resnet110/noise_1.00/test/sigma_1.00", 1.0, (0.25, 0.5, 0.75, 1.0, 1.25, 1.5), (), ()),
    ("imagenet/resnet50/noise_0.50/test/sigma_0.50", 0.5, (0.5, 1.0, 1.5), (0.5, 1.5), (0.5, 1.0, 1.5)),
)

Row = dict[str, Any]


def main() -> None:
    """Prints the tables of every file."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("repository", type=Path)
    folder = parser.parse_args().repository / "data" / "certify"
    for name, sigma, radii, targets, together in TABLES:
        rows = rows_of(folder / name)
        print(f"{name}: {published_table(rows, radii)}")
        q = [failure_of(row, sigma) for row in rows]
        for target in targets:
            print(f"  at {target}: {draws_at(target / sigma, q)}", flush=True)
        for asked in (together, (0.0, *together)) if together else ():
            print(f"  at {asked} on one stream: {draws_together([r / sigma for r in asked], q)}", flush=True)


def rows_of(path: Path) -> list[Row]:
    """The file's rows as our evidence has them."""
    return [
        {
            "sample": row.sample,
            "label": row.label,
            "candidate": row.predicted,
            "decision": ABSTAIN if row.predicted is None else CERTIFIED,
            "radius": str(row.radius),
        }
        for row in read_log(path, form=LogForm())
    ]


def published_table(rows: Sequence[Row], radii: Sequence[float]) -> str:
    """Certified accuracy at each radius, and the average certified radius."""
    points = ", ".join(f"{radius} {rate.estimate[:5]}" for radius, rate in curve(rows, radii, alpha=ALPHA))
    return f"{points}; average radius {average_certified_radius(rows)}"


def failure_of(row: Row, sigma: float) -> float:
    """Frequency of failures of which the published bound is the Clopper-Pearson bound."""
    return ABSTAINED if row["decision"] == ABSTAIN else _failure(float(row["radius"]) / sigma)


def draws_at(target: float, q: Sequence[float]) -> str:
    """Certified fraction and mean draws of each method, for a target in sigma and samples that fail with q."""
    q0 = float(ndtr(-target))
    critical = next(f for f in range(int(bdtrik(ALPHA, N, q0)) + 1, -2, -1) if f < 0 or bdtr(f, N, q0) <= ALPHA)
    fixed = float(np.mean([bdtr(critical, N, each) if critical >= 0 else 0.0 for each in q]))
    parts = [f"fixed {fixed:.4f}/{N}"]
    for name, each in (("mixture", _mixture(q0)), ("GS 100k", _plan(q0, N)), ("GS 200k", _plan(q0, 2 * N))):
        counts = Counter(q)
        found = {value: operating_characteristics(each, value) for value in counts}
        certified, draws = (sum(found[v][i] * c for v, c in counts.items()) / len(q) for i in (0, 2))
        parts.append(f"{name} {certified:.4f}/{draws:.0f} ({N / draws:.0f}x)")
    return ", ".join(parts)


def draws_together(targets: Sequence[float], q: Sequence[float]) -> str:
    """Certified fractions and mean draws of several targets, in sigma, on one stream of every sample, simulated."""
    at = looks(N, multiple=1)
    plans = [plan(float(ndtr(-target)), alpha=ALPHA, looks=at) for target in targets]
    generator = np.random.Generator(np.random.Philox(2026))
    steps, each = np.diff(at, prepend=0), np.repeat(q, REPETITIONS)
    paths = np.cumsum(generator.binomial(steps[None, :], each[:, None]), axis=1)
    found = [decide(plans, path) for path in paths.tolist()]
    certified = np.array([decision.certified for decision in found])
    draws = float(np.mean([at[decision.looks - 1] for decision in found]))
    fractions = ", ".join(f"{(certified > j).mean():.4f}" for j in range(len(targets)))
    return f"{fractions}; mean draws {draws:.0f} ({N / draws:.1f}x)"


@cache
def _failure(radius: float) -> float:
    """By bisection over counts, `radius` in sigma."""
    wanted, low, high = float(ndtr(-radius)), 0, N
    while low < high:
        middle = (low + high + 1) // 2
        fits = failure_upper_bound(middle, N, alpha=ALPHA) <= wanted
        low, high = (middle, high) if fits else (low, middle - 1)
    return low / N


def _plan(q0: float, n_max: int) -> GroupSequentialPlan:
    first = first_certifying_look(q0, alpha=ALPHA)
    return plan(q0, alpha=ALPHA, looks=looks(n_max, multiple=1, including=[first] if first else []))


def _mixture(q0: float) -> GroupSequentialPlan:
    """The anytime test at the looks of the plan of 100,000 draws, giving up where that plan does."""
    found = _plan(q0, N)
    certify_at = []
    for n in found.looks:
        failures = np.arange(int(n * q0) + 1)
        rejected = np.flatnonzero(log_e_value(failures, n, q0) >= -np.log(ALPHA))
        certify_at.append(int(rejected[-1]) if len(rejected) else -1)
    return GroupSequentialPlan(
        q0=q0,
        alpha=ALPHA,
        beta=found.beta,
        looks=found.looks,
        certify_at=tuple(certify_at),
        give_up_at=found.give_up_at,
    )


if __name__ == "__main__":
    main()
