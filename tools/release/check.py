"""What a user runs before using a release: are these the files that were released, and by whom?

    python -m tools.release.check FOLDER [--key release.pub]

Compares every file of FOLDER with SHA256SUMS; with the release's public key also the signed statement with the files.
Exit status: 0 they are, 1 refused with the reason, 2 wrong usage.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from robustcert.certificate.keys import load_verification_key
from robustcert.errors import ClaimError, RobustcertError
from tools.release import checksums, provenance
from tools.release.arguments import Parser


def check(folder: Path, *, key: Path | None) -> list[str]:
    """What was found to hold, a line each; VerificationError with the first thing that does not."""
    sums = checksums.read(folder / checksums.FILE)
    checksums.require(folder, sums, besides=(provenance.SIGNED, provenance.UNSIGNED))
    lines = [f"{len(sums)} files are as {checksums.FILE} says"]
    if key is None:
        return [*lines, "not established who made them: give --key"]
    said = provenance.verify(folder, key=load_verification_key(key))["predicate"]
    version = said["buildDefinition"]["externalParameters"]["version"]
    commit = said["buildDefinition"]["resolvedDependencies"][0]["digest"]["gitCommit"]
    builder = said["runDetails"]["builder"]["id"]
    return [*lines, f"signed: release {version}, made from commit {commit} by {builder}"]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = Parser(prog="python -m tools.release.check", description="Checks a downloaded release.")
    parser.add_argument("folder", type=Path, help="folder with every file of the release")
    parser.add_argument("--key", type=Path, help="the release's public key, obtained by another channel")
    given = parser.parse_args(arguments)
    try:
        print("\n".join(check(given.folder, key=given.key)))
    except ClaimError as error:
        print(f"REFUSED: {error}")
        return 1
    except RobustcertError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
