"""Drift jobs: one CronJob a model, and its command as a process that may write nowhere but to /tmp and the store."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from robustcert.drift.policy import DriftPolicy
from robustcert.drift.record import parse_record
from robustcert.provenance.digests import sha256_file
from robustcert.storage.store import Store, open_store
from tests.certificate.stored import copied_store
from tests.chain import Chain
from tests.charts.pod_process import Pod, objects_of, only_container, pod_spec
from tests.drift.windows import noisy, training_rows, write_window
from tools.chart.job_defaults import PATH, generated
from tools.chart.programs import DriftJob
from tools.chart.render import render

KEY = "-----BEGIN PUBLIC KEY-----\nMCow\n-----END PUBLIC KEY-----\n"
POLICY = "samples: {tests: 200, permutations: 701}\nquality: {oldestHours: 1000000.0}\n"
JOB = {"name": "digits", "certificate": "digits", "window": "/windows/w.parquet", "schedule": "15 * * * *"}
# Runs the command line without Evidently, and tells every path that is opened for writing, made, moved or removed.
WATCHED = """
import json, os, sys
sys.modules["evidently"] = None
told = set()
def watch(event, given):
    if event == "open" and isinstance(given[0], (str, bytes)):
        if given[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC):
            told.add(os.path.abspath(os.fsdecode(given[0])))
    elif event in ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "shutil.rmtree"):
        told.update(os.path.abspath(os.fsdecode(path)) for path in given[:2] if isinstance(path, (str, bytes)))
sys.addaudithook(watch)
where, sys.argv = sys.argv[1], ["robustcert", *sys.argv[2:]]
from robustcert.cli import main
try:
    main()
finally:
    found = sorted(told)
    with open(where, "w") as file:
        json.dump(found, file)
