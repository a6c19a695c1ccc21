"""Records are read from what the server gives, with its empty fields left out."""

from __future__ import annotations

from collections.abc import Callable

import kfp_server_api
import pytest

from robustcert.kubeflow.answers import AnswerError
from robustcert.kubeflow.records import (
    ACTIVE,
    FINISHED,
    read_experiment,
    read_list,
    read_pipeline,
    read_run,
    read_version,
)


def test_the_states_are_the_servers() -> None:
    names = {name for name in vars(kfp_server_api.V2beta1RuntimeState) if name.isupper()}
    assert {*ACTIVE, *FINISHED, "RUNTIME_STATE_UNSPECIFIED"} == names


@pytest.mark.parametrize(
    ("value", "active", "succeeded"),
    [
        ({}, True, False),
        ({"state": "RUNTIME_STATE_UNSPECIFIED"}, True, False),
        ({"state": "CANCELING"}, True, False),
        ({"state": "SUCCEEDED"}, False, True),
        ({"state": "FAILED"}, False, False),
        ({"state": "CANCELED"}, False, False),
    ],
)
def test_a_run_knows_whether_it_has_ended(value: dict[str, str], active: bool, succeeded: bool) -> None:
    run = read_run({"run_id": "r", **value})
    assert (run.active, run.succeeded) == (active, succeeded)


def test_tasks_and_errors_are_read() -> None:
    task = {"display_name": "train", "state": "FAILED", "end_time": "t", "error": {"message": "out of\nmemory"}}
    run = read_run({"run_id": "r", "run_details": {"task_details": [task]}, "error": {"code": 2, "message": "x"}})
    assert (run.tasks[0].name, run.tasks[0].error, run.error) == ("train", "out of memory", "x")


def test_servers_before_names_gave_the_display_name() -> None:
    assert read_pipeline({"pipeline_id": "p", "display_name": "certified-training"}).name == "certified-training"
    assert read_version({"pipeline_version_id": "v", "display_name": "1"}).name == "1"


@pytest.mark.parametrize("read", [read_run, read_pipeline, read_version, read_experiment])
def test_an_answer_without_its_identifier_is_refused(read: object) -> None:
    assert callable(read)
    with pytest.raises(AnswerError, match=r"expected '\w+_id' in the server's answer, got none"):
        read({"name": "x"})


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (read_version, {"pipeline_version_id": "v", "pipeline_spec": "text"}),
        (read_run, {"run_id": "r", "run_details": 5}),
        (read_run, {"run_id": "r", "run_details": {"task_details": {"a": 1}}}),
        (read_run, {"run_id": "r", "run_details": {"task_details": ["task"]}}),
        (read_run, {"run_id": "r", "error": "text"}),
        (lambda value: read_list(value, "runs"), {"runs": 5}),
        (lambda value: read_list(value, "runs"), {"runs": ["r"]}),
    ],
)
def test_an_answer_of_another_form_is_one_line(read: Callable[[object], object], value: object) -> None:
    with pytest.raises(AnswerError, match=r"expected an? \w+ as '\w+' in the server's answer, got another form; check"):
        read(value)
