"""Many columns tested at once, at one error rate for all of them.

Holm, Scandinavian Journal of Statistics 6 (1979) 65-70: any false alarm at all has probability at most alpha, however
the columns depend on each other. Benjamini and Hochberg, Journal of the Royal Statistical Society B 57 (1995) 289-300:
of the columns called drifted, at most the part alpha is wrong on average, for independent or positively dependent ones.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from robustcert.errors import InputError, expected

Correction = Literal["holm", "bh"]


def adjusted_p_values(p_values: ArrayLike, *, correction: Correction) -> NDArray[np.float64]:
    """One for each of `p_values`, in their order: the smallest alpha at which the procedure rejects it.

    >>> adjusted_p_values([0.01, 0.04, 0.03], correction="holm").round(9).tolist()
    [0.03, 0.06, 0.06]
    >>> adjusted_p_values([0.01, 0.04, 0.03], correction="bh").round(9).tolist()
    [0.03, 0.04, 0.04]
    """
    given_K = np.asarray(p_values, dtype=np.float64)
    order_K = np.argsort(given_K, kind="stable")
    ranked_K, rank_K = given_K[order_K], np.arange(1, len(given_K) + 1)
    if _known(correction) == "holm":
        stepped_K = np.maximum.accumulate(ranked_K * (len(given_K) + 1 - rank_K))
    else:
        stepped_K = np.minimum.accumulate((ranked_K * len(given_K) / rank_K)[::-1])[::-1]
    adjusted_K = np.empty_like(stepped_K)
    adjusted_K[order_K] = np.minimum(1.0, stepped_K)
    return adjusted_K


def level(p_values: ArrayLike, *, alpha: float, correction: Correction) -> float:
    """The one level at which plain comparison rejects the same of `p_values` as the procedure does at `alpha`.

    Holm, having rejected r of k, has compared the next one with alpha / (k - r); Benjamini and Hochberg's last one
    rejected was compared with alpha r / k. A threshold can be computed from it.
    """
    given_K = np.asarray(p_values, dtype=np.float64)
    rejected = int((adjusted_p_values(given_K, correction=correction) <= alpha).sum())
    if correction == "holm":
        return alpha / max(1, len(given_K) - rejected)
    return alpha * max(1, rejected) / max(1, len(given_K))


def _known(correction: str) -> str:
    if correction not in get_args(Correction):
        raise InputError(expected("'holm' or 'bh'", got=repr(correction), remedy="choose one of them"))
    return correction
