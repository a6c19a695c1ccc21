"""gzip of a long text that stays and a short one that changes: the long one is compressed once.

The result is one member of gzip (RFC 1952), for many clients read no second one.
"""

from __future__ import annotations

import zlib

FAST = 1  # the text shrinks to a tenth at any level
GZIP = 31  # zlib's window bits for a gzip header and trailer around its largest window


class Packed:
    """A compressed beginning; every end is compressed by a copy of the state that it was left in."""

    def __init__(self, beginning: bytes = b"") -> None:
        self._state = zlib.compressobj(FAST, zlib.DEFLATED, GZIP)
        self._beginning = self._state.compress(beginning) + self._state.flush(zlib.Z_SYNC_FLUSH)

    def followed_by(self, end: bytes) -> bytes:
        """The whole gzip file of the beginning and this end."""
        state = self._state.copy()
        return self._beginning + state.compress(end) + state.flush()
