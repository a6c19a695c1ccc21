"""The pipeline's components, called one after another in this process: kfp's own functions, without kfp's processes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from components.adversarial_training.component import adversarial_training
from components.certificate_issue.component import certificate_issue
from components.certification.component import certification
from components.certification_plan.component import certification_plan
from components.data_validation.component import data_validation
from components.gate.component import gate
from components.model_import.component import model_import
from components.publish.component import publish
from components.robustness_evaluation.component import robustness_evaluation
from robustcert.local_run import Progress

MODELS = {"certified_training": adversarial_training, "certify_model": model_import}


@dataclass
class InProcess:
    """What kfp keeps of a run: the artifacts' folder, and the arguments that the pipeline was given."""

    folder: Path
    given: dict[str, Any] = field(default_factory=dict)

    def artifact(self, name: str) -> SimpleNamespace:
        """What stands for an artifact in a component: something with a path."""
        return SimpleNamespace(path=str(self.folder / name))

    def artifacts(self, *names: str, prefix: str = "") -> dict[str, SimpleNamespace]:
        return {name: self.artifact(prefix + name) for name in names}

    def run(
        self, name: str, *, arguments: Mapping[str, object], log: Path, on_progress: Callable[[Progress], None]
    ) -> None:
        """Takes the place of `run_pipeline`; a component's error passes as it is."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.given = dict(arguments)
        log.write_text(f"{name} in process\n")
        everything = {"shards": 1, "workers": 1, "source_folder": "", "run_token": "", **arguments}
        self._prepare(everything, make_model=MODELS[name])
        parts = [self._certify(everything, part) for part in self._plan(everything)]
        outcome = self._issue(everything, parts)
        gate.python_func(passed=outcome[0], reason=outcome[1])
        publish.python_func(store=everything["store"], certificate=self.artifact("certificate"))

    def _prepare(self, given: Mapping[str, Any], *, make_model: Any) -> None:
        common = {name: given[name] for name in ("specification", "store", "run_token")}
        files = self.artifacts("dataset", "report") | {"record": self.artifact("data_record")}
        passed, summary = data_validation.python_func(**common, **files, source_folder=given["source_folder"])
        gate.python_func(passed=passed, reason=summary)
        files = self.artifacts("dataset", "model", "history") | {"record": self.artifact("training_record")}
        make_model.python_func(**common, **files, source_folder=given["source_folder"])
        files = self.artifacts("dataset", "model", "evidence", "adversarials", "validity")
        robustness_evaluation.python_func(**common, **files, record=self.artifact("evaluation_record"))

    def _plan(self, given: Mapping[str, Any]) -> list[str]:
        (names,) = certification_plan.python_func(
            **{name: given[name] for name in ("specification", "store", "run_token", "shards")},
            **self.artifacts("dataset", "model", "plan"),
        )
        return list(names)

    def _certify(self, given: Mapping[str, Any], part: str) -> dict[str, SimpleNamespace]:
        made = self.artifacts("evidence", "record", prefix=f"shard{part.replace('/', 'of')}_")
        certification.python_func(
            **{name: given[name] for name in ("specification", "store", "run_token", "workers")},
            **self.artifacts("dataset", "model", "plan"),
            **made,
            shard=part,
        )
        return made

    def _issue(self, given: Mapping[str, Any], parts: list[dict[str, SimpleNamespace]]) -> tuple[bool, str]:
        names = ("specification", "store", "signing_key", "run_id", "source_folder", "supersedes", "reason")
        records = ("data_record", "training_record", "evaluation_record")
        outcome: tuple[bool, str] = certificate_issue.python_func(
            **{name: given[name] for name in names if name in given},
            **self.artifacts("dataset", "model", "history", "adversarials", "validity", "certificate", *records),
            job_id="the-engines-own",
            data_report=self.artifact("report"),
            evaluation_evidence=self.artifact("evidence"),
            report=self.artifact("report.html"),
            shards=[part["evidence"] for part in parts],
            shard_records=[part["record"] for part in parts],
        )
        return outcome
