"""robustcert submit against the stand-in: one run for one key, watched to its end, killed at any moment."""

from __future__ import annotations

import json
import multiprocessing
import random
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from robustcert import cli
from robustcert.specification_template import template
from tests.command_line import CommandLine, Done
from tests.kubeflow.compiled_example import compiled_spec, own_model_specification, write_compiled
from tests.kubeflow.stand_in import StandIn
from tests.kubeflow.stand_in_http import Fault

STORE = "s3://bucket/store"


@pytest.fixture
def server(command_line: CommandLine, tmp_path: Path) -> Iterator[StandIn]:
    """A server in single-user mode with our two pipelines, each with the inputs of the example."""
    with StandIn() as running:
        for name in ("certified-training", "certify-model"):
            command_line("upload", "--host", running.host, "--file", write_compiled(tmp_path, name))
        running.requests.clear()
        yield running


@pytest.fixture
def submit(command_line: CommandLine, server: StandIn, tmp_path: Path) -> Submit:
    return Submit(command_line, server, tmp_path)


class Submit:
    """`submit("--wait")` runs `robustcert submit` on the specification of digits."""

    def __init__(self, command_line: CommandLine, server: StandIn, folder: Path) -> None:
        self.command_line, self.server, self.folder = command_line, server, folder

    def arguments(self, *options: object, text: str | None = None) -> list[str]:
        specification = self.folder / "spec.yaml"
        specification.write_text(template("digits") if text is None else text)
        fixed = ["--store", STORE, "--host", self.server.host, "--state", self.folder / "state", "--poll", 0.01]
        return [str(one) for one in ("submit", specification, *fixed, *options)]

    def __call__(self, *options: object, text: str | None = None) -> Done:
        return self.command_line(*self.arguments(*options, text=text))


def methods(server: StandIn) -> set[str]:
    return {request.method for request in server.requests}


def test_a_run_is_started_once_with_what_the_options_say(submit: Submit, server: StandIn) -> None:
    done = submit(
        *("--shards", 3, "--set", "confidence=0.5", "--set", 'node_selector={"pool": "gpu"}', "--gpus", 2),
        *("--toleration", "nvidia.com/gpu:NoSchedule", "--service-account", "trainer", "--run-token", "first"),
    )
    assert done.status == 0, done.err
    (run,) = server.runs
    assert done.out == f"{run['display_name']}: started\n{server.host}/#/runs/details/{run['run_id']}\n"
    assert run["runtime_config"]["parameters"] == {
        "specification": template("digits"),
        "store": STORE,
        "shards": 3,
        "confidence": 0.5,
        "node_selector": {"pool": "gpu"},
        "gpus": "2",
        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
        "run_token": "first",
    }
    assert run["service_account"] == "trainer"
    assert [one["display_name"] for one in server.experiments] == ["robustcert"]


def test_the_same_command_finds_the_same_run(submit: Submit, server: StandIn) -> None:
    submit()
    assert ": found, PENDING\n" in submit().out
    server.change(server.runs[0], "SUCCEEDED")
    assert submit().out.endswith(": SUCCEEDED\n")
    assert len(server.runs) == 1
    submit("--run-token", "anew")
    assert len(server.runs) == 2


def test_a_specification_with_its_own_model_goes_to_its_own_pipeline(submit: Submit, server: StandIn) -> None:
    done = submit("--set", "model_uri=s3://bucket/model.onnx", text=own_model_specification())
    assert done.status == 0, done.err
    assert server.runs[0]["display_name"].startswith("certify-model-digits-")


def test_the_newest_version_runs_unless_one_is_named(
    submit: Submit, server: StandIn, command_line: CommandLine, tmp_path: Path
) -> None:
    newer = write_compiled(tmp_path, schemaVersion="2.2.0")
    command_line("upload", "--host", server.host, "--file", newer)
    first, _, newest = server.versions
    submit()
    submit("--version", first["name"])
    ran = [run["pipeline_version_reference"]["pipeline_version_id"] for run in server.runs]
    assert ran == [newest["pipeline_version_id"], first["pipeline_version_id"]]


