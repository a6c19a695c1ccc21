"""Verification's question about the components that computed a certificate: is one of them known to be bad?

It is asked where the verifier gives advisories. A certificate names the versions of what its numbers depend on
(`robustcert.provenance.environment.PACKAGES`), not all that was installed; the finding says how many were compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from robustcert.certificate.case import Case, Finding, established, require
from robustcert.provenance.advisories import Advisories

CHECK = "components"
ABSENT = {"not installed", "none"}


def none_of(advisories: Advisories) -> Callable[[Case], Finding]:
    """A check that refuses a certificate whose environment has a component that one of `advisories` names.

    InputError, and so refused too, where a component that advisories name has a version that can't be compared.
    """

    def components(case: Case) -> Finding:
        recorded = list(recorded_components(case.predicate.environment))
        known = [bad for package, version in recorded for bad in advisories.of(package, version)]
        require(not known, "; ".join(map(str, known)))
        message = f"none of {len(recorded)} recorded components is named by one of {len(advisories)} advisories"
        return established(CHECK, message)

    return components


def recorded_components(environment: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Package and version of everything that an environment names; several versions where machines differed.

    >>> list(recorded_components({"packages": {"torch": "2.5.1+cpu | 2.6.0", "kfp": "not installed"}}))
    [('torch', '2.5.1+cpu'), ('torch', '2.6.0')]
    """
    packages = environment.get("packages")
    named = {"robustcert": environment.get("robustcert"), **(packages if isinstance(packages, Mapping) else {})}
    for package, versions in named.items():
        for version in str(versions).split(" | "):
            if versions is not None and version not in ABSENT:
                yield str(package), version
