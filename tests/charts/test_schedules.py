"""Recertification on a schedule: one request for each slot, however often it is asked for; what a missed run means."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
from prometheus_client.parser import text_string_to_metric_families

from monitoring.exporter.loop import Exporter
from monitoring.exporter.readers import Readers
from monitoring.exporter.scan import Scanner
from monitoring.exporter.series import Limits
from robustcert.certificate.published import publish_document
from robustcert.storage.store import open_store
from tests.certificate.stored import copied_store
from tests.chain import Chain
from tests.charts.pod_process import Pod, objects_of, only_container, pod_spec
from tests.command_line import CommandLine
from tests.monitoring.recertification_webhook.http_server import running
from tests.monitoring.recertification_webhook.office import Office
from tests.monitoring.recertification_webhook.test_server import Authority
from tools.chart.render import render

Done = subprocess.CompletedProcess[str]

JOB_NAME = "batch.kubernetes.io/job-name"
TOKEN = "schedule-token-0123456789abcdef0123456789"
SUNDAY = datetime(2026, 6, 7, 3, 0, tzinfo=UTC)
WEEKLY = {"name": "digits", "model": "digits", "schedule": "0 3 * * 0", "text": "every Sunday, by policy"}


def values(**more: Any) -> dict[str, Any]:
    return {
        "store": {"uri": "s3://models/robustcert"},
        "trustedKeys": {"configMapName": "keys"},
        "recertification": {"schedules": [WEEKLY]},
        **more,
    }


def cron_job(**more: Any) -> dict[str, Any]:
    (job,) = objects_of(render(values(**more)), "CronJob", component="schedule")
    return job


def job_name(cron: dict[str, Any], at: datetime) -> str:
    """As the CronJob controller names the Job of a time (kubernetes, pkg/controller/cronjob: minutes since 1970)."""
    return f"{cron['metadata']['name']}-{int(at.timestamp()) // 60}"


def ask(folder: Path, url: str, at: datetime, *, scheme: str = "http", **more: Any) -> Done:
    """The rendered command, as one pod of the Job of that time runs it."""
    cron = cron_job(**more)
    for name in ("tmp", "token"):
        (folder / name).mkdir(exist_ok=True)
    (folder / "token/token").write_text(TOKEN)
    mounts = {"/tmp": folder / "tmp", "/etc/robustcert/schedule-token": folder / "token"}
    if scheme == "https":
        mounts["/etc/robustcert/controller-ca"] = folder / "ca"
    addresses = {f"{scheme}://robustcert-controller.robustcert.svc:8090": url}
    return Pod(mounts=mounts, labels={JOB_NAME: job_name(cron, at)}, addresses=addresses).run(only_container(cron))


@pytest.fixture
def tokens(tmp_path: Path) -> Path:
    path = tmp_path / "tokens"
    path.write_text(f"schedule operate {TOKEN}\n")
    return path


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """The real controller over files of its own; its clock moves by hand and its backend runs nothing."""
    made = Office(tmp_path / "office")
    yield made
    made.close()


@pytest.fixture
def url(office: Office, tokens: Path) -> Iterator[str]:
    """The interface of the real controller, whose clock and backend are the office's."""
    with running(office.controller, bearer_token_file=tokens, clock=lambda: office.now) as server:
        yield server.url


def test_a_slot_asked_for_twice_is_one_request_and_another_joins_it_while_it_is_open(
    office: Office, url: str, tmp_path: Path
) -> None:
    first, again = ask(tmp_path, url, SUNDAY), ask(tmp_path, url, SUNDAY)
    other = ask(tmp_path, url, SUNDAY + timedelta(weeks=1))
    assert [done.returncode for done in (first, again, other)] == [0, 0, 0], first.stderr + again.stderr
    (request,) = office.controller.requests()
    told = [done.stdout for done in (first, again, other)]
    assert told == [f"{request.id}: {result}, queued\n" for result in ("queued", "duplicate", "merged")]
    assert (request.model, request.reasons) == ("digits", ("schedule",))
    texts = [entry.detail.get("text") for entry in office.controller.history(request.id)]
    assert WEEKLY["text"] in texts


def test_the_next_slot_is_a_request_of_its_own_and_an_old_one_never_is(
    office: Office, url: str, tmp_path: Path
) -> None:
    ask(tmp_path, url, SUNDAY)
    office.passes()
    (request,) = office.controller.requests()
    office.certify(request.id)
    office.backend.end("id-0", "succeeded")
    office.passes(2)
    assert office.view(request.id).state == "succeeded"
    office.later(timedelta(weeks=1))
    late, following = ask(tmp_path, url, SUNDAY), ask(tmp_path, url, SUNDAY + timedelta(weeks=1))
    assert late.stdout == f"{request.id}: duplicate, succeeded\n"
    assert following.stdout.endswith(": queued, queued\n")
    assert len(office.controller.requests()) == 2
    office.passes()
    assert len(office.backend.orders) == 2


