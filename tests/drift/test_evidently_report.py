"""Evidently's page: its figures are scipy's, nothing is sent, and what it could not take is left out with a reason."""

from __future__ import annotations

import os
import re
import socket
from typing import Any, NoReturn

import numpy as np
import pytest
from scipy.stats import chisquare, ks_2samp

from robustcert.drift.evidently_report import MOST_ROWS, evidently_page
from robustcert.errors import InputError

N, M = 1200, 900  # more than 1000 rows of the reference: there Evidently would choose another method by itself


def columns(rows: int, seed: int, *, shift: float = 0.0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {
        "moved": rng.normal(shift, 1, rows),
        "still": rng.normal(0, 1, rows),
        "pixels": rng.integers(0, 255, rows).astype(np.uint8),
        "site": np.array(["north", "south"], dtype=object)[rng.integers(0, 2, rows)],
        "constant": np.ones(rows),
        "empty": np.full(rows, np.nan),
        "names": np.array([f"name {number}" for number in range(rows)], dtype=object),
        "mixed": rng.normal(0, 1, rows),
    }


@pytest.fixture
def no_socket(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    asked: list[str] = []

    def refuse(*arguments: object, **_: object) -> NoReturn:
        asked.append(repr(arguments))
        raise ConnectionError("a socket was opened")

    for name in ("connect", "connect_ex", "sendto", "bind"):
        monkeypatch.setattr(socket.socket, name, refuse)
    for name in ("getaddrinfo", "create_connection"):
        monkeypatch.setattr(socket, name, refuse)
    return asked


def test_the_page_is_about_every_fit_column_by_its_own_method_and_nothing_is_sent(
    no_socket: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DO_NOT_TRACK", raising=False)
    monkeypatch.setenv("MPLBACKEND", "svg")
    reference, window = columns(N, 0), columns(M, 1, shift=1.0)
    window["mixed"] = np.array(["text"] * M, dtype=object)
    found = evidently_page(reference, window, alpha=0.01)
    assert no_socket == []
    assert (os.environ.get("DO_NOT_TRACK"), os.environ["MPLBACKEND"]) == (None, "svg")
    assert set(found.p_values) == {"moved", "still", "pixels", "site", "constant"}
    for name in ("moved", "still", "pixels"):
        assert found.p_values[name] == pytest.approx(ks_2samp(reference[name], window[name]).pvalue, rel=1e-6)
    assert found.left_out == {
        "empty": "no values",
        "names": "more than 50 different texts",
        "mixed": "numbers on one side only",
    }
    assert not re.search(rb"(?:src|href)=[\"']?https?://(?!plotly\.com)", found.html), "it refers to nothing outside"
    before, now = (np.unique(side["site"].astype(str), return_counts=True)[1] for side in (reference, window))
    assert found.p_values["site"] == pytest.approx(chisquare(now, before * M / N).pvalue, rel=1e-6)


def test_a_page_of_too_many_rows_is_refused() -> None:
    many = {"x": np.zeros(MOST_ROWS + 1)}
    with pytest.raises(InputError, match="at most 10000 rows for Evidently, got 10001"):
        evidently_page(many, {"x": np.zeros(10)}, alpha=0.01)
