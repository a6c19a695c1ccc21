"""Defaults of entries of lists, as a file that templates read."""

from __future__ import annotations

import yaml

from tools.chart.job_defaults import PATH, generated
from tools.chart.programs import DriftJob, Schedule


def test_the_committed_file_says_what_the_classes_say() -> None:
    assert generated() == {PATH: PATH.read_text()}
    given = yaml.safe_load(PATH.read_text())
    made = {
        "drift": DriftJob(name="a", certificate="a", window="w", schedule="@daily"),
        "schedule": Schedule(name="a", model="a", schedule="@daily"),
    }
    for kind, job in made.items():
        full = job.model_dump(by_alias=True, mode="json", exclude_none=True)
        own = {key: full[key] for key in set(full) - {"name", "certificate", "window", "schedule", "model"}}
        assert given[kind] == own


def test_required_fields_have_no_default() -> None:
    given = yaml.safe_load(generated()[PATH])
    assert {"name", "schedule", "certificate", "window"} & set(given["drift"]) == set()
    assert {"name", "schedule", "model"} & set(given["schedule"]) == set()
