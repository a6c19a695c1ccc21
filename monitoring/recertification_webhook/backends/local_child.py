"""The child process of one local run: does what `robustcert recertify` does, under a run id that was given to it.

    python -m monitoring.recertification_webhook.backends.local_child FOLDER

It reads `order.json` there and writes `status.json` in the end. Its standard output is the run's log.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

from robustcert.errors import ClaimError, InputError, RobustcertError
from robustcert.storage.atomic import write_whole

ORDER, PROCESS, STATUS = "order.json", "process.json", "status.json"


def main() -> None:
    """Runs the order; how it ended is in the status and in the exit status."""
    folder = Path(sys.argv[1])
    write_whole(folder / PROCESS, json.dumps({"pid": os.getpid()}).encode())
    try:
        recertify(json.loads((folder / ORDER).read_bytes()), folder=folder)
        status: dict[str, object] = {"state": "succeeded"}
    except RobustcertError as error:
        # Wrong input and a claim that does not hold would be the same at the next try; the world may be better then.
        status = {"state": "failed", "error": str(error), "refused": isinstance(error, InputError | ClaimError)}
    except Exception as error:  # noqa: BLE001  whatever it was, the status must tell
        traceback.print_exc()
        status = {"state": "failed", "error": f"{type(error).__name__}: {error}", "refused": False}
    write_whole(folder / STATUS, json.dumps(status).encode())
    sys.exit(0 if status["state"] == "succeeded" else 1)


def recertify(order: dict[str, Any], *, folder: Path) -> None:
    """The run itself; ClaimError where the claim does not hold."""
    from robustcert.commands.plain_console import plain_console
    from robustcert.commands.recertification_run import RecertificationOrder, exported, run_recertification
    from robustcert.storage.store import open_store

    wanted = RecertificationOrder(
        certificate_sha256=order["certificate_sha256"],
        store=open_store(order["store"]),
        key=Path(order["signing_key"]),
        target=folder / "bundle",
        shards=order["shards"],
        workers=order["workers"],
        reason=order["reason"],
        run_token="",
        run_id=order["run_id"],
        trusted_key=order["trusted_key"],
        window=order["window_uri"],
        window_sha256=order["window_sha256"],
    )
    run_id, refusal = run_recertification(wanted, console=plain_console())
    exported(wanted, run_id)
    if refusal is not None:
        raise refusal


if __name__ == "__main__":
    main()
