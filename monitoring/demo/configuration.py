"""What every program of the demo is told: files below one folder, ports of loopback, intervals of a second."""

from __future__ import annotations

import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from robustcert.certificate.keys import new_key, write_key_pair
from robustcert.errors import InputError, expected

INTERVAL = "1s"
KEYS = ("issuer", "controller", "drift")  # who signs certificates, statuses, drift records
LEFT_BEHIND = (
    *("store", "programs", "runs", "payloads", "rules", "bundle", "audit.jsonl"),
    *("controller.sqlite", "controller.sqlite-wal", "controller.sqlite-shm"),
)
SCALE = "1/60"  # an hour of the alert rules is a minute here


@dataclass(frozen=True, kw_only=True)
class Places:
    """Where everything lies. Public keys are copied to `trusted`, the one folder that readers are given."""

    folder: Path

    @property
    def certified(self) -> Path:
        """The store as certification left it; each demo works on a copy."""
        return self.folder / "certified"

    @property
    def store(self) -> Path:
        """The certificates' store."""
        return self.folder / "store"

    @property
    def trusted(self) -> Path:
        """Public keys."""
        return self.folder / "trusted"

    @property
    def token(self) -> Path:
        """Bearer token of the controller."""
        return self.folder / "token"

    def key(self, name: str) -> Path:
        """A private key."""
        return self.folder / "keys" / name

    def prepare(self) -> None:
        """Makes keys and token where they are missing, and removes what an earlier demo left, but for its certificate.

        InputError where the folder holds other things than a demo's.
        """
        if self.folder.is_dir() and any(self.folder.iterdir()) and not self.key(KEYS[-1]).exists():
            what, got = "an empty folder or that of an earlier demo", f"'{self.folder}' with other files"
            raise InputError(expected(what, got=got, remedy="name another --out"))
        for name in LEFT_BEHIND:
            path = self.folder / name
            if path.is_dir():
                shutil.rmtree(path)
            path.unlink(missing_ok=True)
        for folder in (self.trusted, self.folder / "keys"):
            folder.mkdir(parents=True, exist_ok=True)
        for name in KEYS:
            if not self.key(name).exists():
                public = write_key_pair(self.key(name), new_key("ed25519"), passphrase=None)
                (self.trusted / public.name).write_bytes(public.read_bytes())
        if not self.token.exists():
            self.token.touch(mode=0o600)
            self.token.write_text(secrets.token_urlsafe(32))


def controller_settings(places: Places, *, listen: str, metrics: str, workers: int) -> str:
    """The controller's file: runs on this machine, no cool-down, everything looked at each second or oftener."""
    return yaml.safe_dump(
        {
            "store": str(places.store),
            "trustedKeys": str(places.trusted),
            "statusKey": str(places.key("controller")),
            "backend": {
                "local": {
                    "folder": str(places.folder / "runs"),
                    "signingKey": str(places.key("issuer")),
                    "trustedKey": str(places.key("issuer")) + ".pub",
                    "workers": workers,
                }
            },
            "database": str(places.folder / "controller.sqlite"),
            "auditLog": str(places.folder / "audit.jsonl"),
            "coolDown": "0s",
            "hysteresis": "30s",
            "ineffectiveAfter": "60s",
            "reconcileInterval": "200ms",
            "scanInterval": INTERVAL,
            "listen": listen,
            "metrics": metrics,
            "bearerTokenFile": str(places.token),
        },
        sort_keys=False,
    )


def prometheus_settings(*, alertmanager: str, jobs: dict[str, str]) -> dict[str, Any]:
    """Scrapes every job each second, and sends its alerts to one Alertmanager."""
    return {
        "global": {"scrape_interval": INTERVAL, "evaluation_interval": INTERVAL},
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]},
        "scrape_configs": [
            {"job_name": name, "static_configs": [{"targets": [address]}]} for name, address in jobs.items()
        ],
    }


def alertmanager_settings(*, controller: str, token: Path) -> dict[str, Any]:
    """Alerts that ask for an action go to the controller at once; the others to nobody: no person is on call here."""
    return {
        "route": {
            "receiver": "nobody",
            "routes": [
                {
                    "receiver": "controller",
                    "matchers": ['action=~"recertify|suspend"'],
                    "group_by": ["alertname", "model", "version"],
                    "group_wait": "0s",
                    "group_interval": INTERVAL,
                    "repeat_interval": "10s",
                }
            ],
        },
        "receivers": [
            {"name": "nobody"},
            {
                "name": "controller",
                "webhook_configs": [
                    {
                        "url": f"{controller}/v1/alertmanager",
                        "send_resolved": True,
                        "http_config": {"authorization": {"credentials_file": str(token)}},
                    }
                ],
            },
        ],
    }
