"""The upload as the Job runs it, against a server that refuses what Kubeflow's refuses; twice changes nothing."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from robustcert.kubeflow.compiled import shipped
from tests.charts.pod_process import Pod, objects_of, only_container, pod_spec
from tests.kubeflow.stand_in import StandIn
from tools.chart.render import render, render_text

TOKEN = "projected-0123456789abcdef"
PROFILE = {"kubeflow": {"namespace": "team-vision"}}


def values(**more: Any) -> dict[str, Any]:
    return {"store": {"uri": "s3://models/robustcert"}, "trustedKeys": {"configMapName": "keys"}, **more}


def job(**more: Any) -> dict[str, Any]:
    (found,) = objects_of(render(values(**more)), "Job", component="upload")
    return found


def upload(folder: Path, server: StandIn, **more: Any) -> tuple[int, list[str], str]:
    """Exit status, the lines' outcomes, and errors of the rendered command."""
    for name in ("tmp", "token"):
        (folder / name).mkdir(exist_ok=True)
    (folder / "token/token").write_text(TOKEN)
    mounts = {"/tmp": folder / "tmp", "/var/run/secrets/kubeflow/pipelines": folder / "token"}
    pod = Pod(mounts=mounts, addresses={"http://ml-pipeline.kubeflow.svc:8888": server.host})
    done = pod.run(only_container(job(**more)))
    return done.returncode, [line.split(maxsplit=2)[2] for line in done.stdout.splitlines()], done.stderr


def test_its_command_puts_every_pipeline_in_place_and_a_second_time_changes_nothing(tmp_path: Path) -> None:
    wanted = shipped(by_uri=False)
    with StandIn(tokens={TOKEN}) as server:
        assert upload(tmp_path, server, **PROFILE) == (0, ["new pipeline and version"] * len(wanted), "")
        found = {(one["name"], one["namespace"]) for one in server.pipelines}
        assert found == {(one.name, "team-vision") for one in wanted}
        before, first = [*server.pipelines, *server.versions], len(server.requests)
        assert upload(tmp_path, server, **PROFILE) == (0, ["in place"] * len(wanted), "")
        assert [*server.pipelines, *server.versions] == before
        assert {request.method for request in server.requests[first:]} == {"GET"}
        assert {request.authorization for request in server.requests} == {f"Bearer {TOKEN}"}


def test_pipelines_of_single_components_and_an_authority_are_asked_for_by_values() -> None:
    ca = {"ca": {"name": "authorities", "key": "bundle.pem"}, "host": "https://kubeflow.example.org/pipeline"}
    found = only_container(job(kubeflow=ca, pipelines={"upload": {"byUri": True, "extraArguments": ["--dry-run"]}}))
    assert [*found["command"], *found["args"]] == [
        "robustcert",
        "upload",
        "--host=https://kubeflow.example.org/pipeline",
        "--namespace=",
        "--token-file=/var/run/secrets/kubeflow/pipelines/token",
        "--ca-file=/etc/robustcert/kubeflow-ca/bundle.pem",
        "--by-uri",
        "--dry-run",
    ]


def test_single_user_kubeflow_needs_neither_namespace_nor_token(tmp_path: Path) -> None:
    with StandIn() as server:
        status, outcomes, _ = upload(tmp_path, server, kubeflow={"token": {"enabled": False}})
        assert (status, set(outcomes)) == (0, {"new pipeline and version"})
        assert {request.authorization for request in server.requests} == {""}


def test_a_server_that_does_not_know_the_token_fails_the_job_in_one_line(tmp_path: Path) -> None:
    with StandIn(tokens={"another"}) as server:
        status, outcomes, error = upload(tmp_path, server, **PROFILE)
    assert (status, outcomes, error.count("\n")) == (2, [], 1)
    assert "got 401" in error
    assert TOKEN not in error


def test_it_is_a_hook_of_helm_that_replaces_the_one_before_and_goes_away_by_itself() -> None:
    item = job()
    assert re.fullmatch(r"robustcert-upload-[0-9]+-[0-9]+-[0-9]+", item["metadata"]["name"]), "a release has its own"
    assert item["metadata"]["annotations"] == {
        "helm.sh/hook": "post-install,post-upgrade",
        "helm.sh/hook-delete-policy": "before-hook-creation",
    }
    spec = item["spec"]
    assert (spec["backoffLimit"], spec["activeDeadlineSeconds"], spec["ttlSecondsAfterFinished"]) == (5, 600, 86_400)
    assert spec["template"]["spec"]["restartPolicy"] == "Never"


def test_only_the_projected_token_is_mounted_with_its_audience() -> None:
    item = job(kubeflow={"token": {"audience": "ml.example.org", "expirationSeconds": 900}})
    assert pod_spec(item)["automountServiceAccountToken"] is False
    (source,) = next(
        volume["projected"]["sources"] for volume in pod_spec(item)["volumes"] if volume["name"] == "kubeflow-token"
    )
    wanted = {"path": "token", "audience": "ml.example.org", "expirationSeconds": 900}
    assert source == {"serviceAccountToken": wanted}
    without = job(kubeflow={"token": {"enabled": False}})
    assert [volume["name"] for volume in pod_spec(without)["volumes"]] == ["tmp"]


def test_switched_off_there_is_neither_job_nor_account() -> None:
    texts = render_text(values(pipelines={"upload": {"enabled": False}}))
    assert {path: text.strip() for path, text in texts.items() if "/upload/" in path and text.strip()} == {}
