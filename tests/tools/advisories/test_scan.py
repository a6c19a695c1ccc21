"""The scan: nothing is found on what we lock, and a planted known-bad component fails it."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from packaging.version import Version

from robustcert.provenance.advisories import load_advisories
from tools.advisories.__main__ import KNOWN, main
from tools.advisories.components import pinned


def bill(folder: Path, package: str, version: str) -> Path:
    component = {"type": "library", "name": package, "version": version, "purl": f"pkg:pypi/{package}@{version}"}
    path = folder / "planted.cdx.json"
    path.write_text(json.dumps({"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [component]}))
    return path


def test_nothing_is_known_against_what_the_checkout_locks(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    locks = [root / name for name in ("constraints.txt", "constraints-build.txt", "constraints-cpu.txt")]
    components = sum(len(pinned(lock)) for lock in locks)
    assert (
        capsys.readouterr().out
        == f"{components} components, {len(list(KNOWN.glob('*.json')))} advisories, 0 findings\n"
    )


@pytest.mark.parametrize(
    ("package", "version", "finding"),
    [
        (
            "torch",
            "2.5.1+cu124",
            "torch 2.5.1+cu124: PYSEC-2025-41, CVE-2025-32434, GHSA-53q9-r3pm-6pq6: torch.load runs",
        ),
        ("torch", "2.9.1", "torch 2.9.1: GHSA-63cw-57p8-fm3p, CVE-2026-24747: "),
        ("pyarrow", "14.0.0", "pyarrow 14.0.0: PYSEC-2023-238, CVE-2023-47248, GHSA-5wvp-7f3h-6wmm: "),
        ("Pillow", "10.1.0", "Pillow 10.1.0: GHSA-3f63-hfp8-52jq, CVE-2023-50447: "),
        ("PyYAML", "5.3.1", "PyYAML 5.3.1: PYSEC-2021-142, CVE-2020-14343, GHSA-8q59-q68h-6hv4: "),
        ("urllib3", "2.6.2", "urllib3 2.6.2: GHSA-38jv-5279-wg99, CVE-2026-21441: "),
        ("jinja2", "3.1.5", "jinja2 3.1.5: GHSA-cpwx-vrp4-4pq7, CVE-2025-27516: "),
        ("h11", "0.14.0", "h11 0.14.0: GHSA-vqfr-h8mv-ghfj, CVE-2025-43859: "),
    ],
)
def test_a_planted_component_fails_the_scan(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], package: str, version: str, finding: str
) -> None:
    assert main(["--sbom", str(bill(tmp_path, package, version))]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith(f"planted.cdx.json: {finding}") and "(fixed in " in line]
    assert lines[-1].endswith(f" {len(lines) - 1} findings")


@pytest.mark.parametrize("path", sorted(KNOWN.glob("*.json")), ids=lambda path: path.stem)
def test_every_advisory_of_ours_names_the_version_before_its_fix_and_not_the_fix(path: Path) -> None:
    document = json.loads(path.read_text())
    known = load_advisories([path])
    (affected,) = document["affected"]
    fixes = [Version(event["fixed"]) for entry in affected["ranges"] for event in entry["events"] if "fixed" in event]
    name = affected["package"]["name"]
    assert path.stem == document["id"]
    assert [known.of(name, f"{fix}.dev1")[0].fixed for fix in fixes] == [str(fix) for fix in fixes]
    assert [known.of(name, str(fix)) for fix in fixes] == [[] for _ in fixes]
    assert document["references"][0]["url"].startswith("https://")


def test_a_downloaded_database_is_scanned_too(tmp_path: Path, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    locked = next(part for part in pinned(root / "constraints.txt") if part.package == "kfp")
    affected = {"package": {"ecosystem": "PyPI", "name": "kfp"}, "versions": [locked.version]}
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("MAL-1.json", json.dumps({"id": "MAL-1", "affected": [affected]}))
    assert main(["--database", str(tmp_path)]) == 1
    expected = f"constraints.txt: kfp {locked.version}: MAL-1 (no release is named that fixes it)"
    assert capsys.readouterr().out.splitlines()[0] == expected


def test_malformed_advisories_are_one_line_and_exit_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.json").write_text("{}")
    assert main(["--database", str(tmp_path)]) == 2
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    assert "expected an advisory in OSV's format (JSON), got" in printed.err
