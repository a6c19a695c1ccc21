"""manifests/ as an archive with the same bytes at every call, its images by digest where digests are known."""

from __future__ import annotations

import gzip
import io
import re
import tarfile
from collections.abc import Mapping
from pathlib import Path


def pack(folder: Path, archive: Path, *, references: Mapping[str, str], epoch: int) -> None:
    """Writes `folder` as `archive` (.tar.gz); `references` maps REPOSITORY:TAG to what stands in its place."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            data = path.read_bytes()
            if path.suffix in (".yaml", ".yml"):
                data = with_references(data.decode("utf-8"), references).encode("utf-8")
            entry = tarfile.TarInfo(f"{archive.name.removesuffix('.tar.gz')}/{path.relative_to(folder).as_posix()}")
            entry.size, entry.mtime, entry.mode = len(data), epoch, 0o644
            tar.addfile(entry, io.BytesIO(data))
    archive.write_bytes(gzip.compress(buffer.getvalue(), mtime=epoch))


def with_references(text: str, references: Mapping[str, str]) -> str:
    """The YAML text with images named in another way; only whole names, where they are the value of `image`.

    >>> with_references("image: a/b:1.0\\n# a/b:1.0\\nimage: a/b:1.0-gpu\\n", {"a/b:1.0": "a/b@sha256:00"})
    'image: a/b@sha256:00\\n# a/b:1.0\\nimage: a/b:1.0-gpu\\n'
    """
    for before, after in references.items():
        pattern = re.compile(rf"""(?m)(\bimage["']?: ["']?){re.escape(before)}(?=["']?[,}}]?\s*$)""")
        text = pattern.sub(rf"\g<1>{after}", text)  # a reference of an image holds no backslash
    return text
