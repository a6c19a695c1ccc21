"""How often certificates claim too much, by simulation, against the alpha that they promise.

    OMP_NUM_THREADS=1 python benchmarks/type_one_error.py --paths 1000000 --margins 20000 --pilots 400000

Votes are drawn as binomials. Paths: at p = p0, the worst case of each target, how many paths ever certify, with nobody
giving up. Margins: linear classifiers of known margin m, where pA = Phi(m / sigma) and m is the true radius, half of
them just below a target; a radius above m is false. Pilots: how often the bound that an adaptive pilot ends with is
above p. tests/benchmarks/test_type_one_error.py runs a small version.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from robustcert.smoothing.adaptive_pilot import pilot_draws
from robustcert.smoothing.confidence import certified_radius, failure_upper_bound
from robustcert.smoothing.group_sequential import GroupSequentialPlan, decide, looks, plan, type_one_error

TARGETS = (0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0)
ALPHAS = (1e-2, 1e-3, 1e-4)
CHUNK = 100_000
SEED = 20260101
DEVIATIONS = 4

Counts = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Found:
    """`false` of `of` claimed too much; `expected`: the exact probability, or the level that was promised."""

    what: str
    false: int
    of: int
    expected: float
    exact: bool

    @property
    def deviations(self) -> float:
        """How many standard deviations the rate lies above what was expected."""
        return (self.false / self.of - self.expected) / math.sqrt(self.expected * (1 - self.expected) / self.of)

    @property
    def fine(self) -> bool:
        """Within 4 standard deviations of an exact probability, or at most 4 above a promised level."""
        return self.deviations <= DEVIATIONS and (not self.exact or self.deviations >= -DEVIATIONS)

    def __str__(self) -> str:
        rate = f"{self.false} of {self.of} ({self.false / self.of:.3g})"
        return f"{self.what:52} {rate:28} for {self.expected:.6g}: {self.deviations:+.2f} sd"


def main() -> None:
    """Prints one line for each simulation; exits with 1 where one of them is off."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for name, size in (("paths", 1_000_000), ("margins", 20_000), ("pilots", 400_000)):
        parser.add_argument(f"--{name}", type=int, default=size)
    given = parser.parse_args()
    failed = 0
    for found in simulations(paths=given.paths, margins=given.margins, pilots=given.pilots):
        print(found, flush=True)
        failed += not found.fine
    raise SystemExit(1 if failed else 0)


def simulations(*, paths: int, margins: int, pilots: int, n_max: int = 100_000) -> Iterator[Found]:
    """All of them, with a fixed seed."""
    generator = np.random.Generator(np.random.Philox(SEED))
    for target in TARGETS:
        yield from crossing_paths(target, paths=paths, n_max=n_max, generator=generator)
    for method in (fixed_n_radii, group_sequential_radii, adaptive_pilot_radii):
        yield false_radii(method, margins=margins, n_max=n_max, generator=generator)
    for p in (0.5, 0.55, 0.9, 0.99):
        yield false_bounds(p, pilots=pilots, n_max=n_max, generator=generator)


def crossing_paths(target: float, *, paths: int, n_max: int, generator: np.random.Generator) -> Iterator[Found]:
    """Paths at p = p0 that ever certify `target` (in sigma), for each alpha on the same paths."""
    q0, at = float(ndtr(-target)), looks(n_max, multiple=1)
    plans = [plan(q0, alpha=alpha, looks=at) for alpha in ALPHAS]
    false = sum(
        crossed(plans, q0, paths=min(CHUNK, paths - start), generator=generator) for start in range(0, paths, CHUNK)
    )
    for each, count in zip(plans, np.asarray(false).tolist(), strict=True):
        what = f"paths at p0, radius {target} sigma, alpha {each.alpha}"
        yield Found(what=what, false=count, of=paths, expected=type_one_error(each), exact=True)


def crossed(plans: Sequence[GroupSequentialPlan], q: float, *, paths: int, generator: np.random.Generator) -> Counts:
    """How many of `paths` paths of failure probability `q` each plan ever certifies."""
    failures, ever, drawn = np.zeros(paths, dtype=np.int64), np.zeros((len(plans), paths), dtype=bool), 0
    for k, n in enumerate(plans[0].looks):
        failures += generator.binomial(n - drawn, q, paths)
        for row, each in zip(ever, plans, strict=True):
            row |= failures <= each.certify_at[k]
        drawn = n
    return np.asarray(ever.sum(axis=1), dtype=np.int64)


