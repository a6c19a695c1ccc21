"""Copies that the chart carries below charts/robustcert/files: a chart can read no file outside its own folder.

Rules and compiled pipelines are copied from the files that are committed, dashboards from the code that makes them.
"""

from __future__ import annotations

from pathlib import Path

from monitoring.dashboards import generate as dashboards
from tools.chart import job_defaults
from tools.chart.render import CHART

ROOT = Path(__file__).parent.parent.parent
FILES = CHART / "files"
BY_HAND = FILES / "tests"  # what the pods of `helm test` run
SOURCES = {"rules": "monitoring/rules/*.rules.yaml", "pipelines": "pipelines/custom_resources/*.yaml"}


def generated() -> dict[Path, str]:
    """Each file -> the text that it must have."""
    copied = {
        FILES / folder / path.name: _marked(path)
        for folder, pattern in SOURCES.items()
        for path in sorted(ROOT.glob(pattern))
    }
    drawn = {FILES / "dashboards" / path.name: text for path, text in dashboards.generated().items()}
    return {**copied, **drawn, **job_defaults.generated()}


def orphans(folder: Path = FILES, *, by_hand: Path = BY_HAND) -> list[Path]:
    """Files of the folder that nothing makes any more."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_file() and by_hand not in path.parents)
    made = {path.relative_to(FILES) for path in generated()}
    return [path for path in found if path.relative_to(folder) not in made]


def _marked(path: Path) -> str:
    return f"# Copied from {path.relative_to(ROOT).as_posix()} by `make generate`; not edited here.\n{path.read_text()}"
