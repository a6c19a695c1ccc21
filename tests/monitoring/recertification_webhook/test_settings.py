"""Settings: every key of the file, wrong ones named in one line, secrets by path only."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from monitoring.recertification_webhook.settings import Settings, duration, read_settings
from robustcert.errors import InputError

SMALLEST = """\
store: store
trustedKeys: keys
database: data/controller.sqlite
auditLog: data/audit.jsonl
backend: {local: {folder: runs, signingKey: issuer}}
"""


def settings(folder: Path, text: str) -> Settings:
    (folder / "controller.yaml").write_text(text)
    return read_settings(folder / "controller.yaml")


def test_relative_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    found = settings(tmp_path, SMALLEST)
    assert found.database == tmp_path / "data/controller.sqlite"
    assert found.store == str(tmp_path / "store")
    assert found.backend.local is not None
    assert found.backend.local.signing_key == tmp_path / "issuer"
    assert found.status_key is None


def test_a_store_elsewhere_and_absolute_paths_stay(tmp_path: Path) -> None:
    found = settings(tmp_path, SMALLEST.replace("store: store", "store: s3://bucket/prefix").replace("keys", "/keys"))
    assert (found.store, found.trusted_keys) == ("s3://bucket/prefix", Path("/keys"))


def test_every_key_reaches_its_setting(tmp_path: Path) -> None:
    text = SMALLEST.replace(
        "backend: {local: {folder: runs, signingKey: issuer}}",
        """\
statusKey: status
backend:
  kubeflow: {host: https://kf, namespace: team, tokenFile: token, caFile: ca, experiment: e, serviceAccount: sa,
             parameters: {shards: 4}, answer: 5s, settle: 1m, ui: https://ui}
coolDown: 1h
hysteresis: 2h
ineffectiveAfter: 3m
forgetAfter: 4d
budgetPerDay: 5
mostRunning: 6
mostAttempts: 7
retryBase: 8s
retryMost: 9m
runDeadline: 10h
recertifyBefore: 11d
reconcileInterval: 500ms
scanInterval: 13s
suspendOnFailure: false
drift: {suspendOnGross: false}
listen: 0.0.0.0:1
metrics: 0.0.0.0:2
bearerTokenFile: bearer
grafanaSecretFile: secret
tls: {certificate: c, key: k, clientCa: a}
""",
    )
    found, plain = settings(tmp_path, text), settings(tmp_path, SMALLEST)
    unchanged = {name for name, value in found if getattr(plain, name) == value}
    assert unchanged == {"store", "trusted_keys", "database", "audit_log"}
    kubeflow = found.backend.kubeflow
    assert kubeflow is not None
    assert (kubeflow.parameters, kubeflow.settle) == ({"shards": 4}, timedelta(minutes=1))
    assert found.reconcile_interval == timedelta(milliseconds=500)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (SMALLEST + "cooldown: 1h\n", "valid cooldown, got Extra inputs are not permitted"),
        (SMALLEST + "coolDown: soon\n", "valid coolDown, got expected a time such as 90s"),
        (SMALLEST + "retryBase: 0s\n", "valid retryBase, got Input should be greater than"),
        (SMALLEST + "mostRunning: 0\n", "valid mostRunning"),
        (
            SMALLEST.replace("local: {folder: runs, signingKey: issuer}", "kubeflow: {host: h, answer: 50s}"),
            "valid backend.kubeflow, got expected settle to be at least twice as long as answer",
        ),
        (SMALLEST.replace("backend: {local: {folder: runs, signingKey: issuer}}", "backend: {}"), "exactly one of"),
        (SMALLEST.replace("store: store\n", ""), "valid store, got Field required"),
        ("a: &x 1", "no anchors"),
        ("", "which is empty"),
    ],
)
def test_what_is_wrong_is_named_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as refusal:
        settings(tmp_path, text)
    assert "\n" not in str(refusal.value)


def test_a_missing_file_is_wrong_input(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the controller's settings"):
        read_settings(tmp_path / "none.yaml")


@pytest.mark.parametrize(("text", "seconds"), [("250ms", 0.25), ("90s", 90), ("1.5m", 90), ("2h", 7200), ("1d", 86400)])
def test_times_carry_their_unit(text: str, seconds: float) -> None:
    assert duration(text) == timedelta(seconds=seconds)
