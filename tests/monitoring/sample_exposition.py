"""A small fleet as /metrics texts: three certified versions, one deployed without a certificate, and what watches them.

Counters grow with the seconds since the server began, as those of programs do. It is written by hand from
docs/monitoring.md, in Prometheus' text format, and held to it by prometheus_client's parser.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

DAY = 86_400
DIGITS, FRAUD, OLD = ("digits", "0123456789ab"), ("fraud", "ba9876543210"), ("retired", "00000000beef")
FLEET = {DIGITS: "active", FRAUD: "suspended", OLD: "expired"}


def exposition(*, now: float, elapsed: float) -> str:
    """Everything, `elapsed` seconds after the programs began."""
    return "".join(f"{line}\n" for line in _lines(now=now, elapsed=elapsed))


@contextmanager
def served() -> Iterator[str]:
    """A server on loopback; yields its host:port."""
    began = time.time()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            now = time.time()
            body = exposition(now=now, elapsed=now - began + 100).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _lines(*, now: float, elapsed: float) -> Iterator[str]:
    for (model, version), status in FLEET.items():
        who = {"model": model, "version": version}
        yield from _certificate(who, status, now=now)
        yield from _drift(who, now=now, drifted=model == "fraud")
    for who, drifted in ((DIGITS, False), (FRAUD, True)):
        yield from _serving(dict(zip(("model", "version"), who, strict=True)), elapsed=elapsed, drifted=drifted)
    new = {"model": "new", "version": "feedfeedfeed"}
    yield _line("deployed", 1, **new, namespace="shop", workload="new-predictor")
    yield _line("deployed", 1, model="digits", version="0123456789ab", namespace="shop", workload="digits-predictor")
    yield from _exporter(now=now, elapsed=elapsed)
    yield from _controller(now=now, elapsed=elapsed)


def _certificate(who: dict[str, str], status: str, *, now: float) -> Iterator[str]:
    left = {"active": 200 * DAY, "suspended": 5 * DAY, "expired": -DAY}[status]
    yield _line("certificate_issued_timestamp_seconds", now - 100 * DAY, **who)
    yield _line("certificate_expiry_timestamp_seconds", now + left, **who)
    for each in ("active", "suspended", "revoked", "expired"):
        yield _line("certificate_status", int(each == status), **who, status=each)
    yield _line("certificate_info", 1, **who, certificate_id="c" * 64, method="smoothing", run_id="run-1")
    for radius, accuracy in (("0", 0.94), ("0.25", 0.8), ("0.5", 0.6)):
        yield _line("certified_accuracy_ratio", accuracy, **who, norm="l2", radius=radius)
        yield _line("certified_accuracy_lower_bound_ratio", accuracy - 0.03, **who, norm="l2", radius=radius)
    for attack, accuracy in (("none", 0.97), ("pixel-0.05", 0.7)):
        yield _line("empirical_accuracy_ratio", accuracy, **who, attack=attack)
    for metric in ("clean_accuracy", "certified_accuracy"):
        yield _line("result_shifted", int(who["model"] == "fraud"), **who, metric=metric)


def _drift(who: dict[str, str], *, now: float, drifted: bool) -> Iterator[str]:
    for signal, method in (("features", "psi"), ("embedding", "mmd"), ("outputs", "js"), ("labels", "chi_square")):
        yield _line("drift_score", 0.9 if drifted else 0.05, **who, signal=signal, method=method)
        yield _line("drift_threshold", 0.2, **who, signal=signal, method=method)
    for verdict in ("clean", "drifted", "gross", "undecided"):
        yield _line("drift_verdict", int(verdict == ("drifted" if drifted else "clean")), **who, verdict=verdict)
    yield _line("drift_report_timestamp_seconds", now - (3 * DAY if drifted else 3600), **who)
    yield _line("window_end_timestamp_seconds", now - 7200, **who)
    for name, value in (
        ("drift_features_ratio", 0.1),
        ("drift_report_rows", 5000),
        ("window_quality_ratio", 0.99),
        ("realised_accuracy_ratio", 0.95),
        ("realised_accuracy_lower_bound_ratio", 0.93),
        ("realised_accuracy_upper_bound_ratio", 0.97),
        ("estimated_accuracy_ratio", 0.96),
        ("estimated_accuracy_valid", 1),
        ("label_coverage_ratio", 0.3),
        ("label_delay_seconds", 4000),
    ):
        yield _line(name, value, **who)


def _serving(who: dict[str, str], *, elapsed: float, drifted: bool) -> Iterator[str]:
    shares = [0.1] * 10 if not drifted else [0.01] * 9 + [0.91]
    rows = int(200 * elapsed)
    for number, share in enumerate(shares):
        for kind in ("margin", "distance"):
            yield _line(f"prediction_{kind}_bin_total", int(rows * share), **who, bin=str(number))
            yield _line(f"reference_{kind}_bin_ratio", 0.1, **who, bin=str(number))
        yield _line("predicted_class_total", int(rows * share), **who, **{"class": str(number)})
        yield _line("reference_class_ratio", 0.1, **who, **{"class": str(number)})
    yield _line("reference_rows", 1000, **who)
    yield _line("reference_abstention_ratio", 0.02, **who)
    for outcome, share in (("predicted", 0.5 if drifted else 0.9), ("abstained", 0.4 if drifted else 0.02)):
        yield _line("predictions_total", int(rows * share), **who, outcome=outcome)
        for segment in ("phone", "tablet"):
            yield _line("segment_predictions_total", int(rows * share / 2), **who, segment=segment, outcome=outcome)
    for outcome in ("invalid", "failed"):
        yield _line("predictions_total", int(rows / 100), **who, outcome=outcome)
        yield _line("segment_predictions_total", int(rows / 200), **who, segment="phone", outcome=outcome)
    yield _line("payloads_received_total", rows, **who)
    yield _line("payloads_logged_total", rows - rows // 50, **who)
    yield _line("payloads_dropped_total", rows // 50, **who, reason="queue-full")
    yield from _histogram("prediction_duration_seconds", rows, bounds=("0.001", "0.01", "0.1"), **who)


def _exporter(*, now: float, elapsed: float) -> Iterator[str]:
    yield _line("exporter_scan_duration_seconds", 0.8)
    yield _line("exporter_last_success_timestamp_seconds", now - 5)
    for kind in ("published", "certificate", "status", "drift"):
        yield _line("exporter_objects", 12, kind=kind)
    yield _line("exporter_invalid_objects_total", int(elapsed), kind="drift", reason="signature")
    yield _line("exporter_series_dropped_total", 0)
    yield _line("exporter_watch_connected", 1, kind="deployments")


def _controller(*, now: float, elapsed: float) -> Iterator[str]:
    yield _line("recertification_triggers_total", int(elapsed), source="alert", result="queued")
    yield _line("recertification_triggers_total", int(elapsed * 3), source="alert", result="duplicate")
    for state in ("queued", "submitting", "running", "succeeded", "dead", "cancelled"):
        yield _line("recertification_requests", 2, state=state)
    yield _line("recertification_requests_finished_total", int(elapsed), outcome="succeeded", reason="input-drift")
    yield _line("recertification_requests_finished_total", 1, outcome="dead", reason="accuracy")
    yield from _histogram("recertification_duration_seconds", int(elapsed), bounds=("60", "3600", "86400"))
    yield _line("recertification_oldest_request_timestamp_seconds", now - 600)
    yield _line("recertification_last_reconcile_timestamp_seconds", now - 3)
    yield _line("recertification_backend_errors_total", int(elapsed), operation="submit")
    yield _line("recertification_dead", 1, model="fraud", version="ba9876543210")
    yield _line("recertification_ineffective", 1, model="fraud", version="ba9876543210")


def _histogram(name: str, rows: int, *, bounds: tuple[str, ...], **labels: str) -> Iterator[str]:
    for number, bound in enumerate((*bounds, "+Inf"), start=1):
        yield _line(f"{name}_bucket", rows * number // (len(bounds) + 1), **labels, le=bound)
    yield _line(f"{name}_count", rows, **labels)
    yield _line(f"{name}_sum", rows * float(bounds[0]) * 2, **labels)


def _line(name: str, value: float, **labels: str) -> str:
    inside = ",".join(f'{label}="{text}"' for label, text in labels.items())
    return f"robustcert_{name}{f'{{{inside}}}' if inside else ''} {value}"
