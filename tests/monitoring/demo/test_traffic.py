"""The demo's traffic: certified rows in their own units, faults within the contract, and windows with true labels."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

from monitoring.demo.traffic import FAULTS, Rows, Traffic, certified_rows
from robustcert.data.dataset import load_dataset
from robustcert.storage.store import open_store
from tests.chain import Chain


@pytest.fixture(scope="module")
def rows(chain: Chain, tmp_path_factory: pytest.TempPathFactory) -> Rows:
    sha256 = open_store(str(chain.store)).list_documents("certificates/")[0][len("certificates/") :][:12]
    return certified_rows(open_store(str(chain.store)), sha256, tmp_path_factory.mktemp("rows"))


def test_rows_are_those_of_the_source(chain: Chain, rows: Rows) -> None:
    assert chain.files.dataset is not None
    ids = load_dataset(chain.files.dataset).select("test").sample_ids
    assert np.array_equal(rows.raw_N64, load_digits().data[ids])
    assert np.array_equal(rows.labels_N, load_digits().target[ids])


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_gives_rows_that_the_contract_allows(rows: Rows, name: str) -> None:
    broken = FAULTS[name](rows.raw_N64, np.random.default_rng(0))
    assert broken.shape == rows.raw_N64.shape
    assert np.array_equal(broken, np.rint(broken))
    assert 0 <= broken.min() <= broken.max() <= 16
    assert np.array_equal(broken, rows.raw_N64) == (name == "none")


def test_what_was_sent_becomes_a_window_with_its_true_labels(rows: Rows, tmp_path: Path) -> None:
    received: list[Any] = []

    class Server(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with HTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        traffic = Traffic(f"http://127.0.0.1:{server.server_port}/", rows)
        traffic.fault = FAULTS["inverted"]
        with traffic:
            while traffic.kept < 40:
                threading.Event().wait(0.01)
        server.shutdown()
    traffic.write_window(tmp_path / "window.npz")
    window = np.load(tmp_path / "window.npz", allow_pickle=False)
    sent = np.concatenate([np.reshape(body["inputs"][0]["data"], (-1, 64)) for body in received])
    assert {tuple(row) for row in window["x"].reshape(-1, 64)} == {tuple(row) for row in sent}
    assert len(window["x"]) >= 40
    known = {tuple(row): label for row, label in zip(16 - rows.raw_N64, rows.labels_N, strict=True)}
    assert window["y"].tolist() == [known[tuple(row)] for row in window["x"].reshape(-1, 64)]
    assert traffic.answers == {200: len(received)}
