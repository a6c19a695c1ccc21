"""Bills of materials: what belongs to users, what belongs to an image, and what stops a release."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from robustcert.errors import VerificationError
from tools.release.assembly import refuse_known_bad
from tools.release.bills import chart_bill, development_only, image_bills


def bill(path: Path, package: str, version: str) -> None:
    component = {"type": "library", "name": package, "version": version, "purl": f"pkg:pypi/{package}@{version}"}
    path.write_text(json.dumps({"bomFormat": "CycloneDX", "components": [component]}))


def test_development_alone_needs_what_no_other_extra_leads_to() -> None:
    project = {
        "dependencies": ["pydantic"],
        "optional-dependencies": {"s3": ["minio; python_version > '3'"], "dev": ["pytest", "minio", "not-installed"]},
    }
    found = development_only(project)
    assert {"pytest", "pluggy", "not-installed"} <= found
    assert not {"minio", "urllib3", "certifi", "pydantic", "typing-extensions"} & found


def test_the_bill_of_another_version_is_left_out_and_said(tmp_path: Path) -> None:
    bill(tmp_path / "robustcert-cpu.cdx.json", "robustcert", "1.2.3")
    bill(tmp_path / "robustcert-gpu.cdx.json", "robustcert", "1.2.2")
    found, notes = image_bills(tmp_path, "1.2.3")
    assert [path.name for path in found] == ["robustcert-cpu.cdx.json"]
    assert notes == ["left out robustcert-gpu.cdx.json: it does not list robustcert 1.2.3"]


@pytest.mark.parametrize(
    ("reference", "version", "purl"),
    [
        ("ghcr.io/a/b:1.2.3", "1.2.3", "pkg:oci/b?repository_url=ghcr.io/a/b&tag=1.2.3"),
        ("host:5000/a/b@sha256:00", "sha256:00", "pkg:oci/b@sha256%3A00?repository_url=host:5000/a/b"),
    ],
)
def test_an_image_is_listed_by_its_digest_or_its_tag(tmp_path: Path, reference: str, version: str, purl: str) -> None:
    path = tmp_path / "chart.cdx.json"
    chart_bill(path, version="1.2.3", references={"steps": reference}, epoch=1_700_000_000)
    document = json.loads(path.read_text())
    (component,) = document["components"]
    assert (component["version"], component["purl"]) == (version, purl)
    assert document["metadata"]["timestamp"] == "2023-11-14T22:13:20Z"


def test_a_known_bad_component_in_a_bill_stops_the_release(tmp_path: Path) -> None:
    bill(tmp_path / "good.cdx.json", "torch", "2.13.0")
    refuse_known_bad(tmp_path, ())
    bill(tmp_path / "robustcert-cpu-image-1.2.3.cdx.json", "torch", "2.5.1")
    reason = r"that no advisory names, got robustcert-cpu-image-1\.2\.3\.cdx\.json: torch 2\.5\.1: .* and 1 more;"
    with pytest.raises(VerificationError, match=reason):
        refuse_known_bad(tmp_path, ())
