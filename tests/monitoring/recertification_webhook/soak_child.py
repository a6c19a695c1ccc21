"""The process that the soak kills: a whole controller over files, spoken to by lines of JSON on loopback.

    python -m tests.monitoring.recertification_webhook.soak_child FOLDER

`FOLDER/child.json` holds the settings and the port. The wall clock is the real one plus the seconds in
`FOLDER/offset`. A line in is a list of triggers, or what a person does: `{"retry": id}`, `{"cancel": id}`,
`{"list": state}`. The line out is a list of offers or of ids, or an error, which is what HTTP answers 503 or 409 to.
"""

from __future__ import annotations

import json
import socketserver
import sys
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from monitoring.recertification_webhook.backends.backend import make_backend
from monitoring.recertification_webhook.controller import Controller
from monitoring.recertification_webhook.settings import Settings
from monitoring.recertification_webhook.trigger import Trigger
from robustcert.errors import RobustcertError


def main() -> None:
    folder = Path(sys.argv[1])
    given = json.loads((folder / "child.json").read_text())
    settings = Settings.model_validate_json(json.dumps(given["settings"]))

    def clock() -> datetime:
        return datetime.now(UTC) + timedelta(seconds=float((folder / "offset").read_text() or 0))

    controller = Controller(settings, make_backend(settings), clock)
    controller.start()

    class Lines(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            for line in self.rfile:
                self.wfile.write(json.dumps(answer(controller, json.loads(line), clock())).encode() + b"\n")

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    with Server(("127.0.0.1", given["port"]), Lines) as server:
        server.serve_forever()


def answer(controller: Controller, asked: Any, now: datetime) -> object:
    """What the controller did, or why it could do nothing."""
    try:
        if isinstance(asked, dict):
            return person(controller, **asked)
        made = [Trigger(**{**one, "received_at": now}) for one in asked]
        return [asdict(offer) for offer in controller.offer(made)]
    except RobustcertError as error:
        return {"error": str(error)}


def person(controller: Controller, *, retry: str = "", cancel: str = "", list: str = "") -> object:  # noqa: A002
    """What a person asked for."""
    if retry:
        return [controller.retry(retry, by="soak").id]
    if cancel:
        return [controller.cancel(cancel, by="soak").id]
    return [view.id for view in controller.requests(state=list, limit=1000)]


if __name__ == "__main__":
    main()
