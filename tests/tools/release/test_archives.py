"""Chart and manifests: the same bytes from the same files, and digests only where they belong."""

from __future__ import annotations

import os
import shutil
import tarfile
from pathlib import Path

import helm_python
import pytest
import yaml

from robustcert.errors import InputError, WorldError
from tests.tools.release.work_trees import ROOT
from tools.release.chart_archive import image_references, package, with_digests
from tools.release.manifests_archive import pack, with_references
from tools.release.versions import current

CHART = ROOT / "charts/robustcert"
DIGESTS = {"monitoring": f"sha256:{'ab' * 32}", "steps": f"sha256:{'cd' * 32}"}
VERSION = current((ROOT / "robustcert/__init__.py").read_text())


def packaged(chart: Path, out: Path, *, epoch: int = 1_700_000_000) -> bytes:
    out.mkdir()
    return package(chart, out, version=VERSION, digests={}, epoch=epoch).read_bytes()


def test_a_chart_packaged_twice_from_files_of_other_times_is_the_same_archive(tmp_path: Path) -> None:
    copy = tmp_path / "robustcert"
    shutil.copytree(CHART, copy)
    for path in copy.rglob("*"):
        os.utime(path, (5, 5))
    assert packaged(CHART, tmp_path / "one") == packaged(copy, tmp_path / "two")
    assert packaged(CHART, tmp_path / "later", epoch=1_800_000_000) != packaged(CHART, tmp_path / "again")


def test_a_chart_of_another_version_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WorldError, match=r"expected version 9\.8\.7 and the given digests, got versions"):
        package(CHART, tmp_path, version="9.8.7", digests={}, epoch=0)


def test_digests_are_written_into_the_values_and_nothing_else_changes() -> None:
    before = (CHART / "values.yaml").read_text()
    after = with_digests(before, DIGESTS)
    wanted = yaml.safe_load(before)
    for name, digest in DIGESTS.items():
        wanted["images"][name]["digest"] = digest
    wanted["images"]["requireDigest"] = True
    assert yaml.safe_load(after) == wanted
    changed = [line for line, old in zip(after.splitlines(), before.splitlines(), strict=True) if line != old]
    assert len(changed) == 3


@pytest.mark.parametrize("names", [{"steps"}, {"monitoring", "steps", "other"}])
def test_digests_of_some_or_unknown_images_are_refused(names: set[str]) -> None:
    digests = dict.fromkeys(sorted(names), DIGESTS["steps"])
    with pytest.raises(InputError, match=r"expected digests of the images monitoring, steps, got .*; give --digest"):
        with_digests((CHART / "values.yaml").read_text(), digests)


def test_values_without_images_are_refused() -> None:
    with pytest.raises(
        InputError, match=r"expected 'images' in the chart's values.yaml, got none; run `make generate`"
    ):
        with_digests("exporter: {}\n", DIGESTS)


def test_images_are_named_as_the_chart_itself_names_them() -> None:
    references = image_references(CHART, VERSION)
    values = yaml.safe_load((CHART / "ci/minimal-values.yaml").read_text())
    with helm_python.Chart.load(CHART) as chart:
        rendered = "".join(chart.render(values, name="robustcert", namespace="robustcert").values())
    assert set(references) == {"monitoring", "steps"}
    assert references["monitoring"] in rendered


def test_manifests_packed_twice_are_the_same_archive_with_one_time_and_no_owner(tmp_path: Path) -> None:
    folder = tmp_path / "manifests"
    (folder / "base").mkdir(parents=True)
    (folder / "base/a.yaml").write_text("image: a/b:1.0\n")
    (folder / "README.md").write_text("a/b:1.0\n")
    archives = [tmp_path / name / "m.tar.gz" for name in ("one", "two")]
    for number, archive in enumerate(archives):
        archive.parent.mkdir()
        os.utime(folder / "README.md", (number, number))
        pack(folder, archive, references={"a/b:1.0": "a/b@sha256:00"}, epoch=1_700_000_000)
    assert archives[0].read_bytes() == archives[1].read_bytes()
    with tarfile.open(archives[0]) as tar:
        found = {(entry.name, entry.mtime, entry.uid, entry.mode) for entry in tar}
        member = tar.extractfile("m/base/a.yaml")
        assert member
        assert member.read() == b"image: a/b@sha256:00\n"
    assert found == {(f"m/{name}", 1_700_000_000, 0, 0o644) for name in ("base/a.yaml", "README.md")}


@pytest.mark.parametrize(
    ("line", "changes"),
    [
        ("  image: a/b:1.0", True),
        ('- image: "a/b:1.0"', True),
        ("- {name: x, image: a/b:1.0}", True),
        ('  "image": "a/b:1.0",', True),
        ("  image: a/b:1.0-gpu", False),
        ("  image: x/a/b:1.0", False),
        ("  baseimage: a/b:1.0", False),
        ("  defaultValue: a/b:1.0", False),
    ],
)
def test_only_whole_names_of_images_are_replaced(line: str, changes: bool) -> None:
    after = with_references(f"{line}\n", {"a/b:1.0": "a/b@sha256:00"})
    assert after == (f"{line}\n".replace("a/b:1.0", "a/b@sha256:00") if changes else f"{line}\n")
