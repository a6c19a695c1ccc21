import os
from pathlib import Path

import pytest

from robustcert.errors import StorageError
from robustcert.storage.s3_credentials import FreshCredentials

SECRET = "aSecretThatNoMessageMayHold"


@pytest.fixture(autouse=True)
def _no_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("AWS_", "MINIO_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


def found() -> tuple[str, str, str | None]:
    credentials = FreshCredentials().retrieve()
    return credentials.access_key, credentials.secret_key, credentials.session_token


def write(folder: Path, number: int) -> None:
    lines = (f"aws_access_key_id = id{number}", f"aws_secret_access_key = s{number}", f"aws_session_token = t{number}")
    (folder / "credentials").write_text("\n".join(["[default]", *lines]))


def test_minios_variables_come_before_amazons_and_those_before_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, 1)
    assert found() == ("id1", "s1", "t1")
    for name, value in {"ACCESS_KEY_ID": "id2", "SECRET_ACCESS_KEY": "s2", "SESSION_TOKEN": "t2"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    assert found() == ("id2", "s2", "t2")
    monkeypatch.setenv("MINIO_ACCESS_KEY", "id3")
    monkeypatch.setenv("MINIO_SECRET_KEY", "s3")
    assert found() == ("id3", "s3", None)


def test_a_secret_that_is_rotated_is_taken_by_the_next_request(tmp_path: Path) -> None:
    credentials = FreshCredentials()
    for number in (1, 2):
        write(tmp_path, number)
        assert credentials.retrieve().secret_key == f"s{number}"


@pytest.mark.parametrize(
    "content", ["", f"aws_secret_access_key = {SECRET}", f"[default]\naws_secret_access_key = {SECRET}", "[default\n"]
)
def test_what_can_not_be_read_is_told_and_not_quoted(tmp_path: Path, content: str) -> None:
    (tmp_path / "credentials").write_text(content)
    with pytest.raises(StorageError, match="expected credentials for S3, got none that can be read; set AWS_ACC") as it:
        found()
    assert SECRET not in str(it.value)
    assert it.value.__context__ is None


def test_half_a_pair_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    with pytest.raises(StorageError, match="none that can be read; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"):
        found()


def test_no_log_can_show_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    credentials = FreshCredentials()
    assert SECRET not in f"{credentials!r} {credentials.retrieve()!r} {credentials.retrieve()}"