def test_waiting_shows_every_step_and_ends_well(submit: Submit, server: StandIn) -> None:
    server.then("RUNNING", ("validate-driver", "SUCCEEDED"), ("validate", "RUNNING"))
    server.then("RUNNING", ("validate", "SUCCEEDED"), ("certify", "RUNNING"), ("certify", "PENDING"))
    server.then("SUCCEEDED", ("validate", "SUCCEEDED"), ("certify", "SUCCEEDED"), ("certify", "SUCCEEDED"))
    done = submit("--wait")
    assert done.status == 0
    shown = [line.split()[2:] for line in done.out.splitlines() if " s  " in line]
    assert ["validate", "RUNNING", "0/1"] in shown
    assert ["certify", "RUNNING", "0/2"] in shown
    assert done.out.endswith(": SUCCEEDED\n")


@pytest.mark.parametrize(
    ("tasks", "line"),
    [
        ([("certify", "FAILED", "CUDA out of memory")], "robustcert: step certify failed: CUDA out of memory; http://"),
        (
            [("gate", "FAILED", "")],
            "robustcert: gate did not pass: the data or the model did not meet the specification",
        ),
    ],
)
def test_a_run_that_fails_is_one_line_with_step_and_address(
    submit: Submit, server: StandIn, tasks: list[tuple[str, str, str]], line: str
) -> None:
    server.then("FAILED", *tasks)
    done = submit("--wait")
    assert (done.status, done.err.count("\n")) == (1, 1)
    assert done.err.startswith(line)
    assert f"/#/runs/details/{server.runs[0]['run_id']}" in done.err
    found = submit()
    assert (found.status, len(server.runs)) == (1, 1)
    assert found.err.endswith("; --again starts it anew\n")
    assert submit("--again").status == 0
    assert len(server.runs) == 2


def test_a_dry_run_prints_the_exact_request_and_sends_gets_only(submit: Submit, server: StandIn) -> None:
    dry = submit("--dry-run", "--shards", 2)
    assert (dry.status, methods(server)) == (0, {"GET"})
    body, _, rest = dry.out.rpartition("\n}\n")
    assert rest == "would make experiment 'robustcert'\nwould start a run\n"
    submit("--shards", 2)
    sent = next(one.body for one in server.requests if (one.method, one.path[-5:]) == ("POST", "/runs"))
    assert json.loads(body + "\n}") == {**sent, "experiment_id": "<id of experiment 'robustcert'>"}
    again = submit("--dry-run", "--shards", 2)
    assert again.out.endswith(f"would take run {server.runs[0]['run_id']}, PENDING\n")
    assert len(server.runs) == 1


def test_offline_nothing_is_sent_and_the_release_s_own_inputs_hold(command_line: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(template("digits"))
    offline = ["submit", tmp_path / "spec.yaml", "--store", STORE, "--dry-run", "--offline", "--shards", 4]
    done = command_line(*offline, "--gpus", 1)
    assert done.status == 0, done.err
    body = json.loads(done.out.rpartition("\n}\n")[0] + "\n}")
    assert body["pipeline_version_reference"]["pipeline_id"] == "<id of pipeline 'certified-training'>"
    assert (body["runtime_config"]["parameters"]["shards"], body["runtime_config"]["parameters"]["gpus"]) == (4, "1")
    assert done.out.endswith("and start it if there is none; asked no server\n")
    assert list(tmp_path.iterdir()) == [tmp_path / "spec.yaml"]


def test_a_long_specification_is_put_into_the_store_first(
    submit: Submit, server: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    from robustcert.commands import submission

    stored: list[bytes] = []

    class Store:
        def put_bytes(self, data: bytes) -> str:
            assert server.runs == []
            stored.append(data)
            return ""

    monkeypatch.setattr(submission, "open_store", lambda uri: Store())
    text = template("digits") + "# a comment\n" * 500
    assert "would store the specification, " in submit("--dry-run", text=text).out
    assert stored == []
    assert submit(text=text).status == 0
    assert stored == [text.encode()]
    assert server.runs[0]["runtime_config"]["parameters"]["specification"].startswith(f"{STORE}/objects/sha256/")


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--set", "shard=3"], "expected an input of the pipeline, got 'shard'; did you mean 'shards'?"),
        (["--set", "shards=three"], "expected an integer for the input 'shards', got three"),
        (["--set", "store=s3://other"], "expected other inputs after --set, got 'store'"),
        (
            ["--pipeline", "certify"],
            "expected pipeline 'certify' on the server, got none; run `robustcert upload` first",
        ),
        (["--version", "0"], "expected version '0' of 'certified-training' on the server, got none; run"),
        (["--offline"], "expected --dry-run with --offline"),
        (["--toleration", "a:b"], "expected key[=value][:effect] after --toleration"),
        (["--store", "store"], "expected s3://bucket/prefix as --store, got 'store'; pods see no folder"),
        (["--token-file", "nothing"], "expected a token file, got 'nothing', which can't be read"),
        (["--state", "/proc/nothing"], "expected a writable folder for what was submitted (--state), got"),
        (["--host", "kubeflow"], "expected a URL as --host, got 'kubeflow'"),
        (["--shards", "2", "--set", "shards=3"], "expected one value for the input 'shards', got an option of its own"),
        (["--set", "shards=0"], "expected 1 or more for the input 'shards', got 0"),
        (["--set", "gpus=many"], "expected a number of GPUs for the input 'gpus', got 'many'"),
        (["--dry-run", "--offline", "--version", "0"], "expected this release's version "),
        (["--dry-run", "--offline", "--pipeline", "recertification"], "expected a pipeline that takes a specification"),
        (["--store", "s3://key:s3cret@bucket/prefix"], "expected s3://bucket/prefix, got "),
        (["--store", "s3://bucket/prefix?secret_key=s3cret"], "expected endpoint, region and ca in an s3:// URI, got"),
        (["--set", "data_uri=s3://key:s3cret@bucket/x.npz"], "expected s3://bucket/prefix, got "),
        (["--wait", "--poll", "inf"], "Invalid value for '--poll'"),
        (["--run-token", "\udcff"], "expected arguments in UTF-8, got '\\udcff'; write or rename it so"),
    ],
)
def test_what_is_wrong_is_one_line_before_anything_is_sent(
    submit: Submit, server: StandIn, options: list[str], line: str
) -> None:
    done = submit(*options)
    assert (done.status, done.err.count("\n")) == (2, 1)
    assert done.err.startswith(f"robustcert: {line}")
    assert "s3cret" not in done.err + done.out
    assert server.runs == []
    assert methods(server) <= ({"GET", "POST"} if "--state" in options else {"GET"})


