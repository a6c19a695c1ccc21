"""A release from a copy of this checkout: first everything as a dry run, then the commit, then its files again.

Whoever checks is not the code that made them: sha256sum, zipfile and tarfile, Helm's engine, CycloneDX's own validator,
securesystemslib, git.
"""

from __future__ import annotations

import email
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import helm_python
import pytest
import yaml
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.requirements import Requirement
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey

from robustcert.certificate.keys import load_verification_key, new_key, write_key_pair
from tests.test_documentation import block_commands, run_commands
from tests.tools.release.work_trees import ROOT, copy_of_the_checkout, git
from tools.advisories.components import pinned
from tools.release.check import main as check
from tools.release.versions import current

VERSION = "9.8.7"
DIGESTS = {"monitoring": f"sha256:{'ab' * 32}", "steps": f"sha256:{'cd' * 32}", "gpu": f"sha256:{'ef' * 32}"}
STAMPED = [word for name, digest in DIGESTS.items() for word in ("--digest", f"{name}={digest}")]
NAMES = {
    "SHA256SUMS",
    "provenance.dsse.json",
    f"robustcert-{VERSION}-py3-none-any.whl",
    f"robustcert-{VERSION}.cdx.json",
    f"robustcert-{VERSION}.tar.gz",
    f"robustcert-{VERSION}.tgz",
    f"robustcert-chart-{VERSION}.cdx.json",
    f"robustcert-cpu-image-{VERSION}.cdx.json",
    f"robustcert-manifests-{VERSION}.tar.gz",
}
BUILDER = "https://example.org/releases"
# Everything that is generated takes most of a release's time; one release of two makes only what the chart needs.
LITTLE_TO_GENERATE = """
from tools.chart import chart_yaml
from tools.release import mentions

for path, text in {**chart_yaml.generated(), **mentions.generated()}.items():
    path.write_text(text)
"""


@dataclass(frozen=True, kw_only=True)
class Made:
    """What a call of the command left: its words, its files, and the work tree."""

    printed: str
    files: Path
    root: Path
    key: Path


