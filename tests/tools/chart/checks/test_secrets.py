"""No secret's text stands in an object."""

from __future__ import annotations

import base64
import random
import secrets
import string

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.tools.chart.checks.good_release import EXPORTER, IN_CONTAINER, Change, add, changed, found, good_objects, put
from tools.chart.checks.secrets import looks_random

LABELS = next(item for item in good_objects() if item["kind"] == "Deployment")["metadata"]["labels"]
PEM = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
ACCESS_KEY = "AKIA" + "Q7XJ2LMZ" * 2
WRITTEN = "secrets-are-named-not-written"


def variable(name: str, value: str) -> Change:
    return put(EXPORTER, IN_CONTAINER + "env.2", {"name": name, "value": value})


def argument(value: str) -> Change:
    return put(EXPORTER, IN_CONTAINER + "args.4", value)


@pytest.mark.parametrize(
    ("change", "checks"),
    [
        (variable("NOTE", PEM), {WRITTEN}),
        (put("ConfigMap/r-keys", "data.issuer~pem", PEM), {WRITTEN}),
        (put("ConfigMap/r-keys", "data.issuer~pem", base64.b64encode(PEM.encode()).decode()), {WRITTEN}),
        (variable("NOTE", ACCESS_KEY), {WRITTEN}),
        (argument(f"--deployed={ACCESS_KEY}"), {WRITTEN}),
        (variable("NOTE", "ghp_" + "a1B2c3" * 6), {WRITTEN}),
        (variable("NOTE", "https://user:word@example.org/x"), {WRITTEN}),
        (put(EXPORTER, "metadata.annotations", {"note": ACCESS_KEY}), {WRITTEN}),
        (variable("NOTE", secrets.token_hex(32)), {"random-words-are-not-written"}),
        (put("ConfigMap/r-keys", "data.tokens", f"ann read {secrets.token_hex(16)}"), {"random-words-are-not-written"}),
        (put(EXPORTER, "metadata.annotations", {"note": secrets.token_hex(32)}), {"random-words-are-not-written"}),
        (variable("AWS_SECRET_ACCESS_KEY", "guest"), {"secret-variables-come-from-secrets"}),
        (variable("STORE_PASSWORD", "guest"), {"secret-variables-come-from-secrets"}),
        (
            add({"kind": "Secret", "metadata": {"name": "s", "namespace": "r", "labels": LABELS}, "data": {}}),
            {"no-secret-is-rendered"},
        ),
    ],
)
def test_each_change_is_found_by_its_check(change: Change, checks: set[str]) -> None:
    assert found(changed(change)) == checks


@pytest.mark.parametrize(
    "change",
    [
        variable("TOKEN_PATH", "/etc/keys/issuer.pub"),
        put(EXPORTER, "metadata.annotations", {"checksum/config": secrets.token_hex(32)}),
        put(EXPORTER, "metadata.annotations", {"note": f"sha256:{secrets.token_hex(32)}"}),
        variable("NOTE", "robustcert_recertification_last_reconcile_timestamp_seconds"),
        variable("NOTE", "https://certificates.example.org/a/long/path/which/goes/on/2026/11/21/index.html"),
    ],
)
def test_paths_digests_names_and_addresses_are_no_secrets(change: Change) -> None:
    assert found(changed(change)) == set()


def test_random_words_of_forty_letters_look_random_and_words_of_prose_do_not() -> None:
    source = random.Random(5)
    letters = string.ascii_letters + string.digits
    words = ["".join(source.choice(letters) for _ in range(40)) for _ in range(500)]
    assert sum(looks_random(word) for word in words) > 490
    names = [
        "-".join(source.choices(["Robust", "certificate", "Of", "model", "drift", "x86"], k=7)) for _ in range(500)
    ]
    assert sum(looks_random(name) for name in names) == 0
