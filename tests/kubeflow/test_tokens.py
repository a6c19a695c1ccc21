"""The token is read anew for each request, and nothing shows it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from robustcert.errors import KeyFileError
from robustcert.kubeflow.answers import AnswerError
from robustcert.kubeflow.client import KubeflowClient
from robustcert.kubeflow.tokens import TokenFile
from tests.kubeflow.stand_in import StandIn


def test_a_token_that_the_kubelet_replaced_is_used_at_once(
    connect: Callable[..., KubeflowClient], tmp_path: Path
) -> None:
    path = tmp_path / "token"
    with StandIn(tokens={"second"}) as server:
        client = connect(server.host, token=path, namespace="team")
        path.write_text("first\n")
        with pytest.raises(AnswerError, match=r"401 .*User identity is empty"):
            client.experiment("robustcert")
        path.write_text("second\n")
        assert client.experiment("robustcert") is None


@pytest.mark.parametrize("text", ["", "\n", "two words", "a\nb", "tök", "x" * 70_000, "nul\0byte"])
def test_a_file_without_one_token_is_refused_without_showing_it(tmp_path: Path, text: str) -> None:
    (tmp_path / "token").write_text(text)
    with pytest.raises(KeyFileError, match="expected a file with one token and nothing else") as refused:
        TokenFile(tmp_path / "token").read()
    assert text.strip() == "" or text not in str(refused.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match=r"expected a token file, got '.*nothing', which can't be read \(No such"):
        TokenFile(tmp_path / "nothing").read()


def test_no_representation_shows_the_token(connect: Callable[..., KubeflowClient], tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret-token")
    client = connect("http://localhost:1", token=tmp_path / "token")
    assert "secret-token" not in repr((vars(client), client.connection, TokenFile(tmp_path / "token")))
