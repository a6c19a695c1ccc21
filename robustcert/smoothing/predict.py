"""The smoothed classifier's answer for one input, or none: Cohen, Rosenfeld and Kolter (2019), Algorithm 1, PREDICT.

`n` noisy votes; the class of most of them is the answer where an exact two-sided binomial test of its votes against
those of the next class has p <= alpha, else there is no answer. For an input that was chosen without knowledge of the
noise, the answer is another class than the exact smoothed classifier's with probability at most alpha. Fragile votes
(`robustcert.smoothing.votes`) count for the next class: the weaker side. A radius comes from votes of another stream,
so that choosing the class and bounding its probability stay independent.

Who knows the key knows the noise, and can search for an input whose votes mislead. A program that answers others
therefore draws a key of its own (`secret_key0`), unlike a certification, whose key anyone must be able to derive.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr

from robustcert.data.digests import sample_sha256
from robustcert.errors import InputError, expected
from robustcert.smoothing.confidence import certified_radius
from robustcert.smoothing.noise import Stream
from robustcert.smoothing.noise_kinds import KINDS

if TYPE_CHECKING:
    from torch import nn

    from robustcert.models.precision import Precision
    from robustcert.smoothing.votes import GridNoise, Votes

ID_DIGITS = 16  # hexadecimal digits of an input's SHA-256 that are its sample id: 64 bits
FAIR = 0.5


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """`label` is None where it abstains. `p_value` of the test; `share` of the votes that the top class got, 0 to 1.

    `radius`: in the norm of the noise's kind and the unit of sigma, rounded down, right with probability 1 - alpha;
    None without an answer or a bound.
    """

    label: int | None
    p_value: float
    share: float
    radius: str | None


@dataclass(frozen=True, kw_only=True)
class PredictSettings:
    """`sigma` in the certificate's unit; `n` votes decide, `radius_n` others bound a radius (0: none is given).

    `precision` is the certificate's: bfloat16 votes are those of another base classifier.
    """

    sigma: float
    alpha: float
    n: int = 1000
    radius_n: int = 1000
    precision: Precision = "float32"

    def __post_init__(self) -> None:
        if not (self.sigma > 0 and 0 < self.alpha < FAIR and self.n > 0 and self.radius_n >= 0):
            what = "sigma > 0, 0 < alpha < 1/2, n > 0 and radius_n >= 0"
            raise InputError(expected(what, got=self, remedy="correct them"))


def predict(
    module: nn.Module, x_int: NDArray[np.int32], *, noise: GridNoise, settings: PredictSettings, n_classes: int
) -> Prediction:
    """Answer for the grid point x_int (*shape); its noise follows from the key and the input alone.

    Raises: ModelError as `count_votes`.
    """
    from robustcert.smoothing.votes import count_votes

    def votes(stream: Stream, draws: int) -> Votes:
        return count_votes(
            module,
            x_int,
            noise=noise,
            sample_id=int(sample_sha256(x_int)[:ID_DIGITS], 16),
            stream=stream,
            draws=draws,
            n_classes=n_classes,
            precision=settings.precision,
        )

    selection = votes(Stream.SELECTION, settings.n)
    label, p_value = decide(selection.counts, selection.fragile, alpha=settings.alpha)
    radius = None
    if label is not None and settings.radius_n:
        counts = votes(Stream.ESTIMATION, settings.radius_n).counts
        radius = certified_radius(
            counts[label], settings.radius_n, alpha=settings.alpha, sigma=settings.sigma, kind=KINDS[noise.kind]
        )
    share = max(selection.counts) / selection.draws
    return Prediction(label=label, p_value=p_value, share=share, radius=radius)


def decide(counts: tuple[int, ...], fragile: int, *, alpha: float) -> tuple[int | None, float]:
    """The class of most votes, None where it abstains, and the p-value of the test.

    >>> decide((60, 40), 0, alpha=0.001)[0] is None
    True
    >>> decide((90, 10), 0, alpha=0.001)[0]
    0
    """
    label = int(np.argmax(counts))
    others = sorted((*counts[:label], *counts[label + 1 :]))
    p_value = two_sided_p(counts[label], others[-1] + fragile)
    return (label if p_value <= alpha and counts[label] > others[-1] + fragile else None), p_value


def two_sided_p(first: int, second: int) -> float:
    """p-value of the exact test that both of two counts are equally likely; 1 where there are none.

    >>> two_sided_p(10, 0)
    0.001953125
    """
    fewer, total = min(first, second), first + second
    return min(1.0, 2 * float(bdtr(fewer, total, FAIR))) if total else 1.0


def secret_key0() -> int:
    """A key of 64 bits from the operating system's randomness, for noise that nobody else can foresee."""
    return secrets.randbits(64)
