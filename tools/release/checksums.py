"""SHA256SUMS: one line for each file of a release, as sha256sum writes and checks it (GNU coreutils)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from robustcert.errors import InputError, VerificationError, expected
from robustcert.provenance.digests import sha256_file

FILE = "SHA256SUMS"
LINE = re.compile(r"([0-9a-f]{64}) [ *]([A-Za-z0-9][\w.+-]*)")


def write(folder: Path) -> dict[str, str]:
    """Writes SHA256SUMS over every file of `folder`; name -> digest."""
    sums = {path.name: sha256_file(path) for path in sorted(folder.iterdir()) if path.name != FILE}
    (folder / FILE).write_text("".join(f"{digest}  {name}\n" for name, digest in sums.items()), encoding="utf-8")
    return sums


def read(path: Path) -> dict[str, str]:
    """Name -> digest; InputError where the file is missing or has a line of another form."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        got = getattr(error, "strerror", None) or "other bytes"
        raise InputError(expected(f"'{path}'", got=got, remedy="name the folder of a release")) from error
    found = [LINE.fullmatch(line) for line in lines]
    sums = {match[2]: match[1] for match in found if match}
    if len(sums) != len(lines) or not lines:
        remedy = "download it again"
        raise InputError(expected(f"lines 'DIGEST  NAME' in '{path}', each name once", got="others", remedy=remedy))
    return sums


def require(folder: Path, sums: dict[str, str], *, besides: Iterable[str]) -> None:
    """VerificationError where a file of `folder` is missing, changed, or not named; `besides` need not be named."""
    there = {path.name for path in folder.iterdir()} - {FILE, *besides}
    for name in sorted(there ^ set(sums)):
        got = "a file that it does not name" if name in there else "no such file"
        raise VerificationError(expected(f"{name} as {FILE} says", got=got, remedy="download the release again"))
    for name, digest in sums.items():
        if not (folder / name).is_file():  # it would not end, or not begin, to be read
            raise VerificationError(
                expected(f"a file {name}", got="something else", remedy="download the release again")
            )
        if sha256_file(folder / name) != digest:
            raise VerificationError(
                expected(
                    f"SHA-256 {digest[:12]}... of {name}", got="another", remedy="download it again; do not use it"
                )
            )
