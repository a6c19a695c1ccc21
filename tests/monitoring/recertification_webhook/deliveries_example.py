"""Deliveries as Alertmanager 0.25 and Grafana 12 send them, with the fields that we do not read."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

from tests.monitoring.recertification_webhook.http_server import NOW, VERSION

SECRET = "a-secret-of-both-sides-0123456789"
TOKEN = "planted-token-5ad3d0044b5357c4e310bb2a"


def alert(number: int = 0, *, status: str = "firing", **labels: str) -> dict[str, Any]:
    """One alert of Alertmanager."""
    fixed = {
        "alertname": "RobustcertInputsDrifted",
        "severity": "warning",
        "model": "digits",
        "version": VERSION,
        "action": "recertify",
        "reason": "input-drift",
    }
    return {
        "status": status,
        "labels": {name: value for name, value in {**fixed, **labels}.items() if value},
        "annotations": {"summary": "margins drifted: PSI 0.412", "runbook_url": "https://example.org/runbook"},
        "startsAt": "2026-11-21T13:05:11.123456789Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus:9090/graph?g0.expr=x",
        "fingerprint": f"{number:016x}",
    }


def alertmanager(*alerts: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """One group of Alertmanager."""
    return {
        "receiver": "recertification",
        "status": "firing",
        "alerts": list(alerts),
        "groupLabels": {"model": "digits"},
        "commonLabels": {"model": "another", "action": "suspend", "version": "ffffffffffff"},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager:9093",
        "version": "4",
        "groupKey": '{}:{model="digits"}',
        "truncatedAlerts": 0,
        **fields,
    }


def grafana(*alerts: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """One group of Grafana."""
    own = {"values": {"A": 0.412}, "silenceURL": "https://grafana/x", "dashboardURL": "", "panelURL": "", "orgId": 1}
    return {
        "receiver": "recertification",
        "status": "firing",
        "orgId": 1,
        "alerts": [{**one, **own} for one in alerts],
        "groupLabels": {},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "https://grafana/",
        "version": "1",
        "groupKey": "{}",
        "truncatedAlerts": 0,
        "title": "[FIRING:1]",
        "state": "alerting",
        "message": "**Firing**",
        **fields,
    }


def signed(body: bytes, *, at: float | None = None, secret: str = SECRET) -> dict[str, str]:
    """Headers with Grafana's signature of a body."""
    timestamp = str(int(NOW.timestamp() if at is None else at))
    signature = hmac.new(secret.encode(), timestamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    return {
        "Content-Type": "application/json",
        "X-Grafana-Alerting-Signature": signature,
        "X-Grafana-Alerting-Timestamp": timestamp,
    }
