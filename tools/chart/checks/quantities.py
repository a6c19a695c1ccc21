"""Amounts of Kubernetes: they parse, a request is no more than its limit, and nobody asks for half a byte."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from tools.chart.checks.release import Check, Object, Release, Wrong, look, wrong

# Kubernetes, resource.Quantity: a signed number with a suffix of powers of two, of ten, or an exponent of ten.
FORM = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+|)")
SUFFIXES = {
    "": Fraction(1),
    **{letter: Fraction(10) ** (3 * power) for power, letter in enumerate("kMGTPE", start=1)},
    **{letter: Fraction(1, 10 ** (3 * power)) for power, letter in enumerate("mun", start=1)},
    **{f"{letter}i": Fraction(1024) ** power for power, letter in enumerate("KMGTPE", start=1)},
}
# What a person can mean by an amount of a resource: from 1m to 1024 cores, from 1 MiB to 64 TiB.
LIKELY = {
    "cpu": (Fraction(1, 1000), Fraction(1024)),
    "memory": (Fraction(1 << 20), Fraction(1 << 46)),
    "storage": (Fraction(1 << 20), Fraction(1 << 50)),
    "ephemeral-storage": (Fraction(1 << 20), Fraction(1 << 46)),
}


def amount(text: object) -> Fraction | None:
    """What a quantity is; None where it is none.

    >>> amount("500m"), amount("1.5Gi"), amount(2), amount("1e3"), amount("12 Mi"), amount("512MB")
    (Fraction(1, 2), Fraction(1610612736, 1), Fraction(2, 1), Fraction(1000, 1), None, None)
    """
    found = FORM.fullmatch(str(text)) if isinstance(text, str | int | float) and not isinstance(text, bool) else None
    if found is None:
        return None
    number, suffix = Fraction(found[1]), found[2]
    return number * (SUFFIXES[suffix] if suffix in SUFFIXES else Fraction(f"1{suffix}"))


def quantities_parse(release: Release) -> Iterator[Wrong]:
    """Every amount is one, is not negative, and is of a size that can be meant."""
    for item, path, resource, text in _amounts(release):
        least, most = LIKELY.get(resource, (Fraction(0), Fraction(1 << 60)))
        found = amount(text)
        if found is None:
            remedy = "write it as 500m, 2, 512Mi or 2Gi"
            yield wrong(item, path, "a quantity", got=repr(text), remedy=remedy)
        elif found and not least <= found <= most:
            what = f"{resource} between {float(least):g} and {float(most):g}"
            yield wrong(item, path, what, got=repr(text), remedy="mind the suffix: m is a thousandth, Mi is 2^20")


def requests_within_limits(release: Release) -> Iterator[Wrong]:
    """No container requests more than its limit."""
    for pod in release.pods:
        for path, container in pod.containers():
            limits = look(container, "resources.limits")
            for resource, asked in look(container, "resources.requests").items():
                least, most = amount(asked), amount(limits.get(resource))
                if least is not None and most is not None and least > most:
                    place, what = f"{path}.resources.requests.{resource}", f"at most the limit {limits[resource]}"
                    yield wrong(pod.owner, place, what, got=asked, remedy="lower it, or raise the limit")


def _amounts(release: Release) -> Iterator[tuple[Object, str, str, Any]]:
    """Object, path, resource and text of every quantity of pods and claims."""
    for pod in release.pods:
        for path, container in pod.containers():
            for part in ("requests", "limits"):
                for resource, text in look(container, f"resources.{part}").items():
                    yield pod.owner, f"{path}.resources.{part}.{resource}", resource, text
        for path, volume in pod.volumes():
            if (limit := look(volume, "emptyDir").get("sizeLimit")) is not None:
                yield pod.owner, f"{path}.emptyDir.sizeLimit", "storage", limit
    for item in release.of("PersistentVolumeClaim"):
        path = "spec.resources.requests"
        yield from ((item, f"{path}.{resource}", resource, text) for resource, text in look(item, path).items())


QUANTITIES: tuple[Check, ...] = (quantities_parse, requests_within_limits)
