"""One download from S3 that outlives cut connections: what is missing is asked for again, of the same version only."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

from minio import Minio
from urllib3 import BaseHTTPResponse
from urllib3.exceptions import HTTPError, IncompleteRead, ProtocolError

from robustcert.provenance.digests import CHUNK_BYTES

# How often one download is resumed, and the wait before the first time; each later one is twice as long.
RESUMPTIONS = 5
WAIT_SECONDS = 0.25

PARTIAL_CONTENT = 206


class Download:
    """The bytes under a key, read once. Raises what the minio client raises."""

    def __init__(self, client: Minio, *, bucket: str, key: str) -> None:
        self._client, self._bucket, self._key = client, bucket, key
        self._position = 0
        self._response: BaseHTTPResponse = client.get_object(bucket, key)
        self.headers: Mapping[str, str] = self._response.headers

    def chunks(self) -> Iterator[bytes]:
        """The bytes, a chunk at a time."""
        for turn in range(RESUMPTIONS):
            try:
                yield from self._rest()
                return
            except HTTPError:
                time.sleep(WAIT_SECONDS * 2**turn)
            self._resume()
        yield from self._rest()

    def _rest(self) -> Iterator[bytes]:
        try:
            for chunk in self._response.stream(CHUNK_BYTES):
                self._position += len(chunk)
                yield chunk
        finally:
            self._response.close()
            self._response.release_conn()

    def _resume(self) -> None:
        wanted: dict[str, str | list[str] | tuple[str]] = {"Range": f"bytes={self._position}-"}
        if "ETag" in self.headers:
            wanted["If-Match"] = self.headers["ETag"]
        self._response = self._client.get_object(self._bucket, self._key, request_headers=wanted)
        place = self._response.headers.get("Content-Range", "")
        if self._response.status != PARTIAL_CONTENT or not place.startswith(f"bytes {self._position}-"):
            self._response.close()
            raise ProtocolError("a server that knows no ranges", IncompleteRead(self._position, 0))
