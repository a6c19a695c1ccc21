"""One submission: from options to a run on the cluster, or to what would be asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from robustcert.commands.run_states import RunStates
from robustcert.errors import InputError, expected
from robustcert.kubeflow.client import KubeflowClient
from robustcert.kubeflow.compiled import Input, inputs_of, shipped_pipeline, steps_of
from robustcert.kubeflow.order import Parameters, RunRequest, parameters_of, pipeline_of
from robustcert.kubeflow.parameters import read_settings
from robustcert.kubeflow.records import PipelineVersion, Run
from robustcert.kubeflow.runs import Care, RunOrder, Submission, find_runs, standing_run, submit_once
from robustcert.kubeflow.upload import experiment
from robustcert.kubeflow.watch import failed_step, is_gate, wait_for
from robustcert.specification_file import LoadedSpecification
from robustcert.storage.store import open_store


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What the options of `robustcert submit` ask for; `values` are of options of their own, `settings` of --set."""

    loaded: LoadedSpecification
    store: str
    pipeline: str
    version: str
    experiment: str
    values: Mapping[str, Any]
    settings: tuple[str, ...]
    service_account: str
    run_token: str
    again: bool


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A request, checked against the inputs of the version that will run."""

    request: RunRequest
    version: PipelineVersion
    parameters: Parameters

    @property
    def steps(self) -> list[str]:
        """The steps that will be seen."""
        return steps_of(self.version.spec)


def prepare(wanted: Wanted, client: KubeflowClient | None) -> Prepared:
    """Checks everything before anything is sent; without a client against the pipeline of this release."""
    name = wanted.pipeline or pipeline_of(wanted.loaded)
    version = _shipped_version(name, wanted.version) if client is None else _version(client, name, wanted.version)
    inputs = inputs_of(version.spec)
    if not inputs:
        remedy = "run `robustcert upload`, or name another --version"
        raise InputError(expected(f"a compiled pipeline in '{version.name}' of '{name}'", got="none", remedy=remedy))
    if "specification" not in inputs:
        remedy = "name certified-training or certify-model; others are started in the user interface"
        raise InputError(expected("a pipeline that takes a specification", got=repr(name), remedy=remedy))
    settings = _settings(wanted, inputs)
    if reserved := settings.keys() & {"specification", "store", "run_token"}:
        option = sorted(reserved)[0]
        remedy = "the specification is the argument, store and run token have options of their own"
        raise InputError(expected("other inputs after --set", got=repr(option), remedy=remedy))
    request = RunRequest(
        loaded=wanted.loaded,
        pipeline=name,
        store=wanted.store,
        settings=settings,
        run_token=wanted.run_token,
        version=wanted.version,
    )
    return Prepared(request=request, version=version, parameters=parameters_of(request, inputs))


def submit(client: KubeflowClient, wanted: Wanted, prepared: Prepared, *, care: Care) -> Submission:
    """The run, started or found."""
    if prepared.parameters.to_store is not None:
        open_store(wanted.store).put_bytes(prepared.parameters.to_store)
    group = experiment(client, wanted.experiment)
    order = _order(wanted, prepared, experiment_id=group.experiment_id)
    return submit_once(client, order, care=care, again=wanted.again)


def rehearse(client: KubeflowClient | None, wanted: Wanted, prepared: Prepared) -> list[str]:
    """The request's body and what would be done, as lines; sends GETs only, or nothing without a client."""
    group = None if client is None else client.experiment(wanted.experiment)
    unknown = f"<id of experiment '{wanted.experiment}'>"
    order = _order(wanted, prepared, experiment_id=unknown if group is None else group.experiment_id)
    lines = [json.dumps(order.body(), indent=2)]
    if prepared.parameters.to_store is not None:
        place = prepared.parameters.values["specification"]
        lines.append(f"would store the specification, {len(prepared.parameters.to_store)} bytes, at {place}")
    if client is None:
        return [*lines, f"would look for run '{order.display_name}', and start it if there is none; asked no server"]
    if group is None:
        lines.append(f"would make experiment '{wanted.experiment}'")
    run = standing_run(find_runs(client, order.display_name), again=wanted.again)
    return [*lines, "would start a run" if run is None else f"would take run {run.run_id}, {run.state}"]


def watch(client: KubeflowClient, run: Run, steps: list[str], *, console: Console, every_seconds: float) -> Run:
    """The run when it has ended, shown meanwhile."""
    with RunStates(console, steps) as states:
        return wait_for(client, run.run_id, show=states.show, every_seconds=every_seconds)


def failure(run: Run, steps: list[str]) -> str:
    """One line about a run that did not succeed: its step, the cause as far as the server tells it, what to do."""
    step = failed_step(run, steps)
    if step is None:
        return f"the run ended {run.state}" + (f": {run.error}" if run.error else "")
    if is_gate(step.name):
        return f"{step.name} did not pass: the data or the model did not meet the specification; see the report"
    cause = step.error or run.error
    return f"step {step.name} failed" + (f": {cause}" if cause else "; its log has the cause")


def state_folder(given: Path | None, environment: Mapping[str, str]) -> Path:
    """Where submissions are noted: the given folder, or robustcert's in the user's state folder (XDG)."""
    if given is not None:
        return given
    base = environment.get("XDG_STATE_HOME") or str(Path(environment.get("HOME", "/tmp")) / ".local/state")  # noqa: S108
    return Path(base) / "robustcert" / "submissions"


def _version(client: KubeflowClient, pipeline: str, version: str) -> PipelineVersion:
    found = client.pipeline(pipeline)
    if found is None:
        remedy = "run `robustcert upload` first, or check --namespace"
        raise InputError(expected(f"pipeline '{pipeline}' on the server", got="none", remedy=remedy))
    pipeline_id = found.pipeline_id
    chosen = client.version(pipeline_id, version) if version else client.latest_version(pipeline_id)
    if chosen is None:
        what = f"version '{version}' of '{pipeline}'" if version else f"a version of '{pipeline}'"
        raise InputError(expected(f"{what} on the server", got="none", remedy="run `robustcert upload`"))
    return chosen


def _settings(wanted: Wanted, inputs: Mapping[str, Input]) -> dict[str, Any]:
    settings = read_settings(wanted.settings, inputs)
    if twice := sorted(settings.keys() & wanted.values.keys()):
        got = "an option of its own and --set"
        raise InputError(expected(f"one value for the input '{twice[0]}'", got=got, remedy="leave one out"))
    return {**wanted.values, **settings}


def _shipped_version(pipeline: str, version: str) -> PipelineVersion:
    compiled = shipped_pipeline(pipeline)
    if version not in ("", compiled.version):
        remedy = "leave out --version, or --offline"
        raise InputError(expected(f"this release's version {compiled.version}", got=repr(version), remedy=remedy))
    return PipelineVersion(
        pipeline_id=f"<id of pipeline '{pipeline}'>",
        pipeline_version_id=f"<id of version '{compiled.version}'>",
        name=compiled.version,
        description="",
        spec=compiled.spec,
    )


def _order(wanted: Wanted, prepared: Prepared, *, experiment_id: str) -> RunOrder:
    return RunOrder(
        display_name=prepared.request.name,
        experiment_id=experiment_id,
        pipeline_id=prepared.version.pipeline_id,
        pipeline_version_id=prepared.version.pipeline_version_id,
        parameters=prepared.parameters.values,
        service_account=wanted.service_account,
    )
