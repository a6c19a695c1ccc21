"""The version where people read and copy it: pages, examples and values that are written by hand.

`make generate` writes the current version into each place that one of PATTERNS finds, so that it stands in
robustcert/__init__.py alone. Files that are generated as a whole are left to what makes them.
"""

from __future__ import annotations

import re
from pathlib import Path

from robustcert import __version__

ROOT = Path(__file__).parents[2]
FILES = ("README.md", "docs/**/*.md", "manifests/**/*.yaml", "manifests/**/*.md", "charts/robustcert/ci/*.yaml")
GENERATED = re.compile(r"make generate|tools[./]generate|tools[./]components_page")  # in the first lines of such a file
VERSION = r"\d+\.\d+\.\d+"
PATTERNS = (
    re.compile(rf"(?<=ghcr\.io/robustcert/robustcert:){VERSION}"),
    re.compile(rf"(?<=ghcr\.io/robustcert/robustcert-monitoring:){VERSION}"),
    re.compile(rf"(?<=charts/robustcert --version ){VERSION}"),
    re.compile(rf"(?<=targetRevision: ){VERSION}"),
    re.compile(rf"(?<=\btag: ){VERSION}"),
    re.compile(rf"\b{VERSION}(?=-[0-9a-f]{{12}}\b)"),  # a pipeline's version
)


def with_version(text: str, version: str) -> str:
    """The text with the version in every place that names one of ours.

    >>> with_version("image: ghcr.io/robustcert/robustcert:0.9.0-gpu, python 3.11.2", "1.2.3")
    'image: ghcr.io/robustcert/robustcert:1.2.3-gpu, python 3.11.2'
    """
    for pattern in PATTERNS:
        text = pattern.sub(version, text)
    return text


def generated() -> dict[Path, str]:
    """Every page, example and values file by hand that names a version of ours -> its text with the current one."""
    paths = sorted({path for pattern in FILES for path in ROOT.glob(pattern)})
    texts = {path: path.read_text(encoding="utf-8") for path in paths}
    ours = {path: text for path, text in texts.items() if not GENERATED.search(text[:400])}
    return {path: with_version(text, __version__) for path, text in ours.items() if with_version(text, "0") != text}
