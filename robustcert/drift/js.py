"""Jensen-Shannon divergence, with a threshold that knows both sample sizes.

JS = (KL(p || r) + KL(q || r)) / 2 with r = (p + q) / 2, in nats: 0 to ln 2 (J. Lin, IEEE Transactions on Information
Theory 37 (1991) 145-151). Where p and q are shares of n and m rows of one distribution c, expanding the logarithms
gives JS = sum (p - q)^2 / (8 c) + smaller terms, and sum (p - q)^2 / c is (1/n + 1/m) times chi-square with groups - 1
degrees of freedom. So 8 n m / (n + m) JS is that chi-square; I. Grosse et al., Physical Review E 65 (2002) 041905, have
the same of the weighted divergence.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

from robustcert.drift.effect_size import score_of_shift, shift_of_chi_square
from robustcert.drift.grouping import Counts
from robustcert.drift.thresholds import ChiSquareLaw, Measurement


def js_measurement(a_G: Counts, b_G: Counts) -> Measurement:
    """Score: JS of reference counts `a_G` and window counts `b_G`; effect: the equivalent shift of a normal column."""
    n, m = int(a_G.sum()), int(b_G.sum())
    law = js_law(n, m, bins=len(a_G))
    score = js_divergence(a_G, b_G)
    return Measurement(
        score=score,
        law=law,
        effect=shift_of_chi_square(score, law, n=n, m=m),
        effect_name="equivalent_shift",
        score_of_effect=lambda effect: score_of_shift(effect, law, n=n, m=m),
        n=n,
        m=m,
    )


def js_divergence(a_G: Counts, b_G: Counts) -> float:
    """In nats; its root is a distance (the one of scipy.spatial.distance.jensenshannon).

    >>> round(js_divergence(np.array([10, 0]), np.array([0, 3])), 4)
    0.6931
    """
    p_G, q_G = a_G / a_G.sum(), b_G / b_G.sum()
    middle_G = (p_G + q_G) / 2
    return max(0.0, (_relative(p_G, middle_G) + _relative(q_G, middle_G)) / 2)


def js_law(n: int, m: int, *, bins: int) -> ChiSquareLaw:
    """Of clean scores of n and m rows: (1/n + 1/m) / 8 times chi-square with `bins` - 1 degrees of freedom.

    >>> round(js_law(200, 200, bins=10).threshold(0.001), 4)
    0.0348
    """
    return ChiSquareLaw(scale=(1 / n + 1 / m) / 8, degrees=bins - 1)


def _relative(p_G: NDArray[np.float64], middle_G: NDArray[np.float64]) -> float:
    held_G = middle_G > 0
    return float(xlogy(p_G[held_G], p_G[held_G] / middle_G[held_G]).sum())
