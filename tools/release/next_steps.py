"""What a release says of itself: its files and changes, and what is left to do by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from robustcert.provenance.digests import sha256_file
from tools.release.assembly import Order
from tools.release.preparation import tag


def table(files: Path, changed: Sequence[str]) -> list[str]:
    """Every file with its size and digest, and how many files of the checkout the commit changes."""
    rows = [f"  {sha256_file(path)[:12]}  {path.stat().st_size:>9}  {path.name}" for path in sorted(files.iterdir())]
    commit = [f"the commit changes {len(changed)} files: {', '.join(changed[:3])}, ..."] if changed else []
    return [*commit, f"{len(rows)} files:", *rows]


def next_steps(order: Order, place: Path | None, *, dry_run: bool, kind: Literal["new", "again"]) -> list[str]:
    """What a person does next; nothing is pushed here."""
    if dry_run:
        return [f"nothing was changed; the files are in {place}" if place else "nothing was changed, nothing is kept"]
    name = tag(order.version)
    commit = [
        "make check",
        f"git tag --sign {name} --message 'Release {order.version}'",
        f"git push origin HEAD {name}",
    ]
    images = [
        "make image && make image TARGET=gpu && make monitoring-image    # then push them, and note the digests",
        f"python -m tools.release {order.version} --out FOLDER --key FILE --digest monitoring=sha256:... --digest ...",
    ]
    upload = [
        f"upload every file of {place}",
        f"helm push {place}/robustcert-{order.version}.tgz oci://REGISTRY    # and the wheel to the package index",
    ]
    steps = [*(commit if kind == "new" else []), *(upload if order.digests else images)]
    return ["nothing was pushed; next:", *(f"  {step}" for step in steps)]