Radii = Callable[[NDArray[np.float64], int, float, np.random.Generator], list[float]]


def false_radii(method: Radii, *, margins: int, n_max: int, generator: np.random.Generator) -> Found:
    """Radii above the margin, in units of sigma: half of the margins anywhere, half where they tempt most."""
    alpha = ALPHAS[1]
    anywhere = generator.uniform(0, 3, margins - margins // 2)
    m = np.concatenate([anywhere, generator.choice(TARGETS, margins // 2) - 1e-9])
    radii = method(ndtr(-m), n_max, alpha, generator)
    false = sum(radius > margin for radius, margin in zip(radii, m.tolist(), strict=True))
    what = f"{method.__name__.removesuffix('_radii').replace('_', ' ')}, {margins} linear margins"
    return Found(what=what, false=false, of=margins, expected=alpha, exact=False)


def fixed_n_radii(q: NDArray[np.float64], n: int, alpha: float, generator: np.random.Generator) -> list[float]:
    """One radius for each failure probability, all from n votes; -inf for an abstention, as below."""
    failures = generator.binomial(n, q)
    return [float(certified_radius(n - int(count), n, alpha=alpha, sigma=1.0) or -math.inf) for count in failures]


def group_sequential_radii(q: NDArray[np.float64], n: int, alpha: float, generator: np.random.Generator) -> list[float]:
    """The largest certified target."""
    at = looks(n)
    plans = [plan(float(ndtr(-target)), alpha=alpha, looks=at) for target in TARGETS]
    steps = np.diff(at, prepend=0)
    paths = np.cumsum(generator.binomial(steps[None, :], q[:, None]), axis=1)
    certified = [decide(plans, path).certified for path in paths.tolist()]
    return [TARGETS[count - 1] if count else -math.inf for count in certified]


def adaptive_pilot_radii(q: NDArray[np.float64], n: int, alpha: float, generator: np.random.Generator) -> list[float]:
    """Radii of the main samples that the pilots planned."""
    planned = main_sizes(q, n_max=n, alpha=alpha, generator=generator)
    failures = generator.binomial(planned, q)
    return [
        float(certified_radius(size - count, size, alpha=alpha, sigma=1.0) or -math.inf) if size else -math.inf
        for size, count in zip(planned.tolist(), failures.tolist(), strict=True)
    ]


def false_bounds(p: float, *, pilots: int, n_max: int, generator: np.random.Generator) -> Found:
    """Lower bounds above `p` at the end of adaptive pilots; a run that abstains claims nothing."""
    alpha = ALPHAS[1]
    planned = main_sizes(np.full(pilots, 1 - p), n_max=n_max, alpha=alpha, generator=generator)
    failures = generator.binomial(planned, 1 - p)
    pairs, counts = np.unique(np.stack([planned, failures]), axis=1, return_counts=True)
    false = sum(
        count
        for (size, failed), count in zip(pairs.T.tolist(), counts.tolist(), strict=True)
        if size and failure_upper_bound(failed, size, alpha=alpha) < 1 - p
    )
    return Found(what=f"adaptive pilots at p = {p}", false=false, of=pilots, expected=alpha, exact=False)


def main_sizes(q: NDArray[np.float64], *, n_max: int, alpha: float, generator: np.random.Generator) -> Counts:
    """Sizes of the main samples that pilots of these failure probabilities plan, each drawn by its own steps."""
    drawn, failures, planned = (np.zeros(len(q), dtype=np.int64) for _ in range(3))
    going = np.arange(len(q))
    while len(going):
        states, which = np.unique(np.stack([drawn[going], failures[going]]), axis=1, return_inverse=True)
        steps = [pilot_draws(f, n, alpha=alpha, n_max=n_max) for n, f in states.T.tolist()]
        more = np.array([step.more for step in steps])[which.ravel()]
        planned[going] = np.array([step.n for step in steps])[which.ravel()]
        failures[going] += generator.binomial(more, q[going])
        drawn[going] += more
        going = going[more > 0]
    return planned


if __name__ == "__main__":
    main()
