"""`python -m monitoring.exporter`: exports what a store holds until it is told to stop."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
from pathlib import Path

from monitoring.exporter.settings import Settings, read_settings
from robustcert.errors import RobustcertError
from robustcert.extras import require_modules

DESCRIPTION = """\
Shows Prometheus which certificates are in force: their accuracies, ends and statuses, and what the newest drift report
of each model said. It reads a store again and again, verifies every signature with the keys that you trust, and shows
nothing that does not verify: what it had to skip is counted in robustcert_exporter_invalid_objects_total.
"""
EXAMPLES = """\
examples:
  python -m monitoring.exporter --store out/store --trusted-keys out/demo-key.pub
  python -m monitoring.exporter --store 's3://certificates/team?endpoint=https://minio.example' --trusted-keys keys/ \\
      --address 0.0.0.0 --kubernetes
  python -m monitoring.exporter --config exporter.yaml

Then: curl http://127.0.0.1:9464/metrics, and /healthz, /readyz. S3 credentials come from AWS_ACCESS_KEY_ID and
AWS_SECRET_ACCESS_KEY. Every metric and setting is explained in docs/exporter.md.
"""
USAGE = 2


def main(arguments: list[str] | None = None) -> int:
    """Runs the exporter; returns 0 when it was told to stop, 2 with one line on stderr where it can't start."""
    given = vars(_parser().parse_args(arguments))
    path, kubernetes, namespace = given.pop("config"), given.pop("kubernetes"), given.pop("namespace")
    if kubernetes or namespace is not None:
        given["kubernetes"] = {"namespace": namespace or ""}
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    try:
        settings = read_settings(path, **given)
        require_modules("prometheus_client")
        return _serve(settings)
    except RobustcertError as error:
        sys.stderr.write(f"error: {error}\n")
        return USAGE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m monitoring.exporter",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--config", type=Path, metavar="FILE", help="settings in YAML; options given here go first")
    add("--store", metavar="URI", help="the certificates' store: a folder, file:///path or s3://bucket/prefix")
    add("--trusted-keys", metavar="PATH", help="a public key, or a folder of *.pub and *.pem files: whom to believe")
    add("--address", metavar="IP", help="where to listen (127.0.0.1; 0.0.0.0 for everybody, as in a container)")
    add("--port", type=int, metavar="N", help="on which port (9464; 0 takes a free one, and says which)")
    add("--interval", type=float, metavar="SECONDS", help="from the end of one scan to the next (30)")
    add("--staleness", type=float, metavar="SECONDS", help="how long values stay while the store is down (900)")
    add("--readers", type=int, metavar="N", help="connections to S3 that read at a time (64)")
    add("--deployed", metavar="FILE", help="a list of what is deployed, where there is no Kubernetes to ask")
    add("--kubernetes", action="store_true", help="watch what Kubernetes serves: InferenceServices and Deployments")
    add("--namespace", metavar="NAME", help="watch this namespace alone; implies --kubernetes")
    return parser


def _serve(settings: Settings) -> int:
    from monitoring.exporter.assembly import make_exporter
    from monitoring.exporter.server import Server

    exporter = make_exporter(settings)
    server = Server(exporter, address=settings.address, port=settings.port)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    threading.Thread(target=exporter.run, args=(stop,), kwargs={"interval": settings.interval}, daemon=True).start()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    host, port = server.server_address[:2]
    logging.info("serving http://%s:%s/metrics of %s", host, port, settings.store.partition("?")[0])
    stop.wait()
    server.shutdown()
    logging.info("stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
