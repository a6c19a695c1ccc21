"""Everything that users download, made in one folder from one commit.

Package and source archive, chart, manifests, bills of materials, SHA256SUMS, and the statement of where they come from.
The same commit gives the same bytes, on the same versions of the tools that constraints.txt pins.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from robustcert.certificate.keys import SigningKey
from robustcert.errors import InputError, VerificationError, WorldError, expected
from robustcert.provenance.advisories import load_advisories
from tools.advisories.__main__ import KNOWN, findings
from tools.advisories.components import listed
from tools.release import bills, chart_archive, checksums, manifests_archive, provenance
from tools.release.checkout import Checkout

CHART = "charts/robustcert"
GPU = "gpu"  # a digest's name beside those of the chart's images: of the steps' image with CUDA, which overlays name
MANIFESTS = "manifests"
UNKNOWN_BUILDER = "urn:robustcert:builder:unknown"


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is asked for: the version, digests of its images, who makes it, with which key, by which advisories."""

    version: str
    digests: Mapping[str, str] = field(default_factory=dict)
    builder: str = UNKNOWN_BUILDER
    key: SigningKey | None = None
    databases: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        """InputError where one digest is given that says nothing of the chart's images."""
        if set(self.digests) == {GPU}:
            remedy = "give --digest NAME=sha256:... once for each"
            raise InputError(expected("digests of the chart's images too", got=f"one of {GPU} alone", remedy=remedy))


def assemble(source: Checkout, out: Path, order: Order, *, bills_of_images: Path) -> list[str]:
    """Writes every file into `out`, an empty folder; what is missing or worth knowing, a line each.

    VerificationError where a bill of materials lists a component that is known to be bad.
    """
    epoch = source.committed_at
    distributions(source.root, out, epoch=epoch)
    chart = source.root / CHART
    digests = {name: digest for name, digest in order.digests.items() if name != GPU}
    chart_archive.package(chart, out, version=order.version, digests=digests, epoch=epoch)
    tags = chart_archive.image_references(chart, order.version)
    used = {name: _by_digest(tag, digests.get(name)) for name, tag in tags.items()}
    manifests = out / f"robustcert-manifests-{order.version}.tar.gz"
    tags[GPU] = f"{tags['steps']}-{GPU}"
    references = {tags[name]: _by_digest(tags[name], digest) for name, digest in order.digests.items()}
    manifests_archive.pack(source.root / MANIFESTS, manifests, references=references, epoch=epoch)
    notes = _bills(source, out, order, used, bills_of_images=bills_of_images)
    refuse_known_bad(out, order.databases)
    checksums.write(out)
    _state(source, out, order)
    return [*notes, *_notes(order)]


def distributions(root: Path, out: Path, *, epoch: int) -> None:
    """Builds the source archive and, from it, the wheel; with the time of the commit in both."""
    run([sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(root)], root, epoch=epoch)


def refuse_known_bad(out: Path, databases: tuple[Path, ...]) -> None:
    """VerificationError where a bill in `out` lists a component that an advisory names."""
    components = [part for bill in sorted(out.glob("*.cdx.json")) for part in listed(bill)]
    found = findings(components, load_advisories([KNOWN, *databases]))
    if found:
        more = f" and {len(found) - 1} more" if len(found) > 1 else ""
        raise VerificationError(
            expected("components that no advisory names", got=f"{found[0]}{more}", remedy="take a fixed release")
        )


def run(command: list[str], folder: Path, *, epoch: int) -> None:
    """Runs a program in `folder`; WorldError with its last words where it fails."""
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": ""}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        said = " ".join(f"{done.stdout}\n{done.stderr}".split())[-400:]
        program = " ".join(command[1:4])
        raise WorldError(expected(f"`{program}` to succeed", got=said, remedy="repair that, then try again"))


def _bills(
    source: Checkout, out: Path, order: Order, references: Mapping[str, str], *, bills_of_images: Path
) -> list[str]:
    version, epoch = order.version, source.committed_at
    bills.package_bill(source.root, out / f"robustcert-{version}.cdx.json", version=version, epoch=epoch)
    chart = out / f"robustcert-chart-{version}.cdx.json"
    bills.chart_bill(chart, version=version, references=references, epoch=epoch)
    images, notes = bills.image_bills(bills_of_images, version)
    for path in images:
        name = path.name.removesuffix(".cdx.json")
        (out / f"{name}-image-{version}.cdx.json").write_bytes(path.read_bytes())
    return notes


def _state(source: Checkout, out: Path, order: Order) -> None:
    said = provenance.statement(
        out,
        version=order.version,
        digests=order.digests,
        commit=source.head,
        epoch=source.committed_at,
        builder=order.builder,
        checkout=source.root,
    )
    provenance.write(out, said, key=order.key)


def _by_digest(reference: str, digest: str | None) -> str:
    return f"{reference.rpartition(':')[0]}@{digest}" if digest else reference


def _notes(order: Order) -> list[str]:
    unsigned = [] if order.key else [f"{provenance.UNSIGNED} is not signed: give --key"]
    if not order.digests:
        return [*unsigned, "images by tag, not by digest: give --digest once they are pushed"]
    return (
        unsigned if GPU in order.digests else [*unsigned, f"the image with CUDA by tag: give --digest {GPU}=sha256:..."]
    )
