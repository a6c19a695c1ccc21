"""A server on loopback, a client that does not sleep, and a pipeline that is in place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from robustcert.kubeflow.client import KubeflowClient
from robustcert.kubeflow.compiled import CompiledPipeline, read_compiled
from robustcert.kubeflow.connection import Connection
from robustcert.kubeflow.runs import Care, RunOrder
from robustcert.kubeflow.tokens import TokenFile
from robustcert.kubeflow.upload import experiment, put_in_place
from tests.kubeflow.compiled_example import write_compiled
from tests.kubeflow.stand_in import StandIn


@dataclass
class Clock:
    """A clock that moves when somebody pauses."""

    now: float = 1_000_000.0

    def pause(self, seconds: float) -> None:
        self.now += seconds

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def server() -> Iterator[StandIn]:
    """The stand-in in single-user mode."""
    with StandIn() as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    """The clock of client and care."""
    return Clock()


@pytest.fixture
def connect(clock: Clock) -> Iterator[Callable[..., KubeflowClient]]:
    """Makes clients of a server; `token` is a file, `answer_seconds` how long they wait."""
    made: list[KubeflowClient] = []

    def make(host: str, *, namespace: str = "", token: Path | None = None, seconds: float = 10.0) -> KubeflowClient:
        connection = Connection(
            host=host,
            namespace=namespace,
            token=None if token is None else TokenFile(token),
            answer_seconds=seconds,
        )
        made.append(KubeflowClient(connection, pause=clock.pause))
        return made[-1]

    yield make
    for client in made:
        client.__exit__(None, None, None)


@pytest.fixture
def client(server: StandIn, connect: Callable[..., KubeflowClient]) -> KubeflowClient:
    """A client of the server."""
    return connect(server.host)


@pytest.fixture
def compiled(tmp_path: Path) -> CompiledPipeline:
    """A compiled pipeline of the usual inputs."""
    return read_compiled(write_compiled(tmp_path))


@pytest.fixture
def order(client: KubeflowClient, compiled: CompiledPipeline) -> RunOrder:
    """An order for a run of a pipeline that is in place."""
    placed = put_in_place(client, compiled)
    return RunOrder(
        display_name="certified-training-digits-0123456789ab",
        experiment_id=experiment(client, "robustcert").experiment_id,
        pipeline_id=placed.pipeline.pipeline_id,
        pipeline_version_id=placed.version.pipeline_version_id,
        parameters={"specification": "text", "store": "s3://bucket/prefix", "shards": 3},
    )


@pytest.fixture
def care(tmp_path: Path, clock: Clock) -> Care:
    """Intents in a folder, by the clock."""
    return Care(folder=tmp_path / "submissions", settle_seconds=30.0, clock=clock)
