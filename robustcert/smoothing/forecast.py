"""How long a certification takes: at most, and as far as can be told. No torch here.

The method bounds the draws of a sample; how many it takes depends on the votes. Before any are counted, the mean over
TYPICAL_FAILURES stands in; after that, the mean over the samples that are done. Both are estimates, and said to be.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from datetime import timedelta
from time import monotonic

from robustcert.smoothing.adaptive_pilot import LARGEST_PILOT
from robustcert.smoothing.decisions import (
    ADAPTIVE_PILOT,
    GROUP_SEQUENTIAL,
    candidate_stream,
    method_of,
    pilot_step,
    plans_of,
)
from robustcert.smoothing.group_sequential import operating_characteristics
from robustcert.specification import Certification

TYPICAL_FAILURES = (0.6, 0.4, 0.2, 0.1, 0.03, 0.01, 0.001, 0.0)
FEWEST_SAMPLES = 3  # done, before their mean is told
HOUR, MINUTE = 3600, 60


def most_draws(certification: Certification) -> int:
    """Draws that one sample can take."""
    if method_of(certification) == ADAPTIVE_PILOT:
        return _largest_pilot(certification) + certification.n
    return (certification.n0 if candidate_stream(certification) is not None else 0) + certification.n


def typical_draws(certification: Certification) -> int:
    """Draws that one sample is expected to take, before anything is known: their mean over TYPICAL_FAILURES."""
    method, n0 = method_of(certification), certification.n0 if candidate_stream(certification) is not None else 0
    if method == GROUP_SEQUENTIAL:
        plans = plans_of(certification)
        found = [max(operating_characteristics(plan, q)[2] for plan in plans) for q in TYPICAL_FAILURES]
        return n0 + round(statistics.mean(found))
    if method == ADAPTIVE_PILOT:
        return round(statistics.mean(_pilot_and_main(certification, q) for q in TYPICAL_FAILURES))
    return n0 + certification.n


class Forecast:
    """Time left of `samples` samples, told from those done so far; `clock` in seconds."""

    def __init__(self, certification: Certification, *, samples: int, clock: Callable[[], float] = monotonic) -> None:
        self._most, self._left, self._clock = most_draws(certification), samples, clock
        self._typical = typical_draws(certification)
        self._draws = self._samples = 0
        self._started = clock()

    def reused(self, samples: int) -> None:
        """Some were done before: they are not to be waited for, and say nothing of the rate."""
        self._left -= samples

    def done(self, samples: int, *, draws: int) -> None:
        """Some are done, with so many draws."""
        self._left -= samples
        self._samples += samples
        self._draws += draws

    def text(self) -> str:
        """What is left: an estimate and a bound; nothing when all is done, or before a rate was measured."""
        if not self._left or not self._draws:
            return ""
        rate = self._draws / max(1e-9, self._clock() - self._started)
        seen = self._samples >= FEWEST_SAMPLES
        mean, source = (self._draws / self._samples, "so far") if seen else (self._typical, "expected")
        about, most = (_duration(self._left * draws / rate) for draws in (mean, self._most))
        return f"about {about} left, at most {most} ({mean:,.0f} draws a sample {source}, at most {self._most:,})"


def _largest_pilot(certification: Certification) -> int:
    size = pilot_step(None, 0, certification).more
    while size < min(LARGEST_PILOT, certification.n / 10):
        size = -(-3 * size // 2)
    return size


def _pilot_and_main(certification: Certification, q: float) -> int:
    """Draws where every step of the pilot has the failures that are to be expected."""
    drawn, step = 0, pilot_step(None, 0, certification)
    while step.more:
        drawn += step.more
        step = pilot_step(round(q * drawn), drawn, certification)
    return drawn + step.n


def _duration(seconds: float) -> str:
    """Two figures of it: seconds below a minute, else hours and minutes.

    >>> _duration(42.3), _duration(4000)
    ('43 s', '1:07 h')
    """
    if seconds < MINUTE:
        return f"{int(seconds) + 1} s"
    minutes = timedelta(seconds=seconds) // timedelta(minutes=1) + 1
    return f"{minutes} min" if minutes < MINUTE else f"{minutes // MINUTE}:{minutes % MINUTE:02} h"
