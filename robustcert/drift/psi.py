"""Population stability index, with a threshold that knows both sample sizes.

PSI = sum over groups of (p - q) ln(p / q), the symmetric divergence of Jeffreys (1946). While nothing drifts it is
asymptotically (1/n + 1/m) times chi-square with (groups - 1) degrees of freedom: B. Yurdakul and J. Naranjo, Journal of
Risk Model Validation 14 (2020). The customary 0.1 and 0.25 ignore both: in small windows they fire on nothing.
"""

from __future__ import annotations

import numpy as np

from robustcert.drift.effect_size import score_of_shift, shift_of_chi_square
from robustcert.drift.grouping import Counts
from robustcert.drift.thresholds import ChiSquareLaw, Measurement

CONTINUITY = 0.5  # added to every count: a group that one sample lacks would make the index infinite


def psi_measurement(a_G: Counts, b_G: Counts) -> Measurement:
    """Score: PSI of reference counts `a_G` and window counts `b_G`; effect: the equivalent shift of a normal column."""
    n, m = int(a_G.sum()), int(b_G.sum())
    law = psi_law(n, m, bins=len(a_G))
    score = psi(a_G, b_G)
    return Measurement(
        score=score,
        law=law,
        effect=shift_of_chi_square(score, law, n=n, m=m),
        effect_name="equivalent_shift",
        score_of_effect=lambda effect: score_of_shift(effect, law, n=n, m=m),
        n=n,
        m=m,
    )


def psi(a_G: Counts, b_G: Counts, *, continuity: float = CONTINUITY) -> float:
    """Of shares (count + continuity) / (total + groups * continuity), in nats.

    >>> round(psi(np.array([50, 50]), np.array([75, 25]), continuity=0.0), 4)
    0.2747
    """
    p_G, q_G = ((x_G + continuity) / (x_G.sum() + continuity * len(x_G)) for x_G in (a_G, b_G))
    return float(((p_G - q_G) * np.log(p_G / q_G)).sum())


def psi_law(n: int, m: int, *, bins: int) -> ChiSquareLaw:
    """Of clean scores of n and m rows: (1/n + 1/m) times chi-square with `bins` - 1 degrees of freedom.

    >>> round(psi_law(200, 200, bins=10).threshold(0.001), 3)
    0.279
    """
    return ChiSquareLaw(scale=1 / n + 1 / m, degrees=bins - 1)