def test_a_controller_that_is_away_fails_the_attempt_and_the_job_makes_more(tmp_path: Path) -> None:
    done = ask(tmp_path, "http://127.0.0.1:9", SUNDAY)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "expected an answer from 127.0.0.1:9" in done.stderr
    assert TOKEN not in done.stderr
    spec = cron_job()["spec"]["jobTemplate"]["spec"]
    waits = [10 * 2**attempt for attempt in range(spec["backoffLimit"])]  # as the Job controller doubles them
    assert 600 < sum(waits) < spec["activeDeadlineSeconds"]
    assert spec["template"]["spec"]["restartPolicy"] == "Never", "each attempt's log stays, under one Job's name"


def test_a_server_with_tls_is_verified_by_its_secret_s_authority(office: Office, tokens: Path, tmp_path: Path) -> None:
    (tmp_path / "ca").mkdir()
    authority = Authority(tmp_path, "authority")
    certificate, key = authority.issue("server")
    tls = {"controller": {"tls": {"enabled": True, "secretName": "controller-tls"}}}
    settings = {"certificate": certificate, "key": key}
    with running(office.controller, bearer_token_file=tokens, tls=settings) as server:
        (tmp_path / "ca/ca.crt").write_bytes(Authority(tmp_path, "stranger").path.read_bytes())
        refused = ask(tmp_path, server.url, SUNDAY, scheme="https", **tls)
        assert (refused.returncode, "CERTIFICATE" in refused.stderr) == (2, True)
        (tmp_path / "ca/ca.crt").write_bytes(authority.path.read_bytes())
        assert ask(tmp_path, server.url, SUNDAY, scheme="https", **tls).stdout.endswith(": queued, queued\n")
    volumes = {volume.pop("name"): volume for volume in pod_spec(cron_job(**tls))["volumes"]}
    secret = volumes["controller-ca"]["secret"]
    assert (secret["secretName"], [item["key"] for item in secret["items"]]) == ("controller-tls", ["ca.crt"])


def test_the_longest_names_still_make_a_key_and_a_label_that_are_taken() -> None:
    longest = {"schedules": [{**WEEKLY, "name": "n" * 20}]}
    (cron,) = objects_of(render(values(recertification=longest), name="r" * 53), "CronJob", component="schedule")
    assert len(cron["metadata"]["name"]) <= 52
    name = job_name(cron, datetime(2150, 1, 1, tzinfo=UTC))
    assert len(name) <= 63, "as a label's value may be"
    assert re.fullmatch(r"[A-Za-z0-9._:/+=-]{1,100}", name)
    assert "'batch.kubernetes.io/job-name'" in only_container(cron)["env"][0]["valueFrom"]["fieldRef"]["fieldPath"]


@pytest.mark.parametrize("version", ["1.29", "1.37"])
def test_the_oldest_and_the_newest_kubernetes_take_the_object(version: str) -> None:
    kubernetes_validate.validate(cron_job(), version, strict=True)


def test_a_missed_run_lets_the_certificate_end_by_itself(
    chain: Chain, command_line: CommandLine, tmp_path: Path
) -> None:
    """SEEDS 151. Nobody recertified and nobody revoked: only the clock moved."""
    store, certificate = copied_store(chain, tmp_path), chain.files.certificate.read_bytes()
    end = datetime.strptime(chain.predicate.not_after, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    publish_document(store, certificate, now=end - timedelta(days=1))
    second = timedelta(seconds=1)
    for at, status, said in (
        (end - second, 0, "VERIFIED: digits"),
        (end, 1, "REFUSED: "),
        (end + second, 1, "REFUSED: "),
    ):
        checked = command_line("verify", chain.bundle, "--key", chain.public_key, "--at", f"{at:%Y-%m-%dT%H:%M:%SZ}")
        assert checked.status == status, at
        assert said in checked.out
        assert shown(tmp_path, chain, at) == ({"active"} if at < end else {"expired"})
    assert "expire" in checked.out.partition("REFUSED: ")[2]


def shown(folder: Path, chain: Chain, at: datetime) -> set[str]:
    """The statuses that the exporter shows of the model at a moment."""
    scanner = Scanner(Readers(lambda: open_store(str(folder / "store")), count=1), keys=(chain.key,))
    exporter = Exporter(scanner, limits=Limits(), staleness=60.0, wall=at.timestamp)
    assert exporter.scan()
    families = text_string_to_metric_families(exporter.metrics(compressed=False).decode())
    samples = [sample for family in families for sample in family.samples]
    return {
        sample.labels["status"]
        for sample in samples
        if sample.name == "robustcert_certificate_status" and sample.value == 1
    }
