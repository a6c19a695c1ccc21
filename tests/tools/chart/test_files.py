"""What the chart carries in files/: true copies, found by Helm, and nothing left over."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import helm_python
import pytest
import yaml

from tools.chart.files import BY_HAND, FILES, generated, orphans
from tools.chart.render import CHART

PAIRS = [
    ("files/rules", "monitoring/rules", "*.rules.yaml"),
    ("files/pipelines", "pipelines/custom_resources", "*.yaml"),
]


@pytest.mark.parametrize(("folder", "source", "names"), PAIRS)
def test_copies_say_what_their_source_says(root: Path, folder: str, source: str, names: str) -> None:
    sources = {
        path.name: list(yaml.load_all(path.read_text(), Loader=yaml.CSafeLoader))
        for path in root.glob(f"{source}/{names}")
    }
    copies = {
        path.name: list(yaml.load_all(path.read_text(), Loader=yaml.CSafeLoader)) for path in (CHART / folder).iterdir()
    }
    assert copies == sources != {}


def test_dashboards_are_those_of_the_repository(root: Path) -> None:
    sources = {path.name: path.read_text() for path in root.glob("monitoring/dashboards/*.json")}
    assert {path.name: path.read_text() for path in (FILES / "dashboards").iterdir()} == sources != {}
    assert all(json.loads(text)["uid"] for text in sources.values())


def test_the_committed_files_are_current_and_none_is_left_over() -> None:
    assert [path for path, text in generated().items() if path.read_text() != text] == []
    assert orphans() == []


def test_a_file_that_nothing_makes_is_named_but_not_one_made_by_hand(tmp_path: Path) -> None:
    kept = [tmp_path / path.relative_to(FILES) for path in generated()]
    hand = tmp_path / BY_HAND.relative_to(FILES)
    for path in [*kept, hand / "mine.py", tmp_path / "rules/gone.rules.yaml", tmp_path / "stray"]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    assert orphans(tmp_path, by_hand=hand) == [tmp_path / "rules/gone.rules.yaml", tmp_path / "stray"]


def test_the_packed_chart_has_every_file_and_no_trials(tmp_path: Path) -> None:
    archive = helm_python.package(str(CHART), destination=str(tmp_path))
    with tarfile.open(archive) as packed:
        names = {name.removeprefix("robustcert/") for name in packed.getnames()}
    wanted = {path.relative_to(CHART).as_posix() for path in generated()}
    assert wanted | {"values.yaml", "values.schema.json", "README.md", "Chart.yaml"} <= names
    assert [name for name in names if name.startswith("ci/") or name.endswith(".pyc")] == []
