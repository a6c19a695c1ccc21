"""Asks a program of this release how it is, as `helm test` does; the image of the tests needs nothing but Python.

python ask.py exporter URL              a look at the store succeeded, not longer ago than is shown
python ask.py controller URL [CA]       its database can be written and its loop goes round
python ask.py token URL FILE [CA]       the token is known and may ask for a recertification; none is asked for

It tries for a minute and ends with one line, and exit status 1 where it did not hear what it should.
"""

from __future__ import annotations

import re
import ssl
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

PATIENCE_SECONDS, PAUSE_SECONDS, ANSWER_SECONDS = 60.0, 2.0, 10.0
SUCCESS = re.compile(r"^robustcert_exporter_last_success_timestamp_seconds (\S+)$", re.MULTILINE)
OBJECTS = re.compile(r'^robustcert_exporter_objects\{kind="certificate"\} (\S+)$', re.MULTILINE)


def exporter(url: str) -> str:
    """What the exporter shows; ValueError where it shows no success."""
    status, text = answer(f"{url}/readyz")
    if status != 200:
        raise ValueError(f"expected a look at the store that succeeded, got {status} {text}; see the exporter's log")
    shown = answer(f"{url}/metrics")[1]
    success, objects = SUCCESS.search(shown), OBJECTS.search(shown)
    if not success or not float(success[1]) or not objects:
        raise ValueError("expected metrics of a look at the store, got none; see the exporter's log")
    return f"the exporter sees {float(objects[1]):.0f} certificates"


def controller(url: str, ca: str = "") -> str:
    """That the controller is ready; ValueError where it is not."""
    status, text = answer(f"{url}/readyz", ca=ca)
    if status != 200:
        raise ValueError(f"expected a controller that is ready, got {status} {text}; see its log")
    return "the controller is ready"


def token(url: str, file: str, ca: str = "") -> str:
    """That a token may ask: it ends a request that there is not, which only tells a stranger 401 or 403."""
    status, text = answer(f"{url}/v1/requests/helm-test/cancel", ca=ca, token=Path(file).read_text().strip())
    if status != 404:
        remedy = "write the token into both Secrets, its line in the controller's with scope operate"
        raise ValueError(f"expected a token that may ask, got {status} {text}; {remedy}")
    return "the schedules' token may ask"


def answer(url: str, *, ca: str = "", token: str = "") -> tuple[int, str]:
    """Status and text; with a token a POST. ValueError without an answer."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    request = urllib.request.Request(url, headers=headers, method="POST" if token else "GET")  # noqa: S310  http or https
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
    if ca:
        handlers.append(urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=ca)))
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=ANSWER_SECONDS) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, " ".join(error.read().decode(errors="replace").split())[:300]
    except OSError as error:
        raise ValueError(f"expected an answer from {url}, got {error}; see the pod's log") from error


QUESTIONS: dict[str, Callable[..., str]] = {"exporter": exporter, "controller": controller, "token": token}


def main(question: str, *arguments: str) -> None:
    """Asks until the answer is right or patience ends."""
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            sys.stdout.write(f"{QUESTIONS[question](*arguments)}\n")
            return
        except ValueError as error:
            if time.monotonic() >= end:
                sys.exit(str(error))
        time.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    main(*sys.argv[1:])
