"""Bounds that hold at every moment of an open-ended run: stop, look, or be interrupted whenever you like.

For the null hypothesis q >= q0 the votes' likelihood ratio is mixed over Beta(1/2, 1/2) truncated to q < q0. Of each
draw, the ratio's expectation is at most 1 under the null, so the mixture is a nonnegative supermartingale, and by
Ville (1939) it ever reaches 1 / alpha with probability at most alpha. Prior truncated so that nothing is wasted on the
other side (compare Robbins 1970; Waudby-Smith and Ramdas 2024). In failures, accurate for q near 0, and without
overflow for 1e8 draws and more. Torch-free.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betainc, expit, gammaln, logit

from robustcert.errors import InputError, expected

LOG_SLACK = 1e-6  # more than float64 errs in log E: the bounds are on the weak side of it
LARGEST_ALPHA = 1 / math.e
BISECTIONS = 80
STIRLING_FROM = 16.0
SMALLEST_LOGIT = -700.0

Floats = NDArray[np.float64]


def log_e_value(failures: ArrayLike, draws: ArrayLike, q0: ArrayLike) -> Floats:
    """log E against q >= q0 after `draws` draws; reject where it reaches log(1 / alpha), at any time at all.

    Arrays broadcast. It is at most 0 where failures / draws >= q0, and -inf where that is beyond float64.

    >>> round(float(log_e_value(5, 100, 1 - 0.8)), 8)
    8.07654475
    """
    F, n, q = np.broadcast_arrays(*(np.asarray(part, dtype=np.float64) for part in (failures, draws, q0)))
    _require_counts(F, n)
    if not np.all((q > 0) & (q < 1)):
        raise InputError(expected("0 < q0 < 1", got=q0, remedy="ask about a failure probability"))
    with np.errstate(divide="ignore"):
        posterior = np.log(betainc(F + 0.5, n - F + 0.5, q))
    return np.asarray(_log_evidence(F, n, q) + posterior - np.log(2 * np.arcsin(np.sqrt(q))))


def failure_upper_bound(failures: ArrayLike, draws: ArrayLike, *, alpha: float) -> Floats:
    """Upper bounds of the failure probability; at all draws of a stream at once they fail with at most `alpha`.

    The largest q0 that is not rejected. log E grows with q0 from where n q0 = F + 1/2, before which E < e: one
    crossing, found by bisection of the logit. 1 where every draw failed.
    """
    if not 0 < alpha < LARGEST_ALPHA:
        raise InputError(expected("0 < alpha < 1/e", got=alpha, remedy="give a smaller failure probability"))
    F, n = np.broadcast_arrays(*(np.asarray(part, dtype=np.float64) for part in (failures, draws)))
    _require_counts(F, n)
    limit = math.log(1 / alpha) + LOG_SLACK
    low = np.where(F == 0, SMALLEST_LOGIT, logit(np.clip(F / np.maximum(n, 1), 1e-300, 1 - 2.0**-53)))
    high = np.full(low.shape, -logit(2.0**-53))
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        rejected = log_e_value(F, n, expit(middle)) >= limit
        low, high = np.where(rejected, low, middle), np.where(rejected, middle, high)
    return np.where(log_e_value(F, n, expit(high)) >= limit, expit(high), 1.0)


def running_failure_upper_bound(failures_N: ArrayLike, draws_N: ArrayLike, *, alpha: float) -> Floats:
    """Smallest bound so far, for cumulative failures and ascending draws of one stream: no price for looking again."""
    return np.asarray(np.minimum.accumulate(failure_upper_bound(failures_N, draws_N, alpha=alpha)))


def _log_evidence(F: Floats, n: Floats, q: Floats) -> Floats:
    """ln B(n - F + 1/2, F + 1/2) - (n - F) ln(1 - q) - F ln q, by Stirling, where the large terms cancel exactly."""
    a, b, s = n - F + 0.5, F + 0.5, n + 1
    excess = b - s * q
    likelihoods = (n - F) * np.log1p(-excess / (s * (1 - q))) + F * np.log1p(excess / (s * q))
    corrections = _stirling_error(a) + _stirling_error(b) - _stirling_error(s)
    return np.asarray(likelihoods + 0.5 * np.log(2 * np.pi / s) + corrections)


def _stirling_error(x: Floats) -> Floats:
    """ln Gamma(x) - (x - 1/2) ln x + x - ln(2 pi) / 2, to 1e-13."""
    small, large = np.minimum(x, STIRLING_FROM), np.maximum(x, STIRLING_FROM)
    exact = gammaln(small) - (small - 0.5) * np.log(small) + small - 0.5 * math.log(2 * math.pi)
    w = 1 / (large * large)
    series = (1 / 12 - w * (1 / 360 - w * (1 / 1260 - w * (1 / 1680 - w / 1188)))) / large
    return np.asarray(np.where(x < STIRLING_FROM, exact, series))


def _require_counts(F: Floats, n: Floats) -> None:
    if not np.all((F >= 0) & (n >= F) & np.isfinite(n)):
        raise InputError(expected("0 <= failures <= draws", got="others", remedy="count every draw once"))
