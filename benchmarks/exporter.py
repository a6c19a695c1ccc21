"""The exporter over thousands of model versions: a cold scan, a warm scan, a scrape, and its peak memory.

    python benchmarks/exporter.py --models 5000                 # in a folder
    python benchmarks/exporter.py --models 5000 --s3            # on a real S3 server (make test-s3 installs it)

Each model has a signed certificate, a published document and, unless --drift 0, a signed drift record. The measured
process is the exporter's own: `python -m monitoring.exporter` is asked over HTTP, as Prometheus would ask it.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

from robustcert.certificate.keys import write_key_pair
from robustcert.storage.store import Store, open_store
from tests.monitoring.exporter.fleet import Fleet, Unflushed
from tests.rados_gateway import RadosGateway, free_port

UPLOADERS = 8
SCRAPES = 5
WARM_SCANS = 5
LONGEST = 300.0
SUCCESS, DURATION = "robustcert_exporter_last_success_timestamp_seconds", "robustcert_exporter_scan_duration_seconds"


def main() -> None:
    """Prints one line for each figure."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--models", type=int, default=5000)
    parser.add_argument("--drift", type=int, default=1, help="drift records for each model")
    parser.add_argument("--s3", action="store_true", help="on Ceph's RADOS gateway instead of in a folder")
    parser.add_argument("--readers", type=int, nargs="*", default=[64], help="connections that read at a time")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the exporter is ended too
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        uri = str(Path(folder) / "store")
        keys = _fill(Path(folder), models=given.models, drift=given.drift)
        if given.s3:
            uri = stack.enter_context(_bucket(Path(folder)))
            _upload(Path(folder), uri)
        for readers in given.readers:
            print(f"{'S3' if given.s3 else 'folder'}, {given.models} models, {readers} readers", flush=True)
            _measure(uri, keys, readers=readers, models=given.models, drift=given.drift)


@contextlib.contextmanager
def _bucket(folder: Path) -> Iterator[str]:
    from minio import Minio

    with RadosGateway(folder / "ceph") as gateway:
        os.environ.update(gateway.environment())
        client = Minio(
            gateway.endpoint.removeprefix("http://"),
            access_key=gateway.access_key,
            secret_key=gateway.secret_key,
            secure=False,
        )
        client.make_bucket("certificates")
        yield f"s3://certificates/fleet?endpoint={gateway.endpoint}&region=us-east-1"


def _fill(folder: Path, *, models: int, drift: int) -> Path:
    began = time.monotonic()
    fleet = Fleet(store=Unflushed(folder / "store"), now=datetime.now(UTC))
    for number in range(models):
        certificate = fleet.add(number)
        for day in range(drift):
            fleet.drift(number, certificate, evaluatedAt=f"2026-05-{day % 28 + 1:02d}T01:00:00Z")
    print(f"made the documents in {time.monotonic() - began:.0f} s", flush=True)
    return write_key_pair(folder / "issuer", fleet.key, passphrase=None)


def _upload(folder: Path, uri: str) -> None:
    began, source = time.monotonic(), open_store(str(folder / "store"))
    names = source.list_documents("")
    stores = [open_store(uri) for _ in range(UPLOADERS)]
    with ThreadPoolExecutor(UPLOADERS) as pool:
        list(pool.map(lambda k: [_copy(source, stores[k], name) for name in names[k::UPLOADERS]], range(UPLOADERS)))
    print(f"uploaded {len(names)} documents in {time.monotonic() - began:.0f} s", flush=True)


def _copy(source: Store, target: Store, name: str) -> None:
    target.write_document(name, source.read_document(name) or b"")


def _measure(uri: str, keys: Path, *, readers: int, models: int, drift: int) -> None:
    port = free_port()
    command = [sys.executable, "-m", "monitoring.exporter", "--store", uri, "--trusted-keys", str(keys)]
    command += ["--port", str(port), "--interval", "0.5", "--readers", str(readers)]
    began = time.monotonic()
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            text = _scraped_when(port, lambda text: _value(text, SUCCESS) > 0)
            shown = time.monotonic() - began
            cpu = _value(text, "process_cpu_seconds_total")
            print(f"  cold scan     {_value(text, DURATION):8.2f} s   ({shown:.2f} s from the start, {cpu:.2f} s CPU)")
            if drift:
                _scraped_when(port, lambda text: text.count("\nrobustcert_drift_report_rows{") == models)
                print(f"  all records   {time.monotonic() - began:8.2f} s   (from the start)")
            print(f"  warm scan     {_warm(port):8.3f} s   (slowest of {WARM_SCANS})")
            _scrapes(port)
            print(f"  memory        {_peak(process.pid):8.0f} MiB peak resident")
        finally:
            process.terminate()


def _warm(port: int) -> float:
    durations, last = [], 0.0
    while len(durations) < WARM_SCANS:
        text = _scraped_when(port, lambda text, last=last: _value(text, SUCCESS) > last)
        last = _value(text, SUCCESS)
        durations.append(_value(text, DURATION))
    return max(durations[1:])


def _scrapes(port: int) -> None:
    for name, headers in (("plain", {}), ("gzip", {"Accept-Encoding": "gzip"})):
        seconds, size = [], 0
        for _ in range(SCRAPES):
            began = time.monotonic()
            size = len(_get(port, headers))
            seconds.append(time.monotonic() - began)
        print(f"  scrape {name:6} {max(seconds):8.3f} s   (slowest of {SCRAPES}; {size / 2**20:.1f} MiB)")
    text = _get(port, {}).decode()
    print(f"  series        {sum(not line.startswith('#') for line in text.splitlines()):8d}")


def _scraped_when(port: int, holds: Callable[[str], bool]) -> str:
    end = time.monotonic() + LONGEST
    while time.monotonic() < end:
        with contextlib.suppress(URLError, ConnectionError):
            text = gzip.decompress(_get(port, {"Accept-Encoding": "gzip"})).decode()
            if holds(text):
                return text
        time.sleep(0.05)
    raise TimeoutError(f"expected a scan within {LONGEST:.0f} s")


def _get(port: int, headers: dict[str, str]) -> bytes:
    with urlopen(Request(f"http://127.0.0.1:{port}/metrics", headers=headers), timeout=60) as answer:
        return bytes(answer.read())


def _value(text: str, name: str) -> float:
    found = re.search(rf"^{name} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def _peak(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]


if __name__ == "__main__":
    main()
