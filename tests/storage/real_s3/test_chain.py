"""The whole chain over a real bucket: `robustcert run`, its repetition, and everything that reads the store."""

import json
from pathlib import Path

import pytest
from minio.commonconfig import GOVERNANCE
from minio.objectlockconfig import DAYS, ObjectLockConfig

from robustcert.certificate.bundle import files_in
from robustcert.certificate.keys import load_verification_key
from robustcert.certificate.schema import Predicate
from robustcert.certificate.verify import read_statement
from robustcert.commands.replay import differences
from tests.chain import Chain, small_specification
from tests.command_line import CommandLine
from tests.rados_gateway import RadosGateway
from tests.storage.conftest import RealBucket

pytestmark = pytest.mark.real_s3


def predicate(bundle: Path) -> Predicate:
    key = load_verification_key(bundle.parent / "issuer.pub")
    return read_statement(files_in(bundle).certificate.read_bytes(), key=key).predicate


def test_a_run_over_a_bucket_equals_one_over_a_folder_is_reused_and_its_certificate_is_locked(
    locked_bucket: RealBucket,
    real_s3: RadosGateway,
    chain: Chain,
    command_line: CommandLine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    locked_bucket.peer.set_object_lock_config(locked_bucket.name, ObjectLockConfig(GOVERNANCE, 1, DAYS))
    (tmp_path / "spec.yaml").write_text(small_specification())
    command_line("keys", "new", "issuer")
    store = locked_bucket.uri("team/one")

    for out, reused in (("bundle", False), ("again", True)):
        done = command_line("run", "spec.yaml", "--key", "issuer", "--out", out, "--store", store, "--workers", 1)
        assert done.status == 0, done
        record = json.loads((tmp_path / out / "record.json").read_text())
        assert {step["reused"] for step in record["steps"]} == {reused}
        assert real_s3.secret_key not in done.out + done.err + (tmp_path / out / "record.json").read_text()
    issued = predicate(tmp_path / "bundle")
    assert issued.evaluation.evidence == chain.predicate.evaluation.evidence
    assert issued.certification.evidence == chain.predicate.certification.evidence
    assert differences(issued, chain.predicate) == []

    digest = record["certificateSha256"]
    assert digest[:8] in command_line("inventory", "--store", store).out
    assert command_line("export-bundle", digest, "--out", "export", "--store", store).status == 0
    assert command_line("verify", "export", "--key", "issuer.pub").status == 0

    keys = [key for key in locked_bucket.contents() if "/certificates/" in key]
    found = [locked_bucket.peer.stat_object(locked_bucket.name, key).metadata for key in keys]
    assert [headers["x-amz-object-lock-mode"] for headers in found] == [GOVERNANCE] * 2
    expiries = {predicate(tmp_path / out).not_after[:19] for out in ("bundle", "again")}
    assert {headers["x-amz-object-lock-retain-until-date"][:19] for headers in found} == expiries
    assert not any(real_s3.secret_key.encode() in data for data in locked_bucket.contents().values())
