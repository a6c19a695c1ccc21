"""monitoring/recertification_webhook/openapi.json: the interface as one committed document.

python -m monitoring.recertification_webhook.openapi [--check]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import cast

from monitoring.recertification_webhook.app import make_app
from monitoring.recertification_webhook.authentication import Gate
from monitoring.recertification_webhook.controller import Controller
from monitoring.recertification_webhook.desk import Desk

PATH = Path(__file__).parent / "openapi.json"


def openapi_json() -> str:
    """The text that the file must have; no controller is asked for it."""
    gate = Gate(token_file=None, client_certificates=False)
    app = make_app(Desk(controller=cast("Controller", None), gate=gate))
    return json.dumps(app.openapi(), indent=2, sort_keys=True) + "\n"


def is_current(path: Path = PATH) -> bool:
    """Whether the committed file is what the program makes."""
    return path.is_file() and path.read_text(encoding="utf-8") == openapi_json()


def main() -> None:
    """Writes the file, or with --check fails where it is out of date."""
    if "--check" not in sys.argv[1:]:
        PATH.write_text(openapi_json(), encoding="utf-8")
    elif not is_current():
        sys.exit(f"{PATH.name}: out of date; run `make generate` and commit the result")


if __name__ == "__main__":
    main()