def test_an_answer_that_was_lost_leaves_one_run(submit: Submit, server: StandIn) -> None:
    server.faults.append(Fault(lost=True))
    assert submit().status == 0
    assert len(server.runs) == 1


def _run_command(arguments: list[str]) -> None:
    sys.argv = ["robustcert", *arguments]
    cli.main()


def _asked(server: StandIn, *methods: str) -> int:
    """How many requests for runs came in, of any method where none is named."""
    asked = [one.method for one in list(server.requests) if one.path.endswith("/runs")]
    return sum(method in (methods or asked) for method in asked)


def _kill(process: Any, *, when: Callable[[], bool]) -> None:
    while process.is_alive() and not when():
        process.join(0.002)
    process.kill()
    process.join()


def test_twenty_kills_at_any_moment_leave_one_run(submit: Submit, server: StandIn) -> None:
    """Five keys, each submitted by four processes that are killed and by one that is not.

    One of the four is killed while the server holds its request, which is done only after the next process has looked
    for a run and found none. The others are killed after a random number of requests. Processes are forked from a
    server that has imported everything.
    """
    context: Any = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.commands.test_submit", "robustcert.commands.submission"])
    draws, held = random.Random(20), 0
    for token in range(5):
        worst = draws.randrange(3)
        for number in range(4):
            killed = threading.Event()
            server.faults = [Fault(until=lambda killed=killed: killed.is_set() and _asked(server) > 1)]
            process = context.Process(target=_run_command, args=(submit.arguments("--run-token", token),))
            process.start()
            requests = draws.randint(1, 4)
            if number == worst:
                _kill(process, when=lambda: _asked(server, "POST") == 1)
                held += _asked(server, "POST")
            else:
                _kill(process, when=lambda most=requests: len(server.requests) >= most)
            server.requests.clear()
            killed.set()
        assert submit("--run-token", token).status == 0
        server.requests.clear()
    names = [run["display_name"] for run in server.runs]
    assert held == 5
    assert len(names) == len(set(names)) == 5
    assert server.terminated == []


def test_the_example_s_inputs_are_among_those_of_the_release() -> None:
    """So that what is tested here with the example holds for the real pipelines."""
    from robustcert.kubeflow.compiled import inputs_of, shipped_pipeline

    example, real = inputs_of(compiled_spec()), inputs_of(shipped_pipeline("certify-model").spec)
    made_up = {"confidence", "strict"}
    assert {name: example[name].kind for name in example.keys() - made_up} == {
        name: real[name].kind for name in example.keys() - made_up
    }
