"""The REST part of the journey on the stand-in, in the default run, so that `make test-cluster` can't rot."""

from __future__ import annotations

from pathlib import Path

import pytest

from robustcert.specification_template import template
from tests.cluster import journey
from tests.command_line import CommandLine
from tests.kubeflow.stand_in import StandIn


def test_the_journey_of_the_cluster_suite_passes_on_the_stand_in(
    command_line: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "spec.yaml").write_text(template("digits"))
    (tmp_path / "token").write_text("good\n")
    with StandIn(tokens={"good"}) as server:
        traveller = journey.Traveller(
            program=lambda arguments: command_line(*arguments),
            host=server.host,
            namespace="team",
            token_file=tmp_path / "token",
            store="s3://bucket/store",
            settings=("workers=2",),
        )
        journey.uploads_twice_and_changes_nothing_the_second_time(traveller)
        journey.rehearses_and_starts_nothing(traveller, token="first")
        server.then("RUNNING", ("data-validation", "RUNNING"))
        server.then("SUCCEEDED", ("data-validation", "SUCCEEDED"))
        run = journey.runs_once_to_the_end(traveller, token="first", shards=3)
        journey.is_refused_without_sense(traveller)
        assert [one["run_id"] for one in server.runs] == [run]
        assert {one["namespace"] for one in (*server.pipelines, *server.experiments, *server.runs)} == {"team"}
