"""The recertification controller: takes triggers over HTTP, decides, and starts exactly one run for each.

    python -m monitoring.recertification_webhook --config controller.yaml

The smallest configuration, everything on one machine (docs/recertification-controller.md has the other keys):

    store: store                      # where certificates are published
    trustedKeys: issuer.pub           # who may have signed them
    database: controller.sqlite
    auditLog: audit.jsonl
    backend:
      local: {folder: runs, signingKey: issuer}

It listens on 127.0.0.1:8090 (and 8091 for /metrics). Any other address needs bearerTokenFile, a file with a token a
line (openssl rand -hex 32), or tls.clientCa. Then let Alertmanager post to /v1/alertmanager
there, open http://127.0.0.1:8090/, or ask: robustcert requests list --url http://127.0.0.1:8090

It logs JSON lines to standard error, and ends on SIGTERM once requests in progress are answered; runs go on without it.
Exit status: 0 ended as asked, 2 the configuration is wrong or the system failed.
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from monitoring.recertification_webhook.log import start_logging
from robustcert import __version__
from robustcert.errors import RobustcertError
from robustcert.extras import require_modules


def main() -> None:
    """Runs the controller, or with --check says whether it could; what is wrong is one line on standard error."""
    given = parser().parse_args()
    try:
        require_modules("fastapi", "uvicorn", "prometheus_client")
        run(given.config, only_check=given.check, level=logging.getLevelName(given.log_level.upper()))
    except RobustcertError as error:
        sys.stderr.write(f"recertification controller: {error}\n")
        sys.exit(2)


def parser() -> argparse.ArgumentParser:
    """The options."""
    made = argparse.ArgumentParser(
        prog="python -m monitoring.recertification_webhook",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--config", type=Path, required=True, help="settings, a YAML file")
    made.add_argument("--check", action="store_true", help="read settings, keys and secrets, and end; starts nothing")
    levels = ("debug", "info", "warning", "error")
    made.add_argument("--log-level", choices=levels, default="info", help="the least of what is logged (info)")
    made.add_argument("--version", action="version", version=f"robustcert {__version__}")
    return made


def run(config: Path, *, only_check: bool, level: int) -> None:
    """Serves what the settings say until a signal comes; with `only_check` opens everything but the sockets."""
    from monitoring.recertification_webhook.backends.backend import make_backend
    from monitoring.recertification_webhook.backends.local import check_signing_key
    from monitoring.recertification_webhook.controller import Controller
    from monitoring.recertification_webhook.server import check, serve
    from monitoring.recertification_webhook.settings import read_settings

    settings = read_settings(config)
    if settings.backend.local is not None:
        check_signing_key(settings.backend.local)
    controller = Controller(settings, make_backend(settings))
    check(settings, controller)
    if only_check:
        sys.stdout.write(f"{config}: valid\n")
        return
    start_logging(level)
    serve(settings, controller)


if __name__ == "__main__":
    main()
