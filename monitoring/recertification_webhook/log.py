"""What the controller tells: a JSON object a line on standard error, without bodies, headers or secrets.

An unexpected exception is told by its type and where it was raised. Its text stays out: libraries put into it what they
were given, and a log is read by many.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from datetime import UTC, datetime

from robustcert.errors import RobustcertError, without_credentials

LOGGER = logging.getLogger("robustcert.recertification")
FRAMES = 8


def tell(event: str, *, level: int = logging.INFO, error: BaseException | None = None, **fields: object) -> None:
    """One line about `event`, with `fields` beside it."""
    LOGGER.log(level, event, exc_info=error, extra={"fields": fields})


def start_logging(level: int = logging.INFO) -> None:
    """Sends every logger of this process, uvicorn's too, to standard error as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    for name in ("httpx", "httpcore"):  # a line with a URL for every request
        logging.getLogger(name).setLevel(logging.WARNING)


class JsonLines(logging.Formatter):
    """A record as one line of JSON: time, level, event, fields, error."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        fields = getattr(record, "fields", {})
        return json.dumps(
            {
                "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
                "level": record.levelname.lower(),
                "event": without_credentials(record.getMessage()),
                **{name: value if isinstance(value, int | float) else str(value) for name, value in fields.items()},
                **_error(record),
            }
        )


def _error(record: logging.LogRecord) -> dict[str, object]:
    error = record.exc_info[1] if record.exc_info else None
    if error is None:
        return {}
    frames = traceback.extract_tb(error.__traceback__)[-FRAMES:]
    where = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames]
    told = f"{type(error).__name__}: {error}" if isinstance(error, RobustcertError) else type(error).__name__
    return {"error": told, "where": where}