def release(root: Path, *arguments: object) -> str:
    command = [sys.executable, "-m", "tools.release", VERSION, *map(str, arguments)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def state(root: Path) -> list[str]:
    """Commit, branches, tags, changes, and everything that git ignores."""
    asked = (("rev-parse", "HEAD"), ("for-each-ref",), ("status", "--porcelain", "--ignored"))
    return [git(root, *words) for words in asked]


def bill_of_an_image(folder: Path, name: str, version: str) -> None:
    folder.mkdir(exist_ok=True)
    component = {"type": "library", "name": "robustcert", "version": version}
    bill = {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": [component]}
    (folder / f"{name}.cdx.json").write_text(json.dumps(bill))


@pytest.fixture(scope="module")
def dry(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A dry run with a key and digests; the state of the work tree is compared on the way."""
    folder = tmp_path_factory.mktemp("dry")
    root = copy_of_the_checkout(folder / "clone")
    bill_of_an_image(root / "dist", "robustcert-cpu", VERSION)
    bill_of_an_image(root / "dist", "robustcert-gpu", "0.0.1")
    key = folder / "release"
    write_key_pair(key, new_key("ecdsa-p256"), passphrase=None)
    before = state(root)
    options = ("--dry-run", "--out", folder / "out", "--key", key, "--builder", BUILDER, *STAMPED)
    printed = release(root, *options)
    assert state(root) == before
    return Made(printed=printed, files=folder / "out", root=root, key=folder / "release.pub")


def test_a_dry_run_makes_every_file_and_says_what_is_missing(dry: Made) -> None:
    assert {path.name for path in dry.files.iterdir()} == NAMES
    lines = dry.printed.splitlines()
    before = current((ROOT / "robustcert/__init__.py").read_text())
    assert lines[0].startswith(f"dry run of release {VERSION} (v{VERSION}), after {before}, commit ")
    assert f"left out robustcert-gpu.cdx.json: it does not list robustcert {VERSION}" in lines
    assert lines[-1] == f"nothing was changed; the files are in {dry.files}"


def test_the_checksums_are_those_that_sha256sum_finds(dry: Made) -> None:
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=dry.files, capture_output=True, text=True
    )
    assert done.returncode == 0
    assert {line.removesuffix(": OK") for line in done.stdout.splitlines()} == NAMES - {
        "SHA256SUMS",
        "provenance.dsse.json",
    }


def test_the_wheel_has_the_version_and_asks_for_nothing_new(dry: Made) -> None:
    with zipfile.ZipFile(dry.files / f"robustcert-{VERSION}-py3-none-any.whl") as wheel:
        metadata = email.message_from_bytes(wheel.read(f"robustcert-{VERSION}.dist-info/METADATA"))
        assert current(wheel.read("robustcert/__init__.py").decode()) == VERSION
        pipeline = wheel.read("robustcert/pipelines/certified_training.yaml").decode()
    required = [Requirement(line) for line in metadata.get_all("Requires-Dist", [])]
    core = {str(requirement) for requirement in required if requirement.marker is None}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert (metadata["Version"], core) == (VERSION, {str(Requirement(line)) for line in project["dependencies"]})
    assert f"defaultValue: ghcr.io/robustcert/robustcert:{VERSION}\n" in pipeline


def test_the_source_archive_holds_the_dated_changelog_and_the_old_version_nowhere(dry: Made) -> None:
    old = current((ROOT / "robustcert/__init__.py").read_text())
    folder = f"robustcert-{VERSION}"
    with tarfile.open(dry.files / f"{folder}.tar.gz") as archive:
        texts = {
            name: member.read().decode("utf-8", "replace")
            for name in archive.getnames()
            if (member := archive.extractfile(name))
        }
    assert f"\n## {VERSION} (20" in texts[f"{folder}/CHANGELOG.md"]
    assert "\n## Unreleased" not in texts[f"{folder}/CHANGELOG.md"]
    assert f"\nversion: {VERSION}\nappVersion: {VERSION}\n" in texts[f"{folder}/charts/robustcert/Chart.yaml"]
    named = [name for name, text in texts.items() if f"robustcert/robustcert:{old}" in text]
    assert [name for name in named if "/tests/" not in name] == []
    assert sum(f"robustcert/robustcert:{VERSION}" in text for text in texts.values()) > 30


def test_the_chart_loads_with_the_version_and_renders_its_images_by_digest(dry: Made) -> None:
    values = yaml.safe_load((ROOT / "charts/robustcert/ci/minimal-values.yaml").read_text())
    with helm_python.Chart.load_archive((dry.files / f"robustcert-{VERSION}.tgz").read_bytes()) as chart:
        assert (chart.version, chart.metadata["appVersion"]) == (VERSION, VERSION)
        assert chart.values["images"]["requireDigest"] is True
        texts = chart.render(values, name="robustcert", namespace="robustcert")
        without = {**values, "images": {"monitoring": {"digest": ""}}}
        with pytest.raises(
            helm_python.HelmError, match=r"expected a digest of image .*robustcert-monitoring, got none"
        ):
            chart.render(without, name="robustcert", namespace="robustcert")
    rendered = [text for path, text in texts.items() if path.endswith(".yaml")]
    images = {image for text in rendered for part in yaml.safe_load_all(text) for image in containers(part)}
    assert f"ghcr.io/robustcert/robustcert-monitoring@{DIGESTS['monitoring']}" in images
    assert {image.partition("@")[2] for image in images} <= set(DIGESTS.values())


def containers(document: Any) -> list[str]:
    """Every text under a key `image`, at any depth."""
    if isinstance(document, dict):
        own = [document["image"]] if isinstance(document.get("image"), str) else []
        return own + [found for value in document.values() for found in containers(value)]
    return [found for item in document for found in containers(item)] if isinstance(document, list) else []


def test_the_manifests_name_their_images_by_digest(dry: Made) -> None:
    with tarfile.open(dry.files / f"robustcert-manifests-{VERSION}.tar.gz") as archive:
        texts = [
            member.read()
            for name in archive.getnames()
            if name.endswith(".yaml") and (member := archive.extractfile(name))
        ]
    images = [image for text in texts for part in yaml.safe_load_all(text) for image in containers(part)]
    ours = {image for image in images if "ghcr.io/robustcert/" in image and "{" not in image}
    assert ours
    assert {image.partition("@")[2] or image for image in ours} <= set(DIGESTS.values())


@pytest.mark.parametrize("name", [f"robustcert-{VERSION}.cdx.json", f"robustcert-chart-{VERSION}.cdx.json"])
def test_bills_of_materials_are_valid_cyclonedx(dry: Made, name: str) -> None:
    bill = json.loads((dry.files / name).read_text())
    few = {**bill, "components": bill["components"][:20], "dependencies": bill["dependencies"][:20]}
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(few)) is None
    subject = bill["metadata"]["component"]
    assert (subject["name"], subject["version"]) == ("robustcert", VERSION)


def test_the_packages_bill_is_the_lock_without_what_only_development_needs(dry: Made) -> None:
    bill = json.loads((dry.files / f"robustcert-{VERSION}.cdx.json").read_text())
    listed = {part["name"]: part["version"] for part in bill["components"]}
    locked = {part.package: part.version for part in pinned(ROOT / "constraints.txt")}
    assert listed.items() <= locked.items()
    assert {"torch", "numpy", "cryptography", "kfp", "evidently", "fastapi", "minio", "onnx"} <= set(listed)
    assert {"pytest", "ruff", "mypy", "moto", "uv", "hypothesis", "cyclonedx-bom"} & set(listed) == set()


def test_the_charts_bill_names_its_images_by_digest(dry: Made) -> None:
    bill = json.loads((dry.files / f"robustcert-chart-{VERSION}.cdx.json").read_text())
    found = {part["name"]: part["version"] for part in bill["components"]}
    assert found == {
        "ghcr.io/robustcert/robustcert": DIGESTS["steps"],
        "ghcr.io/robustcert/robustcert-monitoring": DIGESTS["monitoring"],
    }


def test_the_signed_statement_is_what_securesystemslib_verifies_and_names_every_file(dry: Made) -> None:
    envelope = Envelope.from_dict(json.loads((dry.files / "provenance.dsse.json").read_text()))
    public = load_verification_key(dry.key)
    key = SSlibKey.from_crypto(public, keyid=next(iter(envelope.signatures)))
    assert len(envelope.verify([key], 1)) == 1
    said = json.loads(envelope.payload)
    assert (said["_type"], said["predicateType"]) == (
        "https://in-toto.io/Statement/v1",
        "https://slsa.dev/provenance/v1",
    )
    subjects = {subject["name"]: subject["digest"]["sha256"] for subject in said["subject"]}
    wanted = {
        name: hashlib.sha256((dry.files / name).read_bytes()).hexdigest() for name in NAMES - {"provenance.dsse.json"}
    }
    assert subjects == wanted
    definition, run = said["predicate"]["buildDefinition"], said["predicate"]["runDetails"]
    assert definition["externalParameters"] == {"version": VERSION, "digests": DIGESTS}
    assert definition["resolvedDependencies"][0]["digest"]["gitCommit"] in dry.printed.splitlines()[0]
    assert run == {"builder": {"id": BUILDER}}


def test_whoever_downloads_it_can_check_it_with_one_command(dry: Made, capsys: pytest.CaptureFixture[str]) -> None:
    assert check([str(dry.files), "--key", str(dry.key)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{len(NAMES) - 2} files are as SHA256SUMS says"
    assert lines[1].startswith(f"signed: release {VERSION}, made from commit ")
    assert lines[1].endswith(f" by {BUILDER}")


def test_the_commands_that_the_page_gives_for_checking_do_what_it_says(dry: Made, tmp_path: Path) -> None:
    """They stand in `text` blocks, because they need the folder of a release."""
    page = (ROOT / "docs/releasing.md").read_text().partition("\n## Checking one\n")[2]
    blocks = re.findall(r"^```text\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    commands = tuple(command for block in blocks for command in block_commands(block, status=0))
    assert [command.line.split()[0] for command in commands] == ["sha256sum", "python", "python"]
    folder = shutil.copytree(dry.files, tmp_path / "downloaded")
    shutil.copy(dry.key, tmp_path / "release.pub")
    assert run_commands(commands, folder) == []


@pytest.fixture(scope="module")
def real(dry: Made, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The release itself, in another copy that has little to generate."""
    folder = tmp_path_factory.mktemp("real")
    git(folder, "clone", "--quiet", str(dry.root), str(folder / "clone"))
    root = folder / "clone"
    (root / "tools/generate.py").write_text(LITTLE_TO_GENERATE)
    git(root, "commit", "--quiet", "--all", "--message", "Generate little")
    return Made(printed=release(root), files=root / "dist/release", root=root, key=dry.key)


def test_a_release_commits_and_puts_its_files_in_place_and_pushes_and_tags_nothing(real: Made) -> None:
    assert git(real.root, "log", "-1", "--format=%s") == f"Release {VERSION}"
    changed = set(git(real.root, "diff", "--name-only", "HEAD~1").splitlines())
    assert {"CHANGELOG.md", "charts/robustcert/Chart.yaml", "robustcert/__init__.py", "docs/kubeflow.md"} <= changed
    assert (git(real.root, "status", "--porcelain"), git(real.root, "tag")) == ("", "")
    assert git(real.root, "rev-list", "--count", "origin/main..HEAD") == "2"
    assert {path.name for path in (real.root / "dist").iterdir()} == {"release"}
    assert f"  git push origin HEAD v{VERSION}" in real.printed.splitlines()
    assert "no bill of an image in dist/: run `make image` first" in real.printed.splitlines()
    assert "provenance.json is not signed: give --key" in real.printed.splitlines()


def test_the_tagged_commit_gives_the_same_bytes_again_and_then_takes_the_images_digests(
    real: Made, tmp_path: Path
) -> None:
    git(real.root, "tag", f"v{VERSION}")
    before = state(real.root)
    printed = release(real.root, "--dry-run", "--out", tmp_path / "again", *STAMPED)
    assert printed.splitlines()[0].startswith(f"dry run of release {VERSION} (v{VERSION}), again, commit {before[0]}")
    assert state(real.root) == before
    first, again = (
        {path.name: path.read_bytes() for path in files.iterdir()} for files in (real.files, tmp_path / "again")
    )
    differing = {name for name in first | again if first.get(name) != again.get(name)}
    stamped = {
        f"robustcert-{VERSION}.tgz",
        f"robustcert-manifests-{VERSION}.tar.gz",
        f"robustcert-chart-{VERSION}.cdx.json",
    }
    assert differing == {*stamped, "SHA256SUMS", "provenance.json"}
    assert len(first) == len(again) == 8
