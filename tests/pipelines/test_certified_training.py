"""certified_training: its steps follow each other as drawn, and its defaults are those of the command."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from pipelines.certified_training import certified_training_pipeline
from pipelines.compile import Target, compiled
from pipelines.node_pool import CompileTime
from robustcert.commands import run as command
from robustcert.commands.pipeline_run import RunOrder
from tests.pipelines.compiled import Parts, documents, inputs, tasks, waits_for


@pytest.fixture(scope="module")
def pipeline(root: Path) -> Parts:
    return documents(root, "certified_training")[0]


def test_steps_follow_each_other_as_drawn(pipeline: Parts) -> None:
    after = waits_for(pipeline)
    assert after["data-validation"] == set()
    assert after["gate"] == {"data-validation"}
    assert after["adversarial-training"] >= {"gate", "data-validation"}
    assert after["robustness-evaluation"] >= {"adversarial-training"}
    assert after["certification-and-issue"] >= {"robustness-evaluation", "certification-plan"}
    assert after["certificate-issue"] == {"for-loop-1"}
    assert after["gate-2"] == {"certification-and-issue"}
    assert after["publish"] == {"certification-and-issue", "gate-2"}


def test_nothing_must_be_given_but_the_specification_and_the_store(pipeline: Parts) -> None:
    needed = {key for key, item in inputs(pipeline).items() if not item.get("isOptional")}
    assert needed == {"specification", "store"}


def test_defaults_are_those_of_the_command(pipeline: Parts) -> None:
    options = inspect.signature(command.run).parameters
    written = {key: item["defaultValue"] for key, item in inputs(pipeline).items() if "defaultValue" in item}
    shared = ("shards", "run_token", "supersedes", "reason")
    assert {key: written[key] for key in shared} == {key: options[key].default for key in shared}
    assert {key: RunOrder.__dataclass_fields__[key].default for key in ("supersedes", "run_token")} == {
        key: written[key] for key in ("supersedes", "run_token")
    }


def test_a_new_token_reaches_every_step_that_the_store_may_have_kept(pipeline: Parts) -> None:
    given = {name for name, task in tasks(pipeline).items() if "run_token" in task["inputs"].get("parameters", {})}
    keeps = {"data-validation", "adversarial-training", "robustness-evaluation", "certification-plan", "certification"}
    assert given - {"certification-and-issue"} == keeps


def test_what_is_fixed_when_it_is_compiled_is_an_argument_of_the_factory() -> None:
    fixed = CompileTime(
        image="registry.example/robustcert:7",
        parallel_shards=5,
        shard_retries=9,
        retry_pause="11s",
        timeout_seconds=77,
        shared_memory="3Gi",
    )
    text = compiled(Target(item=certified_training_pipeline(fixed)))
    assert text.count("image: registry.example/robustcert:7") == 9, "every executor"
    assert "parallelismLimit: 5" in text
    assert ("maxRetryCount: 9" in text, "backoffDuration: 11s" in text) == (True, True)
    assert text.count("activeDeadlineSeconds: '77'") == text.count("sizeLimit: 3Gi") == 3
