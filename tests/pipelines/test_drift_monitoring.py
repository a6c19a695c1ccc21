"""The compiled drift pipeline: one step with a key of its own, which ends well whatever the verdict is."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from components.drift_monitoring.component import drift_monitoring
from pipelines.drift_monitoring import KEY_FOLDER
from robustcert.certificate.keys import load_verification_key, new_key, write_key_pair
from robustcert.drift.record import parse_record
from robustcert.provenance.digests import sha256_file
from tests.chain import Chain
from tests.drift.windows import noisy, training_rows, write_window
from tests.pipelines.compiled import Parts, documents, inputs, tasks

REQUIRED = {"certificate", "store", "window_uri"}


@pytest.fixture(scope="module")
def compiled(root: Path) -> list[Parts]:
    return documents(root, "drift_monitoring")


def test_only_certificate_store_and_window_must_be_given(compiled: list[Parts]) -> None:
    found = inputs(compiled[0])
    assert {name for name, item in found.items() if not item.get("isOptional")} == REQUIRED
    assert found["record_key"]["defaultValue"] == f"{KEY_FOLDER}/key"


def test_one_step_has_the_drift_secret_and_not_the_one_that_signs_certificates(compiled: list[Parts]) -> None:
    assert list(tasks(compiled[0])) == ["drift-monitoring"]
    (told,) = compiled[1]["platforms"]["kubernetes"]["deploymentSpec"]["executors"].values()
    named = [
        item["secretNameParameter"]["componentInputParameter"]
        for part in ("secretAsEnv", "secretAsVolume")
        for item in told[part]
    ]
    assert sorted(named) == ["drift_secret", "drift_secret", "store_secret", "store_secret"]
    volumes = {volume["mountPath"]: volume["optional"] for volume in told["secretAsVolume"]}
    assert volumes == {KEY_FOLDER: True, "/var/run/secrets/robustcert/store": True}


def test_every_input_of_the_step_is_an_input_of_the_pipeline(compiled: list[Parts]) -> None:
    given = tasks(compiled[0])["drift-monitoring"]["inputs"]["parameters"]
    for name in REQUIRED | {"labels_uri", "reference_window_uri", "policy", "trusted_key", "last_hours", "record_key"}:
        assert given[name] == {"componentInputParameter": name}


def test_the_component_hands_everything_on_and_a_locked_key_signs(
    chain: Chain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(chain.store, tmp_path / "store")
    monkeypatch.setattr("robustcert.drift.assembly._evidently", lambda found, policy: (None, "not asked for"))
    monkeypatch.setenv("ROBUSTCERT_KEY_PASSPHRASE", "open sesame")
    public = write_key_pair(tmp_path / "locked", new_key("ecdsa-p256"), passphrase=b"open sesame")
    x, _ = training_rows(chain)
    window, before = (write_window(tmp_path / name, rows) for name, rows in (("w.parquet", noisy(x)), ("b.parquet", x)))
    artifacts = {name: SimpleNamespace(path=str(tmp_path / name)) for name in ("report", "evidence", "record")}
    verdict, summary, document = drift_monitoring.python_func(
        store=str(tmp_path / "store"),
        certificate=sha256_file(chain.files.certificate),
        window_uri=str(window),
        record_key=str(tmp_path / "locked"),
        reference_window_uri=str(before),
        policy="samples: {tests: 200, permutations: 699}\nminimumRows: 150\n",
        trusted_key=chain.public_key.read_text(),
        **artifacts,
    )
    record = parse_record((tmp_path / "record").read_bytes(), keys=(load_verification_key(public),))
    assert (record.verdict, record.summary) == (verdict, summary)
    assert (verdict, record.reference.split, record.policy["minimumRows"]) == ("gross", "window", 150)
    assert (tmp_path / "store" / document).read_bytes() == (tmp_path / "record").read_bytes()
    assert (tmp_path / "evidence").read_bytes() == b""
