"""What is answered where a request is turned away: a status and one line of JSON, never what was sent."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, Field

from robustcert.errors import RobustcertError

RETRY_SECONDS = 5


class RefusalError(RobustcertError):
    """A request that is turned away; its text is the answer's, so it holds nothing that only the sender knows."""

    def __init__(self, status: int, message: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.headers = dict(headers or {})


class RefusalBody(BaseModel):
    """The body of every answer that is not a success."""

    error: str = Field(description="One line: what was expected, what came, and what to do.")


def unavailable(message: str) -> RefusalError:
    """Our fault, and passing: the sender shall send the same again (Alertmanager does after a 5xx, not after a 4xx)."""
    return RefusalError(503, message, headers={"Retry-After": str(RETRY_SECONDS)})
