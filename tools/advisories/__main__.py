"""Scans what we lock and ship for components that are known to be bad; nothing is asked of a network.

    python -m tools.advisories [--database FOLDER] [--sbom FILE] [--lock FILE]

Advisories come from tools/advisories/known, and from a folder, file or zip archive in OSV's format that was downloaded
before (--database; SECURITY.md says where from). They are held against the lock files and every bill of materials that
is given. Prints one line for each finding. Exit status: 0 none, 1 findings, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from robustcert.errors import RobustcertError
from robustcert.provenance.advisories import Advisories, load_advisories
from tools.advisories.components import Component, listed, pinned

ROOT = Path(__file__).parents[2]
KNOWN = Path(__file__).parent / "known"
LOCKS = ("constraints.txt", "constraints-build.txt", "constraints-cpu.txt")


def findings(components: Sequence[Component], advisories: Advisories) -> list[str]:
    """One line for each component that an advisory names, sorted."""
    return sorted(
        f"{component.source}: {bad}"
        for component in components
        for bad in advisories.of(component.package, component.version)
    )


def scan(*, locks: Sequence[Path], bills: Sequence[Path], databases: Sequence[Path]) -> int:
    """Prints what is found and how much was compared; the exit status."""
    advisories = load_advisories([KNOWN, *databases])
    components = [part for lock in locks for part in pinned(lock)] + [part for bill in bills for part in listed(bill)]
    found = findings(components, advisories)
    for line in found:
        print(line)
    print(f"{len(components)} components, {len(advisories)} advisories, {len(found)} findings")
    return 1 if found else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tools.advisories", description="Scans components by advisories.")
    parser.add_argument("--database", type=Path, action="append", default=[], help="advisories in OSV's format")
    parser.add_argument("--sbom", type=Path, action="append", default=[], help="bill of materials in CycloneDX JSON")
    parser.add_argument("--lock", type=Path, action="append", help="file of pins; the checkout's where absent")
    given = parser.parse_args(arguments)
    try:
        locks = given.lock or [ROOT / name for name in LOCKS]
        return scan(locks=locks, bills=given.sbom, databases=given.database)
    except RobustcertError as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
