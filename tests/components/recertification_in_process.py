"""The recertification pipeline's components, called one after another in this process, as it connects them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from components.gate.component import gate
from components.publish.component import publish
from components.recertification_inputs.component import recertification_inputs
from components.recertification_model.component import recertification_model
from components.robustness_evaluation.component import robustness_evaluation
from components.window_evaluation.component import window_evaluation
from robustcert.local_run import Progress
from tests.components.in_process import InProcess

ASKED = (
    "store", "certificate", "reason", "trusted_key", "window_uri", "window_sha256", "run_id", "run_token",
)  # fmt: skip
OPENED = ("specification", "certificate_sha256", "run", "token", "why", "passed", "summary")


class RecertificationInProcess(InProcess):
    """Takes the place of `run_pipeline`; a component's error passes as it is."""

    def run(
        self, name: str, *, arguments: Mapping[str, object], log: Path, on_progress: Callable[[Progress], None]
    ) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.given = dict(arguments)
        log.write_text(f"{name} in process\n")
        opened = self._open(arguments)
        gate.python_func(passed=opened["passed"], reason=opened["summary"])
        everything = {
            "specification": opened["specification"],
            "store": arguments["store"],
            "run_token": opened["token"],
            "shards": arguments["shards"],
            "workers": arguments["workers"],
            "signing_key": arguments["signing_key"],
            "run_id": opened["run"],
            "supersedes": opened["certificate_sha256"],
            "reason": opened["why"],
        }
        self._choose(everything)
        parts = [self._certify(everything, part) for part in self._plan(everything)]
        outcome = self._issue(everything, parts)
        gate.python_func(passed=outcome[0], reason=outcome[1])
        publish.python_func(store=everything["store"], certificate=self.artifact("certificate"))

    def _open(self, arguments: Mapping[str, object]) -> dict[str, object]:
        files = self.artifacts("dataset", "report", "window", "window_report") | {
            "record": self.artifact("data_record")
        }
        files |= {"model": self.artifact("certified_model"), "history": self.artifact("certified_history")}
        found = recertification_inputs.python_func(
            **{name: arguments[name] for name in ASKED if name in arguments}, **files, job_id="the-engines-own"
        )
        return dict(zip(OPENED, found, strict=True))

    def _choose(self, given: Mapping[str, object]) -> None:
        common = {name: given[name] for name in ("specification", "store", "run_token")}
        holds, _ = self._on_window(given, "certified_model")
        files = self.artifacts("dataset", "certified_model", "certified_history", "model", "history")
        recertification_model.python_func(**common, **files, holds=holds, record=self.artifact("training_record"))
        holds, reason = self._on_window(given, "model")
        gate.python_func(passed=holds, reason=reason)
        files = self.artifacts("dataset", "model", "evidence", "adversarials", "validity")
        robustness_evaluation.python_func(**common, **files, record=self.artifact("evaluation_record"))

    def _on_window(self, given: Mapping[str, object], model: str) -> tuple[bool, str]:
        found: tuple[bool, str] = window_evaluation.python_func(
            **{name: given[name] for name in ("specification", "store", "run_token", "run_id")},
            certificate_sha256=given["supersedes"],
            model=self.artifact(model),
            **self.artifacts("window"),
            evidence=self.artifact("window_evidence"),
            report=self.artifact("window.md"),
            record=self.artifact("window_record"),
        )
        return found
