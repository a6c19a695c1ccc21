"""What ConfigMaps hold, and how large objects and releases are."""

from __future__ import annotations

import json
import random
import string
from pathlib import Path

import pytest

from tests.tools.chart.checks.good_release import EXPORTER, Change, changed, found, good_objects, put, release_of
from tools.chart.checks.contents import MOST_RELEASE_BYTES, release_fits, stored_bytes
from tools.chart.checks.release import Release

FILES = "ConfigMap/r-dashboard"
BOARD = {"title": "Fleet", "uid": "fleet", "panels": [{}]}


def board(**parts: object) -> str:
    return json.dumps({**BOARD, **parts})


@pytest.mark.parametrize(
    ("change", "checks"),
    [
        (put(FILES, "data.fleet~json", board()[:-1]), {"files-can-be-read"}),
        (put(FILES, "data.rules~yaml", "groups: [a"), {"files-can-be-read"}),
        (put(FILES, "data.rules~yml", "a: b: c"), {"files-can-be-read"}),
        (put(FILES, "data.fleet~json", board(title="")), {"dashboards-are-whole"}),
        (put(FILES, "data.fleet~json", board(panels=[])), {"dashboards-are-whole"}),
        (put(FILES, "data.fleet~json", "[]"), {"dashboards-are-whole"}),
        (put(FILES, "data.second~json", board(title="Second")), {"dashboards-are-whole"}),
        (put(FILES, "data.text", "word " * 210_000), {"configuration-fits"}),
        (put(EXPORTER, "spec.note", "word " * 290_000), {"objects-fit"}),
    ],
)
def test_each_change_is_found_by_its_checks(change: Change, checks: set[str]) -> None:
    assert found(changed(change)) == checks


def chart(folder: Path, *, bytes_of_file: int) -> Path:
    """A chart with one template and one file of letters at random, which can't be compressed well."""
    (folder / "templates").mkdir()
    (folder / "Chart.yaml").write_text("apiVersion: v2\nname: small\nversion: 0.1.0\n")
    (folder / "values.yaml").write_text("{}\n")
    (folder / "templates/a.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n")
    (folder / "file.txt").write_text("".join(random.Random(5).choices(string.ascii_letters + "+/", k=bytes_of_file)))
    return folder


def test_a_release_grows_with_the_files_of_its_chart_whether_they_are_rendered_or_not(tmp_path: Path) -> None:
    (tmp_path / "small").mkdir()
    (tmp_path / "large").mkdir()
    objects = good_objects()
    small = stored_bytes(release_of(objects), chart=chart(tmp_path / "small", bytes_of_file=0))
    large = stored_bytes(release_of(objects), chart=chart(tmp_path / "large", bytes_of_file=300_000))
    # 64 letters at random hold 6 bits each, so 300,000 of them at least 225,000 bytes; in base64 four thirds of that.
    # Helm zips them in base64, which costs up to a third more.
    assert 300_000 <= large - small <= 400_000


@pytest.mark.parametrize(("size", "right"), [(500_000, True), (900_000, False)])
def test_a_release_that_helm_could_not_store_is_found(tmp_path: Path, size: int, right: bool) -> None:
    release = Release(objects=(), chart=chart(tmp_path, bytes_of_file=size))
    told = [wrong.message for wrong in release_fits(release)]
    assert (told == []) is right
    assert right or f"expected at most {MOST_RELEASE_BYTES} bytes" in told[0]
    assert "release-fits" not in found(Release(objects=()))
