"""The example over HTTP: a real server on loopback, a real certificate; the model itself is the oracle."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from prometheus_client.parser import text_string_to_metric_families

from examples.serving.app import MOST_BYTES, Settings, open_serving, serve
from robustcert.certificate.bundle import DATASET
from robustcert.certificate.keys import load_signing_key
from robustcert.certificate.status import StatusChange, write_status
from robustcert.data.dataset import load_dataset
from robustcert.drift.rows import open_rows
from robustcert.errors import DataError, VerificationError
from robustcert.models.files import load_model
from robustcert.provenance.digests import sha256_file
from robustcert.specification_file import recorded_specification
from robustcert.storage.store import Store
from tests.chain import Chain
from tests.examples.serving.server import Running, until

INFER, SMOOTHED = "/v2/models/digits/infer", "/v1/models/digits:smoothed"
Served = Callable[..., Running]
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def digits(chain: Chain) -> np.ndarray[Any, Any]:
    """Test images as stored, 0 to 16, (N, 64)."""
    dataset = load_dataset(chain.bundle / DATASET).select("test")
    return dataset.x().reshape(len(dataset), -1) * 16


def v2(rows: np.ndarray[Any, Any], **more: Any) -> dict[str, Any]:
    tensor = {"name": "x", "shape": list(rows.shape), "datatype": "FP64", "data": rows.ravel().tolist()}
    return {"inputs": [tensor]} | more


def outputs(found: Any) -> dict[str, Any]:
    return {tensor["name"]: tensor["data"] for tensor in found.json()["outputs"]}


def scraped(text: str, name: str, **labels: str) -> float:
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return sum(s.value for s in samples if s.name == f"robustcert_{name}" and labels.items() <= s.labels.items())


def test_plain_answers_are_the_models_own(served: Served, chain: Chain, digits: np.ndarray[Any, Any]) -> None:
    found = served().client.post(INFER, json=v2(digits[:5]), headers={"ce-id": "event-1"})
    with torch.no_grad():
        x = torch.from_numpy((digits[:5] / 16).astype(np.float32)).reshape(-1, 1, 8, 8)
        wanted = load_model(chain.bundle / "model.safetensors").module(x)
    assert found.status_code == 200
    assert np.allclose(np.reshape(outputs(found)["logits"], (5, 10)), wanted.numpy(), atol=1e-5)
    assert outputs(found)["prediction"] == wanted.argmax(dim=1).tolist()
    assert outputs(found)["label"] == [str(label) for label in wanted.argmax(dim=1).tolist()]
    assert (found.json()["id"], found.headers["ce-id"]) == ("event-1", "event-1")
    assert found.headers["robustcert-certificate"] == sha256_file(chain.files.certificate)[:12]
    assert found.headers["robustcert-certificate-status"] == "active"


def test_smoothed_answers_abstain_on_noise_and_say_what_they_are(served: Served, digits: np.ndarray[Any, Any]) -> None:
    client = served().client
    rows = [*digits[:6].tolist(), [8.0] * 64]
    found = client.post(SMOOTHED, json={"instances": rows}).json()
    assert [set(one) for one in found["predictions"]] == [{"label", "abstained", "radius", "voteShare"}] * 7
    assert not all(one["abstained"] for one in found["predictions"])
    for one in found["predictions"]:
        assert one["abstained"] == (one["label"] is None)
        assert one["radius"] is None or 0 < float(one["radius"]) < 1
        assert one["radius"] is None or not one["abstained"]
    assert (found["sigma"], found["unit"], found["alpha"]) == ("0.25", "input", "0.001")
    assert "It does not say that the class is right." in found["what"]
    again = outputs(client.post(INFER, json=v2(np.array(rows), parameters={"smoothed": True})))
    assert again["abstained"] == [one["abstained"] for one in found["predictions"]]
    assert again["label"] == [one["label"] or "" for one in found["predictions"]]
    assert again["radius"] == [one["radius"] or "0" for one in found["predictions"]]


def bad_bodies() -> list[tuple[str, bytes, int, str]]:
    ok = v2(np.zeros((1, 64)))
    high, short = v2(np.full((1, 64), 16.5)), v2(np.zeros((1, 63)))
    missing = json.dumps(ok).replace("0.0", "NaN", 1).encode()
    return [
        (INFER, b"", 400, "got no JSON"),
        (INFER, b"[" * 100_000, 400, "nested too deep"),
        (INFER, json.dumps(short).encode(), 400, "expected rows of shape [1, 8, 8]"),
        (INFER, json.dumps(high).encode(), 422, "expected a number from 0 to 16 as value 0 of row 0, got 16.5"),
        (INFER, missing, 422, "got nan"),
        (INFER, json.dumps(v2(np.zeros((1025, 64)))).encode(), 400, "expected at most 1024 rows, got 1025"),
        (INFER, b" " * (MOST_BYTES + 1), 413, "expected at most 1048576 bytes"),
        (SMOOTHED, b"{}", 400, "expected 'instances', a list of rows"),
        (SMOOTHED, b"nonsense", 400, "expected a JSON body"),
        (SMOOTHED, b'{"instances": [["a"]]}', 400, "expected rows of numbers"),
        (SMOOTHED, json.dumps({"instances": [[0] * 64] * 33}).encode(), 400, "expected at most 32 rows"),
    ]


def test_bad_input_is_refused_in_one_line_and_counted_as_invalid(served: Served) -> None:
    client = served().client
    bodies = bad_bodies()
    for path, sent, status, message in bodies:
        found = client.post(path, content=sent)
        assert (found.status_code, message in found.json()["error"]) == (status, True), found.text[:300]
        assert "\n" not in found.json()["error"]
    metrics = client.get("/metrics").text
    assert scraped(metrics, "predictions_total", outcome="invalid") == len(bodies)
    assert scraped(metrics, "predictions_total") == len(bodies)
    assert scraped(metrics, "prediction_distance_bin_total") == 0
    assert client.post("/v2/models/other/infer", content=b"{}").status_code == 404


def test_every_answer_is_counted_and_logged_under_its_id(
    served: Served, digits: np.ndarray[Any, Any], tmp_path: Path
) -> None:
    running = served(payload_log=tmp_path / "log")
    for number in range(20):
        headers = {"ce-id": f"e-{number}", "robustcert-segment": "north" if number % 2 else "south"}
        running.client.post(INFER, json=v2(digits[number : number + 1]), headers=headers)
    running.client.post(INFER, json=v2(np.full((1, 64), 99.0)), headers={"ce-id": "bad"})
    metrics = running.client.get("/metrics").text
    assert scraped(metrics, "predictions_total", outcome="predicted") == 20
    assert scraped(metrics, "segment_predictions_total", segment="north", outcome="predicted") == 10
    assert scraped(metrics, "payloads_received_total") == 21
    assert scraped(metrics, "prediction_duration_seconds_count") == 21
    running.serving.close()
    rows = {row["id"]: row for path in (tmp_path / "log").glob("*.parquet") for row in pq.read_table(path).to_pylist()}
    assert set(rows) == {f"e-{number}" for number in range(20)} | {"bad"}
    assert rows["e-3"]["x"] == digits[3].tolist()
    assert (rows["bad"]["outcome"], rows["bad"]["prediction"]) == ("invalid", None)


def test_the_batch_report_reads_the_log(
    served: Served, chain: Chain, digits: np.ndarray[Any, Any], tmp_path: Path
) -> None:
    running = served(payload_log=tmp_path / "log")
    running.client.post(INFER, json=v2(digits[:50]))
    running.serving.close()
    data = recorded_specification(chain.predicate.specification.text, name="specification").specification.data
    with open_rows(str(tmp_path / "log"), data=data) as source:
        values = np.concatenate([batch.values.reshape(len(batch.values), -1) for batch in source.batches()])
    assert np.array_equal(values, digits[:50])


def test_clean_traffic_keeps_to_the_certificates_bins_and_inverted_traffic_leaves_them(
    served: Served, digits: np.ndarray[Any, Any]
) -> None:
    running = served()
    counters = running.serving.service.observer.counters
    running.client.post(INFER, json=v2(digits))
    reference = counters.reference
    assert counters.counts().distance == reference.distance.counts
    assert counters.counts().margin == reference.margin.counts
    running.client.post(INFER, json=v2(16 - digits))
    drifted = counters.counts().distance[-1] - reference.distance.counts[-1]
    assert drifted > 0.9 * len(digits)


def suspend(chain: Chain, store: Store, status: Any = "suspended") -> None:
    key = load_signing_key(chain.signing_key, passphrase=None)
    change = StatusChange(status=status, reason="input-drift", cause="inputs drifted grossly", decided_by="a test")
    data = chain.files.certificate.read_bytes()
    write_status(store, data, change, key=key, keys=[chain.key], now=datetime.now(UTC))


def test_a_suspension_shows_in_the_header_and_stops_answers_only_where_asked_for(
    served: Served, chain: Chain, published_store: Store, digits: np.ndarray[Any, Any]
) -> None:
    lax, strict = served(check_seconds=0.02), served(check_seconds=0.02, require_certificate=True)
    assert strict.client.post(INFER, json=v2(digits[:1])).status_code == 200
    suspend(chain, published_store)
    for running in (lax, strict):
        until(lambda running=running: running.serving.watch.standing().status == "suspended")
    found = lax.client.post(INFER, json=v2(digits[:1]))
    assert (found.status_code, found.headers["robustcert-certificate-status"]) == (200, "suspended")
    refused = strict.client.post(INFER, json=v2(digits[:1]))
    assert refused.status_code == 503
    assert refused.json()["error"] == "expected a certificate in force, got one that is suspended; recertify the model"
    assert strict.client.get("/healthz").headers["robustcert-certificate-status"] == "suspended"
    suspend(chain, published_store, "active")
    until(lambda: strict.client.post(INFER, json=v2(digits[:1])).status_code == 200)


def test_a_certificate_that_no_trusted_key_signed_is_not_served(
    settings_of: Callable[..., Settings], tmp_path: Path
) -> None:
    from robustcert.certificate.keys import new_key, write_key_pair

    other = write_key_pair(tmp_path / "other", new_key("ed25519"), passphrase=None)
    with pytest.raises(VerificationError, match="expected a signature by one of 1 trusted keys"):
        open_serving(settings_of(trusted_keys=other))


def test_a_reference_of_another_model_is_refused(settings_of: Callable[..., Settings], tmp_path: Path) -> None:
    serving = open_serving(settings_of())
    own, path = serving.service.observer.reference, tmp_path / "reference.json"
    path.write_bytes(own.to_json())
    assert open_serving(settings_of(reference=path)).service.observer.reference == own
    path.write_bytes(own.to_json().replace(own.model_sha256.encode(), b"0" * 64))
    with pytest.raises(DataError, match="expected a drift reference of the served model"):
        open_serving(settings_of(reference=path))


def test_the_program_answers_and_writes_its_log_when_it_is_stopped(
    chain: Chain, published_store: Store, digits: np.ndarray[Any, Any], tmp_path: Path
) -> None:
    with socket.socket() as answers, socket.socket() as metrics:
        answers.bind(("127.0.0.1", 0))
        metrics.bind(("127.0.0.1", 0))
        port, metrics_port = answers.getsockname()[1], metrics.getsockname()[1]
    options = {
        "store": published_store.uri, "certificate": "digits", "trusted-key": chain.public_key, "port": port,
        "metrics-port": metrics_port, "payload-log": tmp_path / "log", "draws": 64,
    }  # fmt: skip
    command = [sys.executable, "-m", "examples.serving.app"]
    command += [part for name, value in options.items() for part in (f"--{name}", str(value))]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE) as program:
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
                until(lambda: program.poll() is None and answers_at(client, "/healthz"))
                assert client.post(INFER, json=v2(digits[:2]), headers={"ce-id": "last"}).status_code == 200
            scrape = httpx.get(f"http://127.0.0.1:{metrics_port}/metrics").text
            assert scraped(scrape, "predictions_total", outcome="predicted") == 2
        finally:
            program.terminate()
        assert program.stderr is not None
        assert program.stderr.read().startswith(b"serving digits ")
    rows = [row for path in (tmp_path / "log").glob("*.parquet") for row in pq.read_table(path)["id"].to_pylist()]
    assert rows == ["last/0", "last/1"]


def answers_at(client: httpx.Client, path: str) -> bool:
    try:
        return client.get(path).status_code == 200
    except httpx.ConnectError:
        return False


def test_the_command_says_in_one_line_what_is_wrong(chain: Chain, capsys: pytest.CaptureFixture[str]) -> None:
    import typer

    with pytest.raises(typer.Exit) as ended:
        serve(store=str(chain.store), certificate="no-such-name", trusted_key=chain.public_key)
    assert ended.value.exit_code == 2
    assert capsys.readouterr().err.startswith("expected one certificate, by digest or published name")


@pytest.mark.parametrize(
    ("given", "message"),
    [({"margin": "vote"}, "expected logits or votes as --margin, got 'vote'"),
     ({"sample_ratio": 2.0}, "expected a sample ratio from 0 to 1, got 2.0")],
)  # fmt: skip
def test_an_option_that_is_wrong_is_one_line(
    chain: Chain, capsys: pytest.CaptureFixture[str], given: dict[str, Any], message: str
) -> None:
    import typer

    with pytest.raises(typer.Exit) as ended:
        serve(store=str(chain.store), certificate="digits", trusted_key=chain.public_key, **given)
    assert ended.value.exit_code == 2
    assert capsys.readouterr().err.startswith(message)
