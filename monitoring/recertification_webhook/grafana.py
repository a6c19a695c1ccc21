"""Grafana's unified alerting webhook: what it sends, its signature, and the triggers in it.

Source: https://grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/integrations/webhook-notifier/
(Grafana 12 signs: lowercase hexadecimal HMAC-SHA256 over `timestamp:body`, where a timestamp header is configured, of
Unix seconds.) Alerts named DatasourceNoData and DatasourceError carry the rule's labels and mean that Grafana could
not look: they are ignored, an alert on the age of the input tells people.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from monitoring.recertification_webhook import labels
from monitoring.recertification_webhook.alertmanager import Count, DeliveredPart, Fingerprint, Labels
from monitoring.recertification_webhook.labels import Skipped, trigger_of
from monitoring.recertification_webhook.limits import MOST_ALERTS
from monitoring.recertification_webhook.refusal import RefusalError, unavailable
from monitoring.recertification_webhook.trigger import Trigger
from monitoring.recertification_webhook.watched_file import WatchedFile, one_secret
from robustcert.errors import KeyFileError, expected

SIGNATURE_HEADER = "X-Grafana-Alerting-Signature"
TIMESTAMP_HEADER = "X-Grafana-Alerting-Timestamp"  # Grafana gives it no name of its own: configure this one
REPLAY_SECONDS = 300
FORGET_SECONDS = 10
NOT_AN_OBSERVATION = ("DatasourceNoData", "DatasourceError")


class GrafanaAlert(DeliveredPart):
    """One alert of a group."""

    status: Literal["firing", "resolved"]
    labels: Labels
    annotations: Labels = Field(default_factory=dict)
    startsAt: AwareDatetime
    fingerprint: Fingerprint


class GrafanaDelivery(DeliveredPart):
    """One group of alerts."""

    version: Literal["1"] = "1"
    groupKey: str = ""
    truncatedAlerts: Count = 0
    alerts: Annotated[list[GrafanaAlert], Field(max_length=MOST_ALERTS)]


def read_alert(alert: GrafanaAlert, *, received_at: datetime) -> Trigger | Skipped:
    """The trigger that an alert is, or why it is none."""
    if alert.labels.get("alertname") in NOT_AN_OBSERVATION:
        return Skipped(result="ignored", why="Grafana could not evaluate its rule")
    common = labels.Alert(
        labels=alert.labels,
        annotations=alert.annotations,
        fingerprint=alert.fingerprint,
        starts_at=alert.startsAt,
        resolved=alert.status == "resolved",
    )
    return trigger_of(common, source="grafana", received_at=received_at)


class Signatures:
    """Checks Grafana's signatures; takes each one once within the five minutes for which its timestamp is good.

    What was taken is kept in memory alone: after a restart a replay is a duplicate of an episode that the database has.
    """

    def __init__(self, secret_file: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._secret = WatchedFile(secret_file, parse=one_secret)
        self._clock = clock
        self._taken: dict[str, int] = {}  # signature -> its timestamp
        self._forgotten_at = 0.0

    def check(self) -> None:
        """KeyFileError where the secret can't be read."""
        self._secret.value()

    @contextmanager
    def claim(self, headers: Mapping[str, str], body: bytes) -> Iterator[None]:
        """Takes the signature of a body; gives it back where what follows fails, since Grafana then sends it again."""
        signature, timestamp = self._verified(headers, body)
        self._forget_old()
        if signature in self._taken:
            raise _unsigned("one that came before", remedy="sign with the time of sending")
        self._taken[signature] = timestamp
        try:
            yield
        except BaseException:
            self._taken.pop(signature, None)
            raise

    def _verified(self, headers: Mapping[str, str], body: bytes) -> tuple[str, int]:
        given, timestamp = headers.get(SIGNATURE_HEADER, ""), headers.get(TIMESTAMP_HEADER, "")
        if not re.fullmatch(r"[0-9]{1,12}", timestamp) or abs(self._clock() - int(timestamp)) > REPLAY_SECONDS:
            remedy = f"set {TIMESTAMP_HEADER} as the timestamp header, and check the clocks"
            raise _unsigned(f"no {TIMESTAMP_HEADER}, or one more than {REPLAY_SECONDS} s off", remedy=remedy)
        try:
            secret = self._secret.value()
        except KeyFileError as error:
            raise unavailable("the secret's file can't be read at the moment; try again") from error
        right = hmac.new(secret, timestamp.encode("ascii") + b":" + body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(right.encode("ascii"), given.encode("utf-8", "surrogateescape")):
            raise _unsigned("another or none", remedy="configure the same secret on both sides")
        return right, int(timestamp)

    def _forget_old(self) -> None:
        now = self._clock()
        if abs(now - self._forgotten_at) >= FORGET_SECONDS:
            self._forgotten_at = now
            self._taken = {signature: at for signature, at in self._taken.items() if at >= now - REPLAY_SECONDS}


def _unsigned(got: str, *, remedy: str) -> RefusalError:
    return RefusalError(401, expected(f"a valid {SIGNATURE_HEADER}", got=got, remedy=remedy))
