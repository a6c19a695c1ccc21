"""Time of exact verdicts on 64-ReLU digits networks: `python -m tests.bounds.exact_digits [SAMPLES]`, 200 by default.

The network of CERTIFICATION 2.4: 64-32-32-10, trained against PGD at linf 0.1, and the same trained plainly.
"""

from __future__ import annotations

import sys
import time
from collections import Counter

import numpy as np

from robustcert.bounds.pipeline import ProofConfig, Prover
from robustcert.bounds.proof_threat import ProofThreat
from tests.bounds.digits_nets import digits_body, digits_dataset, loaded

LIMIT = 30.0
WIDTH = 32


def seconds_per_sample(*, trained_at: float, epsilon: str, samples: int) -> tuple[list[float], Counter[str]]:
    """Seconds that each sample's verdict took, and how often each verdict and stage came."""
    dataset = digits_dataset(samples=samples)
    model = loaded(digits_body(width=WIDTH, epsilon=trained_at), hidden=(WIDTH, WIDTH))
    threat = ProofThreat.of(dataset, norm="linf", epsilon=epsilon, unit="input")
    prover, test = Prover(model, threat, ProofConfig(time_limit=LIMIT)), dataset.select("test")
    found, times = Counter[str](), []
    for sample in test.sample_ids:
        start = time.perf_counter()
        (verdict,) = prover.verdicts(test.rows([sample]))
        times.append(time.perf_counter() - start)
        found[f"{verdict.verdict} by {verdict.stage or verdict.reason}"] += 1
    return times, found


def main() -> None:
    """Prints mean and largest time for both networks."""
    samples = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    for trained_at, epsilon in ((0.1, "0.1"), (0.0, "0.06"), (0.1, "0.2")):
        times, found = seconds_per_sample(trained_at=trained_at, epsilon=epsilon, samples=samples)
        summary = ", ".join(f"{name} {count}" for name, count in sorted(found.items()))
        sys.stdout.write(
            f"64-32-32-10 trained at {trained_at}, epsilon {epsilon}, {samples} samples: "
            f"mean {np.mean(times):.3f} s, largest {np.max(times):.2f} s; {summary}\n"
        )


if __name__ == "__main__":
    main()
