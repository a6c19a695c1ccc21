"""Runs on Kubeflow Pipelines, over robustcert.kubeflow: the pipeline `recertification` in its latest version.

Nothing here waits or tries again: the loop looks again anyway, and knows what was asked for. A GET that fails is the
next pass's, a POST whose answer is lost is settled by the run's name.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from monitoring.recertification_webhook.backends.backend import BackendError, BackendRun, Order
from monitoring.recertification_webhook.settings import KubeflowSettings
from robustcert.errors import InputError, RobustcertError, expected
from robustcert.kubeflow.answers import NOT_DONE, AnswerError
from robustcert.kubeflow.client import NOT_FOUND, KubeflowClient
from robustcert.kubeflow.compiled import inputs_of
from robustcert.kubeflow.connection import Connection
from robustcert.kubeflow.parameters import checked
from robustcert.kubeflow.records import PipelineVersion, Run
from robustcert.kubeflow.runs import RunOrder, find_runs
from robustcert.kubeflow.tokens import TokenFile
from robustcert.kubeflow.upload import experiment
from robustcert.kubeflow.watch import failed_step, is_gate

PIPELINE = "recertification"
OURS = frozenset({"certificate", "reason", "run_id", "window_uri", "window_sha256"})
# What is looked up before a run is asked for may take this share of the settling time, which counts from the commit of
# the run's name: the rest is the server's.
LOOKUP_SHARE = 0.25


class KubeflowBackend:
    """Backend (see backend.py) on one server and namespace."""

    def __init__(self, settings: KubeflowSettings, *, store: str) -> None:
        if taken := sorted(OURS & set(settings.parameters)):
            remedy = "leave it out; the controller sets it"
            raise InputError(expected("other parameters for runs", got=repr(taken[0]), remedy=remedy))
        self._settings, self._store = settings, store
        self._client = KubeflowClient(_connection(settings), pause=lambda _: None)

    @property
    def settle_seconds(self) -> float:
        """How long after a submission without an answer its run may still appear."""
        return self._settings.settle.total_seconds()

    def find(self, name: str) -> list[BackendRun]:
        """Every run of exactly that name, the oldest first."""
        with _told(asked=False):
            return [self._read(run) for run in reversed(find_runs(self._client, name))]

    def look(self, run_id: str) -> BackendRun | None:
        """The run of that id; None where the server has collected it."""
        with _told(asked=False):
            try:
                return self._read(self._client.run(run_id))
            except AnswerError as error:
                if error.status == NOT_FOUND:
                    return None
                raise

    def submit(self, order: Order) -> BackendRun:
        """Starts a run of the latest version of the pipeline."""
        begun = time.monotonic()
        with _told(asked=False):
            wanted = self._order(order)
        if time.monotonic() - begun > LOOKUP_SHARE * self.settle_seconds:
            raise BackendError(f"looking up what run {order.name} needs took too long", transient=True)
        with _told(asked=True):
            return self._read(self._client.create_run(wanted.body()))

    def cancel(self, run_id: str) -> None:
        """Asks for the end of a run; one that is gone has ended."""
        with _told(asked=False):
            try:
                self._client.terminate_run(run_id)
            except AnswerError as error:
                if error.status != NOT_FOUND:
                    raise

    def close(self) -> None:
        """Lets go of the connection."""
        self._client.__exit__(None, None, None)

    def _order(self, order: Order) -> RunOrder:
        version = self._version()
        values = {
            "store": self._store,
            **self._settings.parameters,
            "certificate": order.certificate_sha256,
            "reason": order.reason,
            "run_id": order.run_id,
            "window_uri": order.window_uri,
            "window_sha256": order.window_sha256,
        }
        return RunOrder(
            display_name=order.name,
            experiment_id=experiment(self._client, self._settings.experiment).experiment_id,
            pipeline_id=version.pipeline_id,
            pipeline_version_id=version.pipeline_version_id,
            parameters=checked(values, inputs_of(version.spec)),
            service_account=self._settings.service_account,
        )

    def _version(self) -> PipelineVersion:
        pipeline = self._client.pipeline(PIPELINE)
        version = None if pipeline is None else self._client.latest_version(pipeline.pipeline_id)
        if version is None:
            remedy = "run `robustcert upload`"
            raise InputError(expected(f"the pipeline '{PIPELINE}' on the server", got="none", remedy=remedy))
        return version

    def _read(self, run: Run) -> BackendRun:
        task = failed_step(run, ())
        ended = "" if run.active or run.succeeded else f"the run ended as {run.state}"
        said = run.error or (f"step {task.name}: {task.error or task.state}" if task else "")
        return BackendRun(
            run_id=run.run_id,
            name=run.display_name,
            state="active" if run.active else ("succeeded" if run.succeeded else "failed"),
            url=self._url(run.run_id),
            error=": ".join(part for part in (ended, said) if part),
            refused=not run.active and task is not None and is_gate(task.name),
        )

    def _url(self, run_id: str) -> str:
        ui = self._settings.ui.rstrip("/")
        return f"{ui}/#/runs/details/{run_id}" if ui else self._client.run_url(run_id)


def _connection(settings: KubeflowSettings) -> Connection:
    return Connection(
        host=settings.host,
        namespace=settings.namespace,
        token=None if settings.token_file is None else TokenFile(settings.token_file),
        ca_file=settings.ca_file,
        answer_seconds=settings.answer.total_seconds(),
        connect_seconds=min(10.0, settings.answer.total_seconds()),
        whole_answer_seconds=settings.answer.total_seconds(),
        retry_pauses=(),
    )


@contextmanager
def _told(*, asked: bool) -> Iterator[None]:
    """Errors as the loop needs them; `asked` where the request may start a run even if its answer is lost.

    A refusal (4xx but 429) is final. Whatever else came, the server, or a proxy before it, may answer better later.
    """
    try:
        yield
    except AnswerError as error:
        final = 400 <= error.status < 500 and error.status != NOT_DONE
        undone = final or error.status == NOT_DONE or (error.transient and not error.perhaps_done)
        raise BackendError(str(error), transient=not final, perhaps_done=asked and not undone) from error
    except RobustcertError as error:  # a token file that is being replaced, a pipeline that is not there yet
        raise BackendError(str(error), transient=not isinstance(error, InputError)) from error
