"""A file that holds a secret and may be replaced while we run: read again whenever it has changed.

Kubernetes replaces a mounted secret by another folder behind a link, so the file's identity is compared, not only its
time. One stat per look, about 2 microseconds.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from robustcert.errors import KeyFileError, expected

LONGEST_BYTES = 65_536

Value = TypeVar("Value")


class WatchedFile(Generic[Value]):
    """What `parse` makes of the file's text, as the file is at this moment."""

    def __init__(self, path: Path, *, parse: Callable[[str, Path], Value]) -> None:
        self.path = path
        self._parse = parse
        self._seen: tuple[tuple[int, ...], Value] | None = None

    def value(self) -> Value:
        """The newest value; KeyFileError where the file can't be read or means nothing now."""
        try:
            status = self.path.stat()
            state = (status.st_mtime_ns, status.st_size, status.st_ino, status.st_dev, status.st_ctime_ns)
            if self._seen is None or self._seen[0] != state:
                self._seen = (state, self._parse(self._text(), self.path))
        except OSError as error:
            got = f"'{self.path}', which can't be read ({error.strerror})"
            raise KeyFileError(expected("a file with a secret", got=got, remedy="mount it, or name another")) from error
        return self._seen[1]

    def _text(self) -> str:
        with self.path.open("rb") as file:
            content = file.read(LONGEST_BYTES + 1)
        if len(content) > LONGEST_BYTES or not content.isascii():
            got = f"'{self.path}', which is long or no ASCII text"
            raise KeyFileError(expected("a short file of ASCII text", got=got, remedy="write it again"))
        return content.decode("ascii")


def one_secret(text: str, path: Path) -> bytes:
    """The single word of a file; KeyFileError where it holds none or more, or one that can be guessed."""
    words = text.split()
    if len(words) != 1 or len(words[0]) < SHORTEST:
        got = f"'{path}', which holds something else"
        remedy = "write one there: openssl rand -hex 32"
        raise KeyFileError(expected(f"one secret of {SHORTEST} characters or more", got=got, remedy=remedy))
    return words[0].encode("ascii")


SHORTEST = 16  # characters of a secret: 64 bits where they are hexadecimal digits
