"""What a person does with a Kubeflow installation, as one journey through the command line; needs nothing of pytest.

tests/cluster/test_kubeflow.py makes it on a real installation, tests/cluster/test_journey.py its REST part on the
stand-in, so that it can't rot.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.command_line import Done

RUN_URL = re.compile(r"/#/runs/details/(\S+)")


@dataclass(frozen=True, kw_only=True)
class Traveller:
    """Runs `robustcert`, by the function `program` in a folder with spec.yaml, against one server."""

    program: Callable[[list[str]], Done]
    host: str
    namespace: str
    token_file: Path | None
    store: str
    settings: tuple[str, ...]

    def robustcert(self, *arguments: object, status: int = 0) -> str:
        """What the command prints on standard output; AssertionError where it ends with another status."""
        done = self.program([str(argument) for argument in arguments])
        assert done.status == status, f"{arguments}: {done}"
        return done.out

    def connection(self) -> list[str]:
        """The options that name the server."""
        token = [] if self.token_file is None else ["--token-file", str(self.token_file)]
        return ["--host", self.host, "--namespace", self.namespace, *token]

    def submit(self, *options: object, status: int = 0) -> str:
        """Submits the specification in the folder."""
        given = [part for setting in self.settings for part in ("--set", setting)]
        fixed = ["spec.yaml", "--store", self.store, "--state", "state", *self.connection(), *given]
        return self.robustcert("submit", *fixed, *options, status=status)


def uploads_twice_and_changes_nothing_the_second_time(traveller: Traveller) -> None:
    """The pipelines of this release are in place afterwards."""
    traveller.robustcert("upload", *traveller.connection())
    second = traveller.robustcert("upload", *traveller.connection()).splitlines()
    assert second
    assert all(line.endswith("in place") for line in second), second


def rehearses_and_starts_nothing(traveller: Traveller, *, token: str) -> None:
    """A dry run says that a run would be started."""
    assert traveller.submit("--run-token", token, "--dry-run").endswith("would start a run\n")


def runs_once_to_the_end(traveller: Traveller, *, token: str, shards: int) -> str:
    """The id of a run that succeeded; submitted again, it is found."""
    options = ("--run-token", token, "--shards", shards)
    first = traveller.submit(*options, "--wait", "--poll", 1)
    second = traveller.submit(*options)
    assert ": found, SUCCEEDED" in second, second
    found = [RUN_URL.search(text) for text in (first, second)]
    assert found[0] is not None
    assert found[1] is not None
    assert found[0][1] == found[1][1]
    return found[0][1]


def is_refused_without_sense(traveller: Traveller) -> None:
    """An unknown input is refused before anything is started."""
    traveller.submit("--set", "no_such_input=1", status=2)
