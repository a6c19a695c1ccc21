"""Components are read from locks and bills of materials; real bills are made by cyclonedx-py itself."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from robustcert.errors import InputError
from tools.advisories.components import Component, listed, pinned


def test_pins_are_read_with_and_without_hashes(tmp_path: Path) -> None:
    lock = tmp_path / "constraints.txt"
    lock.write_text("# a comment ==1\ntorch==2.13.0+cpu \\\n    --hash=sha256:00\nsix==1.17.0 ; python_version > '3'\n")
    assert [(part.package, part.version) for part in pinned(lock)] == [("torch", "2.13.0+cpu"), ("six", "1.17.0")]


def test_the_checkouts_lock_is_read_whole(root: Path) -> None:
    text = (root / "constraints.txt").read_text()
    assert len(pinned(root / "constraints.txt")) == text.count("==") > 200


def test_a_bill_of_this_environment_names_what_is_installed(tmp_path: Path) -> None:
    bill = tmp_path / "sbom.cdx.json"
    command = [sys.executable, "-m", "cyclonedx_py", "environment", "--no-validate", "--output-file", str(bill)]
    subprocess.run(command, check=True, capture_output=True)
    found = {part.package.lower(): part.version for part in listed(bill)}
    assert {name: found[name] for name in ("numpy", "torch")} == {name: version(name) for name in ("numpy", "torch")}


def test_nested_components_the_subject_and_libraries_without_an_address_count_and_others_do_not(tmp_path: Path) -> None:
    bill = tmp_path / "sbom.cdx.json"
    document = {
        "bomFormat": "CycloneDX",
        "metadata": {"component": {"type": "application", "name": "robustcert", "purl": "pkg:pypi/robustcert@1.0"}},
        "components": [
            {"type": "library", "name": "x", "purl": "pkg:pypi/X.y@1.0%2Bcpu?extension=tar.gz"},
            {
                "type": "library",
                "name": "y",
                "version": "2",
                "components": [{"type": "library", "name": "z", "version": "3"}],
            },
            {"type": "library", "name": "openssl", "version": "3", "purl": "pkg:deb/debian/openssl@3"},
            {"type": "framework", "name": "torch", "version": "2.0"},
            {"type": "library", "name": "v", "version": "4", "purl": "pkg:PyPI/v"},
            {"type": "library", "name": "w", "purl": "pkg:pypi/w"},
            {"type": "operating-system", "name": "debian", "version": "12"},
        ],
    }
    bill.write_text(json.dumps(document))
    source = "sbom.cdx.json"
    assert listed(bill) == [
        Component(package=name, version=number, source=source)
        for name, number in (
            ("robustcert", "1.0"),
            ("X.y", "1.0+cpu"),
            ("y", "2"),
            ("z", "3"),
            ("torch", "2.0"),
            ("v", "4"),
        )
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "got the document: Invalid JSON"),
        ('{"bomFormat": "SPDX"}', "expected a bill of materials in CycloneDX JSON, got bomFormat: Input should be"),
        ('{"bomFormat": "CycloneDX", "components": [{"name": 1}]}', "got components.0.name: Input should be a valid"),
    ],
)
def test_another_document_is_refused_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(InputError, match=message) as refused:
        listed(tmp_path / "a.json")
    assert "\n" not in str(refused.value)


def test_pins_with_extras_and_blanks_are_pins(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("uvicorn[standard]==0.30 ; python_version > '3'\nPyYAML == 5.1 # old\nh11===1\n")
    assert [(part.package, part.version) for part in pinned(tmp_path / "lock")] == [
        ("uvicorn", "0.30"),
        ("PyYAML", "5.1"),
        ("h11", "1"),
    ]


def test_a_lock_without_pins_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("torch>=2\n")
    with pytest.raises(InputError, match=r"expected pins, NAME==VERSION, got none in '.*lock'; name another file"):
        pinned(tmp_path / "lock")
    with pytest.raises(InputError, match=r"expected a readable file, got No such file or directory in '.*nothing'"):
        pinned(tmp_path / "nothing")
