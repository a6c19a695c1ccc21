"""How a certificate describes its certified half: method, sources, noise and parameters, from the specification alone.

Where a specification uses none of the options that came after certificate version 1, every word is as it was then.
"""

from __future__ import annotations

from robustcert.smoothing.certified_accuracy import GAMMA
from robustcert.smoothing.decisions import (
    ADAPTIVE_PILOT,
    FIXED_N,
    GROUP_SEQUENTIAL,
    LOOK_MULTIPLE,
    beta_of,
    candidate_stream,
    method_of,
    noise_of,
    tolerance_of,
)
from robustcert.smoothing.group_sequential import RATIO
from robustcert.smoothing.noise import Stream
from robustcert.specification import Certification
from robustcert.specification_certification import WHEN_ABSENT
from robustcert.specification_file import decimal

METHOD = "randomized-smoothing-{}"
COHEN = "Cohen, Rosenfeld, Kolter: Certified Adversarial Robustness via Randomized Smoothing, ICML 2019"
SOURCES = {
    GROUP_SEQUENTIAL: "Lan, DeMets: Discrete Sequential Boundaries for Clinical Trials, Biometrika 1983",
    ADAPTIVE_PILOT: "Clopper, Pearson: The Use of Confidence or Fiducial Limits, Biometrika 1934",
    "uniform": "Yang et al.: Randomized Smoothing of All Shapes and Sizes, ICML 2020",
    "laplace": "Teng, Lee, Yuan: l1 Adversarial Robustness Certificates: a Randomized Smoothing Approach, 2020",
}
NOISE = "Philox4x64-10, key (key0, sample id), {streams}, inverse {quantile}, rounded to the grid"
STREAMS = {
    Stream.SELECTION: "streams 0 selection and 2 estimation",
    Stream.PILOT: "streams 1 pilot and 2 estimation",
    None: "stream 2 estimation",
}
QUANTILES = {"gaussian": "normal", "uniform": "uniform", "laplace": "Laplace"}
# Parameters that certificates before these options do not name, and what they would have said.
LATER: dict[str, object] = {
    "noise_kind": WHEN_ABSENT["noise"],
    "candidate": WHEN_ABSENT["candidate"],
    "bounds": WHEN_ABSENT["bounds"],
    "beta": None,
    "tolerance": None,
    "look_multiple": None,
    "look_ratio": None,
}


def source_words(wanted: Certification) -> str:
    """The publications that the method follows, the first one that of randomized smoothing."""
    more = (SOURCES[name] for name in (method_of(wanted), noise_of(wanted).name) if name in SOURCES)
    return "; ".join([COHEN, *more])


def noise_words(wanted: Certification) -> str:
    """How the noise is made."""
    return NOISE.format(streams=STREAMS[candidate_stream(wanted)], quantile=QUANTILES[noise_of(wanted).name])


def certification_parameters(wanted: Certification) -> dict[str, object]:
    """The registered parameters of the certified half and the method's own constants, as the certificate has them."""
    method = method_of(wanted)
    sequential = method == GROUP_SEQUENTIAL
    return {
        "method": METHOD.format(method),
        "threat": noise_of(wanted).norm,
        "sigma": decimal(wanted.sigma),
        "unit": wanted.unit,
        "n0": wanted.n0 if candidate_stream(wanted) is Stream.SELECTION else 0,
        "n": wanted.n,
        "alpha": decimal(wanted.alpha),
        "radii": tuple(map(decimal, wanted.radii)),
        "simultaneous_gamma": decimal(GAMMA),
        "precision": wanted.precision or WHEN_ABSENT["precision"],
        "noise_kind": noise_of(wanted).name,
        "candidate": wanted.candidate or WHEN_ABSENT["candidate"],
        "bounds": wanted.bounds or WHEN_ABSENT["bounds"],
        "beta": decimal(beta_of(wanted)) if sequential else None,
        "tolerance": decimal(tolerance_of(wanted)) if method == ADAPTIVE_PILOT else None,
        "look_multiple": LOOK_MULTIPLE if sequential else None,
        "look_ratio": decimal(RATIO) if sequential else None,
    }


def drawn_words(wanted: Certification) -> str:
    """How many votes a sample gets, in a few words: `n 10000` where every sample gets n."""
    words = {
        FIXED_N: f"n {wanted.n}",
        GROUP_SEQUENTIAL: f"group-sequential, at most {wanted.n} votes",
        ADAPTIVE_PILOT: f"adaptive-pilot, at most {wanted.n} votes after the pilot's",
    }
    return words[method_of(wanted)]
