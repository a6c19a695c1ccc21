"""Writes the documents of this version, one for each kind of key; what a released version wrote is never written again.

python -m tests.certificates.make
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import get_args

from robustcert import __version__
from robustcert.certificate.keys import KeyKind, new_key, write_key_pair
from tests.chain import run_chain, small_specification

FORMAT = Path(__file__).parent / "v1"
KEPT = ("certificate.json", "certification.parquet", "evaluation.parquet")


def folder_of(version: str, kind: KeyKind) -> Path:
    """Where the document that `version` signed with a key of that kind is kept."""
    return FORMAT / f"{version}-{kind}"


def write(kind: KeyKind, target: Path) -> None:
    """Runs the small chain with a fresh key and keeps certificate, evidence and public key."""
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        write_key_pair(Path(work) / "issuer", new_key(kind), passphrase=None)
        chain = run_chain(Path(work), specification=small_specification())
        for name in KEPT:
            shutil.copyfile(chain.bundle / name, target / name)
        shutil.copyfile(chain.public_key, target / "issuer.pub")


def is_released(version: str) -> bool:
    """Whether a tag of that version exists."""
    tags = subprocess.run(
        ["git", "tag", "--list", f"v{version}"], cwd=FORMAT.parent, capture_output=True, text=True, check=True
    )
    return bool(tags.stdout.strip())


def main() -> None:
    """Writes every document of this version, or refuses where it is released."""
    if is_released(__version__):
        sys.exit(f"expected a version that is not released, got {__version__}; its documents stay as they are")
    for kind in get_args(KeyKind):
        write(kind, folder_of(__version__, kind))


if __name__ == "__main__":
    main()
