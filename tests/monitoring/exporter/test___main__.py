"""The program as people start it: what it says of wrong input, what it serves, and how it stops."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from monitoring.exporter.__main__ import main
from robustcert.certificate.keys import new_key, write_key_pair
from tests.monitoring.exporter.fleet import Fleet, Unflushed
from tests.monitoring.exporter.test_series import Sample, parsed

LONGEST = 60.0


@contextlib.contextmanager
def running(*arguments: str, **environment: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process, and the address that it says it serves at."""
    command = [sys.executable, "-m", "monitoring.exporter", "--port", "0", "--interval", "0.05", *arguments]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment}) as process:
        try:
            assert process.stderr is not None
            line = process.stderr.readline()
            found = re.search(r"serving (http://[\d.:]+)/metrics", line)
            assert found, line
            yield process, found[1]
        finally:
            process.kill()


def scraped(url: str) -> dict[Sample, float]:
    return parsed(httpx.get(f"{url}/metrics", timeout=10, trust_env=False).text)


def scraped_when_ready(url: str) -> dict[Sample, float]:
    end = time.monotonic() + LONGEST
    while httpx.get(f"{url}/readyz", timeout=10, trust_env=False).status_code != 200:
        assert time.monotonic() < end
    return scraped(url)


@pytest.fixture
def keys(fleet: Fleet, tmp_path: Path) -> Path:
    """A folder of two trusted keys, one of which signed the fleet's documents."""
    (tmp_path / "keys").mkdir()
    write_key_pair(tmp_path / "keys" / "issuer", fleet.key, passphrase=None)
    write_key_pair(tmp_path / "keys" / "other", new_key("ecdsa-p256"), passphrase=None)
    return tmp_path / "keys"


def test_it_serves_a_store_until_it_is_told_to_stop(fleet: Fleet, store: Unflushed, keys: Path, tmp_path: Path) -> None:
    fleet.add(0)
    (tmp_path / "deployed.yaml").write_text("deployed: [{model: model-0, workload: api}]")
    arguments = ("--store", str(store.root), "--trusted-keys", str(keys), "--deployed", str(tmp_path / "deployed.yaml"))
    with running(*arguments) as (process, url):
        found = scraped_when_ready(url)
        assert {"robustcert_certificate_info", "robustcert_deployed"} <= {name for name, _ in found}
        process.send_signal(signal.SIGTERM)
        assert process.wait(LONGEST) == 0
        assert process.stderr is not None
        assert process.stderr.read().endswith("INFO stopped\n")


def test_it_loads_no_torch_and_no_kubernetes_client_unless_asked(root: Path) -> None:
    modules = "monitoring.exporter.__main__, monitoring.exporter.assembly, monitoring.exporter.server"
    code = f"import sys, {modules}; print([m for m in sys.modules if m in sys.argv[1:]])"
    heavy = ["torch", "sklearn", "pandas", "evidently", "kubernetes", "kfp", "fastapi"]
    done = subprocess.run([sys.executable, "-c", code, *heavy], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    text = capsys.readouterr().out
    for word in ("--store", "--trusted-keys", "examples:", "invalid_objects_total", "AWS_ACCESS_KEY_ID", "/readyz"):
        assert word in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "error: expected a valid setting store, got nothing"),
        (["--store", "x"], "error: expected a valid setting trustedKeys, got nothing"),
        (["--store", "x", "--trusted-keys", "none.pub"], "error: expected a key file at 'none.pub', got no such file"),
        (["--store", "ftp://x", "--trusted-keys", "KEY"], "error: expected a folder, file:///path or s3://"),
        (["--store", "x", "--trusted-keys", "KEY", "--port", "70000"], "error: expected a valid setting port"),
        (["--store", "x", "--trusted-keys", "KEY", "--deployed", "none"], "error: expected a list of deployed models"),
        (["--store", "s3://b", "--trusted-keys", "KEY"], "error: expected "),
        (["--config", "none.yaml"], "error: expected a readable file of settings"),
    ],
)
def test_wrong_input_is_one_line_and_status_2(
    arguments: list[str],
    message: str,
    keys: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([str(keys) if each == "KEY" else each for each in arguments]) == 2
    said = capsys.readouterr().err
    assert said.startswith(message)
    assert said.count("\n") == 1
