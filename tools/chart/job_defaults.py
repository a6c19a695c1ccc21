"""Defaults of what stands in the lists drift.jobs and recertification.schedules.

Helm fills in what is left out of a map, never of a list's entries. The chart's templates read these from a file of it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from tools.chart.programs import DriftJob, Job, Schedule
from tools.chart.render import CHART

PATH = CHART / "files/job-defaults.yaml"
HEADER = "# Made by `make generate` from tools/chart/programs.py: what entries of lists say where they say nothing.\n"


def generated() -> dict[Path, str]:
    """The file and its text."""
    found = {"drift": _defaults(DriftJob), "schedule": _defaults(Schedule)}
    return {PATH: HEADER + yaml.safe_dump(found, sort_keys=False)}


def _defaults(job: type[Job]) -> dict[str, Any]:
    """Name in YAML -> default of every field that may be left out and is not null then."""
    fields = {field.alias or name: field for name, field in job.model_fields.items()}
    return {
        name: field.default for name, field in fields.items() if not field.is_required() and field.default is not None
    }