"""


def values(**drift: Any) -> dict[str, Any]:
    return {
        "store": {"uri": "s3://models/robustcert", "endpoint": "https://minio.example.org", "region": "eu-central-1"},
        "trustedKeys": {"keys": {"issuer.pub": KEY}},
        "drift": {"jobs": [JOB], **drift},
    }


def in_volume(**drift: Any) -> dict[str, Any]:
    return {**values(**drift), "store": {"uri": "file:///store", "persistentVolumeClaim": "certificates"}}


def jobs(given: dict[str, Any]) -> list[dict[str, Any]]:
    return objects_of(render(given), "CronJob", component="drift")


def test_a_model_s_job_never_overlaps_itself_and_ends() -> None:
    (job,) = jobs(values(jobs=[{**JOB, "timeZone": "Europe/Berlin", "suspend": True, "backoffLimit": 0}]))
    spec = job["spec"]
    assert job["metadata"]["name"] == "robustcert-drift-digits"
    wanted = {
        "schedule": "15 * * * *",
        "timeZone": "Europe/Berlin",
        "concurrencyPolicy": "Forbid",
        "suspend": True,
        "startingDeadlineSeconds": 3600,
        "successfulJobsHistoryLimit": 3,
        "failedJobsHistoryLimit": 3,
    }
    assert {name: value for name, value in spec.items() if name != "jobTemplate"} == wanted
    run = spec["jobTemplate"]["spec"]
    assert (run["backoffLimit"], run["activeDeadlineSeconds"]) == (0, 3600), "a 0 that was given is no default"
    assert run["template"]["spec"]["restartPolicy"] == "Never"


def test_what_an_entry_leaves_out_is_the_default_that_is_documented(tmp_path: Path) -> None:
    given = yaml.safe_load(generated()[PATH])
    assert PATH.read_text() == generated()[PATH], "run make generate"
    for name, model in DriftJob.model_fields.items():
        if not model.is_required() and name != "resources":
            assert given["drift"][model.alias] == model.default
    plain, explicit = jobs(values()), jobs(values(jobs=[{**given["drift"], **JOB}]))
    assert plain == explicit


def test_every_option_of_an_entry_reaches_the_command() -> None:
    more = {"labels": "s3://logs/labels.parquet", "referenceWindow": "s3://logs/before/?endpoint=http://other:9000"}
    (job,) = jobs(values(jobs=[{**JOB, **more, "window": "s3://logs/digits/", "lastHours": 0, "policy": POLICY}]))
    here = "endpoint=https://minio.example.org&region=eu-central-1"
    assert only_container(job)["command"] == ["robustcert", "drift"]
    assert only_container(job)["args"] == [
        "digits",
        f"--window=s3://logs/digits/?{here}",
        "--store=s3://models/robustcert",
        "--key=/etc/robustcert/drift-key/key",
        "--trusted-key=/etc/robustcert/trusted-keys",
        f"--labels=s3://logs/labels.parquet?{here}",
        "--reference-window=s3://logs/before/?endpoint=http://other:9000&region=eu-central-1",
        "--policy=/etc/robustcert/policies/digits.yaml",
        "--last-hours=0",
        "--out=/tmp/drift",
        "--report-only",
    ]


def test_a_job_s_own_resources_and_policy_are_its_own() -> None:
    own = {"requests": {"cpu": "4"}, "limits": {"memory": "8Gi"}}
    both = [{**JOB, "resources": own, "policy": POLICY}, {**JOB, "name": "other"}]
    objects = render(values(jobs=both))
    first, second = objects_of(objects, "CronJob", component="drift")
    (policies,) = objects_of(objects, "ConfigMap", component="drift")
    assert policies["data"] == {"digits.yaml": POLICY}
    assert only_container(first)["resources"] == own
    assert only_container(second)["resources"] == {
        "requests": {"cpu": "1", "memory": "1Gi"},
        "limits": {"memory": "2Gi"},
    }
    volumes = {volume["name"]: volume for volume in pod_spec(first)["volumes"]}
    assert volumes["policies"]["configMap"]["name"] == policies["metadata"]["name"]
    assert "policies" not in {volume["name"] for volume in pod_spec(second)["volumes"]}


def test_it_has_the_store_s_credentials_no_token_of_the_api_and_a_limited_tmp() -> None:
    objects = render(values(temporarySize="12Gi", key={"name": "drift", "key": "private"}))
    (job,) = objects_of(objects, "CronJob", component="drift")
    (account,) = objects_of(objects, "ServiceAccount", component="drift")
    spec = pod_spec(job)
    assert spec["serviceAccountName"] == account["metadata"]["name"]
    assert [account["automountServiceAccountToken"], spec["automountServiceAccountToken"]] == [False, False]
    volumes = {volume.pop("name"): volume for volume in spec["volumes"]}
    assert volumes["tmp"] == {"emptyDir": {"sizeLimit": "12Gi"}}
    items = [{"key": "private", "path": "private"}]
    assert volumes["drift-key"] == {"secret": {"secretName": "drift", "defaultMode": 0o440, "items": items}}
    secrets = [one["valueFrom"]["secretKeyRef"] for one in only_container(job)["env"] if "valueFrom" in one]
    needed = {(one["name"], one["key"]) for one in secrets if not one.get("optional")}
    assert needed == {("robustcert-store", key) for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}


def test_without_jobs_there_is_nothing() -> None:
    objects = render(values(jobs=[]))
    assert [one["kind"] for one in objects_of(objects, "", component="drift")] == []
    assert [
        one for one in objects if one["metadata"].get("labels", {}).get("app.kubernetes.io/component") == "drift"
    ] == []


@pytest.fixture
def store(chain: Chain, tmp_path: Path) -> Store:
    """A copy of the chain's store, where the volume is; beside it the pod's other mounts."""
    copied_store(chain, tmp_path)
    for name in ("tmp", "drift-key", "keys", "policies", "windows"):
        (tmp_path / name).mkdir()
    (tmp_path / "drift-key/key").write_bytes(chain.signing_key.read_bytes())
    (tmp_path / "drift-key/key").chmod(0o400)
    (tmp_path / "keys/issuer.pub").write_bytes(chain.public_key.read_bytes())
    return open_store(str(tmp_path / "store"))


def pod(folder: Path) -> Pod:
    places = {"tmp": "/tmp", "store": "/store", "windows": "/windows"}
    own = {"drift-key": "drift-key", "keys": "trusted-keys", "policies": "policies"}
    mounts = {path: folder / name for name, path in places.items()}
    return Pod(mounts={**mounts, **{f"/etc/robustcert/{path}": folder / name for name, path in own.items()}})


def run(folder: Path, **job: Any) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """The rendered command as a process, and the paths that it wrote outside of /tmp and the store."""
    (item,) = jobs(in_volume(jobs=[{**JOB, "lastHours": 0, "policy": POLICY, **job}]))
    container = only_container(item)
    (folder / "policies/digits.yaml").write_text(POLICY)
    (folder / "watched.py").write_text(WATCHED)
    program = [sys.executable, str(folder / "watched.py"), str(folder / "told.json")]
    done = pod(folder).run(container, program=program)
    told = json.loads((folder / "told.json").read_text())
    own = tuple(f"{folder / name}/" for name in ("tmp", "store"))
    assert any(path.startswith(own[1]) for path in told) or done.returncode != 0, "the watch sees what is written"
    return done, [path for path in told if not f"{path}/".startswith((*own, "/dev/"))]


def test_its_command_stores_a_record_of_drift_and_succeeds_where_nothing_else_can_be_written(
    chain: Chain, store: Store, tmp_path: Path
) -> None:
    """Read-only root, HOME in /tmp, no Evidently: as in the image."""
    write_window(tmp_path / "windows/w.parquet", noisy(training_rows(chain)[0]))
    done, elsewhere = run(tmp_path, certificate=sha256_file(chain.files.certificate))
    assert (done.returncode, done.stderr, elsewhere) == (0, "", [])
    (document,) = store.list_documents("drift/")
    record = parse_record(store.read_document(document) or b"", keys=(chain.key,))
    assert record.verdict in ("drifted", "gross")
    assert DriftPolicy().samples.permutations != 701
    assert "701" in (tmp_path / "tmp/drift/report.html").read_text(), "the policy of the ConfigMap"
    assert not (tmp_path / "tmp/drift/evidently.html").exists()


def test_its_command_fails_in_one_line_where_no_record_could_be_stored(
    chain: Chain, store: Store, tmp_path: Path
) -> None:
    write_window(tmp_path / "windows/w.parquet", np.zeros((5, 64)))
    done, _ = run(tmp_path, certificate=sha256_file(chain.files.certificate), window="/windows/nothing.parquet")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "expected rows at 'nothing.parquet', got nothing there" in done.stderr
    assert store.list_documents("drift/") == []
