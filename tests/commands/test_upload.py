"""robustcert upload: the compiled pipelines of this checkout, put in place on the stand-in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from robustcert.kubeflow.compiled import shipped
from tests.command_line import CommandLine
from tests.kubeflow.compiled_example import write_compiled
from tests.kubeflow.stand_in import StandIn
from tests.kubeflow.stand_in_http import Fault

NAMES = ["certified-training", "certify-model", "drift-monitoring", "recertification"]


@pytest.fixture
def server() -> Iterator[StandIn]:
    with StandIn(tokens={"good"}) as running:
        yield running


@pytest.fixture
def options(server: StandIn, tmp_path: Path) -> list[str]:
    (tmp_path / "token").write_text("good\n")
    return ["--host", server.host, "--namespace", "team", "--token-file", str(tmp_path / "token")]


def test_uploading_twice_changes_nothing_the_second_time(
    command_line: CommandLine, server: StandIn, options: list[str]
) -> None:
    looked = command_line("upload", *options, "--dry-run")
    assert (looked.status, server.pipelines) == (0, [])
    assert all(line.endswith("would make new pipeline and version") for line in looked.out.splitlines())
    first, second = (command_line("upload", *options) for _ in range(2))
    assert (first.status, second.status) == (0, 0)
    assert [line.split(maxsplit=2) for line in first.out.splitlines()] == [
        [pipeline.name, pipeline.version, "new pipeline and version"] for pipeline in shipped(by_uri=False)
    ]
    assert [line.split(maxsplit=2)[2] for line in second.out.splitlines()] == ["in place"] * len(NAMES)
    assert sorted((one["name"], one["namespace"]) for one in server.pipelines) == [(name, "team") for name in NAMES]
    assert len(server.versions) == len(NAMES)


def test_a_pipeline_of_ones_own_is_uploaded_by_its_file(
    command_line: CommandLine, server: StandIn, options: list[str], tmp_path: Path
) -> None:
    done = command_line("upload", *options, "--file", write_compiled(tmp_path, "own"))
    assert (done.status, [one["name"] for one in server.pipelines]) == (0, ["own"])


def test_offline_nothing_is_asked(command_line: CommandLine) -> None:
    done = command_line("upload", "--dry-run", "--offline", "--by-uri")
    assert done.status == 0
    assert {*NAMES, "certification-by-uri"} <= {line.split()[0] for line in done.out.splitlines()}
    assert command_line("upload", "--offline").err.startswith("robustcert: expected --dry-run with --offline")


@pytest.mark.parametrize(
    ("fault", "line"),
    [
        (Fault(method="GET", path="/", status=302, headers={"Location": "https://dex/auth"}), "a redirect to dex/auth"),
        (Fault(method="GET", path="/", status=401, body="{}"), "got 401"),
        (Fault(path="/", status=403, body="RBAC: access denied"), "got 403 'RBAC: access denied'"),
    ],
)
def test_a_refusal_is_one_line(
    command_line: CommandLine, server: StandIn, options: list[str], fault: Fault, line: str
) -> None:
    server.faults.append(fault)
    done = command_line("upload", *options)
    assert (done.status, done.err.count("\n")) == (2, 1)
    assert line in done.err
    assert "good" not in done.err


def test_a_version_with_other_content_is_refused(
    command_line: CommandLine, server: StandIn, options: list[str]
) -> None:
    command_line("upload", *options)
    server.versions[0]["pipeline_spec"] = {"root": {}}
    server.versions[0]["description"] = ""
    done = command_line("upload", *options)
    assert (done.status, done.err.count("\n")) == (2, 1)
    assert "got other content" in done.err


def test_a_host_is_asked_for(command_line: CommandLine) -> None:
    done = command_line("upload")
    assert (done.status, done.err.count("\n")) == (2, 1)
    assert "give --host URL" in done.err
