"""Settings from a file and from the command line; what is wrong is said in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitoring.exporter.settings import read_settings
from robustcert.errors import InputError

FILE = """\
store: s3://certificates/team?endpoint=https://minio.example
trustedKeys: /keys
address: 0.0.0.0
port: 9000
interval: 60
staleness: 3600.5
readers: 16
deployed: deployed.yaml
kubernetes: {namespace: vision}
limits: {models: 5, seriesPerModel: 50, series: 1000}
"""


def test_every_setting_of_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "exporter.yaml").write_text(FILE)
    found = read_settings(tmp_path / "exporter.yaml")
    assert (found.store, found.trusted_keys) == ("s3://certificates/team?endpoint=https://minio.example", "/keys")
    assert (found.address, found.port, found.interval, found.staleness) == ("0.0.0.0", 9000, 60.0, 3600.5)  # noqa: S104
    assert (found.readers, found.deployed) == (16, "deployed.yaml")
    assert found.kubernetes is not None
    assert found.kubernetes.namespace == "vision"
    limits = found.limits.limits()
    assert (limits.models, limits.series_per_model, limits.series) == (5, 50, 1000)


def test_what_is_given_goes_before_the_file(tmp_path: Path) -> None:
    (tmp_path / "exporter.yaml").write_text(FILE)
    found = read_settings(tmp_path / "exporter.yaml", store="out/store", trusted_keys=None, port=0)
    assert (found.store, found.trusted_keys, found.port) == ("out/store", "/keys", 0)


def test_without_a_file_the_rest_has_defaults() -> None:
    found = read_settings(None, store="out/store", trusted_keys="key.pub")
    assert (found.address, found.port, found.interval, found.staleness) == ("127.0.0.1", 9464, 30.0, 900.0)
    assert found.kubernetes is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("store: x\n", "expected a valid setting trustedKeys, got nothing"),
        (FILE + "colour: red\n", "expected a valid setting colour, got 'red': Extra inputs are not permitted"),
        (FILE.replace("9000", "99999"), "expected a valid setting port, got '?99999"),
        (FILE.replace("60", "-1"), "expected a valid setting interval, got '?-1"),
        (FILE.replace("readers: 16", "readers: many"), "expected a valid setting readers, got 'many'"),
        ("- a\n", "expected settings in YAML in '.*', got another value than settings with names"),
        ("a: b: c\n", "expected settings in YAML in '.*', got line 1"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "exporter.yaml").write_text(text)
    with pytest.raises(InputError, match=message):
        read_settings(tmp_path / "exporter.yaml")


def test_a_file_that_is_none_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a readable file of settings"):
        read_settings(tmp_path / "none.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="got other bytes than UTF-8"):
        read_settings(tmp_path / "binary.yaml")
