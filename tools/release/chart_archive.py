"""The chart as an archive, packaged by Helm's own engine, with the digests of the images where they are known.

Helm writes the times of the files, and no other, into the archive (measured: the same files give the same bytes); here
every file gets the commit's time. With digests the packaged values name every image by its digest, and refuse one
without. Helm's own provenance file (.prov) needs a PGP key: SHA256SUMS and the signed statement stand in for it.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import helm_python
import yaml

from robustcert.errors import InputError, WorldError, expected

VALUES = "values.yaml"
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def package(chart: Path, out: Path, *, version: str, digests: Mapping[str, str], epoch: int) -> Path:
    """Writes the chart's archive into `out`; InputError where digests are given, but not of every image."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, chart.name)
        shutil.copytree(chart, copy)
        if digests:
            values = (copy / VALUES).read_text(encoding="utf-8")
            (copy / VALUES).write_text(with_digests(values, digests), encoding="utf-8")
        for path in [copy, *copy.rglob("*")]:
            os.utime(path, (epoch, epoch))
        archive = _packaged(copy, out)
    _require_as_asked(archive, version=version, digests=digests)
    return archive


def with_digests(values: str, digests: Mapping[str, str]) -> str:
    """The text of values.yaml with each image's digest, and `requireDigest: true`; comments and order stay."""
    images = _entry(yaml.compose(values, Loader=yaml.SafeLoader), "images")
    names = [key.value for key, node in images.value if isinstance(node, yaml.MappingNode)]
    if set(digests) != set(names):
        remedy = "give --digest NAME=sha256:... once for each"
        raise InputError(expected(f"digests of the images {', '.join(names)}", got=", ".join(digests), remedy=remedy))
    changes = {
        **{_span(_entry(_entry(images, name), "digest")): digest for name, digest in digests.items()},
        _span(_entry(images, "requireDigest")): "true",
    }
    for (start, end), text in sorted(changes.items(), reverse=True):
        values = values[:start] + text + values[end:]
    return values


def parsed_digests(given: Sequence[str]) -> dict[str, str]:
    """Image -> digest, from texts NAME=sha256:...; InputError on another form and on a name twice.

    >>> list(parsed_digests(["steps=sha256:" + "0" * 64]))
    ['steps']
    """
    digests: dict[str, str] = {}
    for text in given:
        name, _, digest = text.partition("=")
        if DIGEST.fullmatch(digest) is None or name in digests:
            remedy = "copy what the registry answered to the push, once for each image"
            raise InputError(expected("NAME=sha256: and 64 digits", got=repr(text), remedy=remedy))
        digests[name] = digest
    return digests


def image_references(chart: Path, version: str) -> dict[str, str]:
    """Image -> its repository and tag in this release, as the chart's values name them."""
    images = yaml.safe_load((chart / VALUES).read_text(encoding="utf-8"))["images"]
    found = {name: image for name, image in images.items() if isinstance(image, dict)}
    return {name: f"{image['repository']}:{image['tag'] or version}" for name, image in found.items()}


def _packaged(chart: Path, out: Path) -> Path:
    try:
        return Path(helm_python.package(chart, destination=out))
    except helm_python.HelmError as error:
        said = " ".join(str(error).split())
        raise WorldError(expected("a chart that Helm packages", got=said, remedy="mend the chart")) from error


def _require_as_asked(archive: Path, *, version: str, digests: Mapping[str, str]) -> None:
    """WorldError where Helm, which loads the archive again, finds another version or other digests in it."""
    with helm_python.Chart.load_archive(archive.read_bytes()) as chart:
        found, images = (chart.version, chart.metadata["appVersion"]), chart.values["images"]
    stamped = {name: images[name]["digest"] for name in digests}
    if found != (version, version) or stamped != dict(digests) or (digests and images["requireDigest"] is not True):
        got = f"versions {found} and digests {stamped} in {archive.name}"
        raise WorldError(expected(f"version {version} and the given digests", got=got, remedy="mend the chart"))


def _entry(node: yaml.Node | None, name: str) -> yaml.Node:
    for key, value in _entries(node):
        if key.value == name:
            return value
    raise InputError(expected(f"{name!r} in the chart's {VALUES}", got="none", remedy="run `make generate`"))


def _entries(node: yaml.Node | None) -> Iterator[tuple[yaml.Node, yaml.Node]]:
    if isinstance(node, yaml.MappingNode):
        yield from node.value


def _span(node: yaml.Node) -> tuple[int, int]:
    return node.start_mark.index, node.end_mark.index
