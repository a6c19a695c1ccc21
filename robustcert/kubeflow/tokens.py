"""The token that proves who asks: a file, read again for every request.

The kubelet replaces a projected token before it expires. Its text never gets into a message, a representation or a log.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import httpx

from robustcert.errors import KeyFileError, expected

# Where a projected service account token with audience pipelines.kubeflow.org lies, and how kfp lets it lie elsewhere.
IN_CLUSTER_TOKEN = Path("/var/run/secrets/kubeflow/pipelines/token")
IN_CLUSTER_TOKEN_VARIABLE = "KF_PIPELINES_SA_TOKEN_PATH"
LONGEST = 65_536
TOKEN = re.compile(rf"[!-~]{{1,{LONGEST}}}")


@dataclass(frozen=True)
class TokenFile:
    """A bearer token in a file."""

    path: Path

    def read(self) -> str:
        """The token; KeyFileError where the file holds none."""
        try:
            text = self.path.read_bytes()[: LONGEST + 1].decode("ascii").strip()
        except OSError as error:
            got = f"'{self.path}', which can't be read ({error.strerror})"
            raise KeyFileError(expected("a token file", got=got, remedy="name another --token-file")) from error
        except UnicodeDecodeError:
            text = ""
        if (
            not text
            or len(text) > LONGEST
            or any(not character.isprintable() or character == " " for character in text)
        ):
            got = f"'{self.path}', which holds none"
            raise KeyFileError(expected("a file with one token and nothing else", got=got, remedy="write it again"))
        return text


class TokenAuth(httpx.Auth):
    """Adds the token of a file to each request, as it is at that moment."""

    def __init__(self, file: TokenFile | None) -> None:
        self._file = file

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Sends the request with the token, where there is one."""
        if self._file is not None:
            request.headers["Authorization"] = f"Bearer {self._file.read()}"
        yield request


def token_in(request: httpx.Request) -> str:
    """The token that a request was sent with, to be kept out of messages; empty without one."""
    return str(request.headers.get("Authorization", "")).removeprefix("Bearer ")
