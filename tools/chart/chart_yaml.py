"""The version in Chart.yaml: `version` and `appVersion` follow robustcert/__init__.py; the rest is kept by hand."""

from __future__ import annotations

import re
from pathlib import Path

from robustcert import __version__

PATH = Path(__file__).parents[2] / "charts/robustcert/Chart.yaml"
LINE = re.compile(r"^(version|appVersion): .*$", re.MULTILINE)


def with_version(text: str, version: str) -> str:
    """Chart.yaml with both versions set; ValueError where it does not have one line of each.

    >>> with_version("name: robustcert\\nversion: 0.9.0\\nappVersion: 0.9.0\\n", "1.2.3")
    'name: robustcert\\nversion: 1.2.3\\nappVersion: 1.2.3\\n'
    """
    fields = sorted(match[1] for match in LINE.finditer(text))
    if fields != ["appVersion", "version"]:
        raise ValueError(f"expected one line `version:` and one `appVersion:` in Chart.yaml, got {fields}; add them")
    return LINE.sub(lambda match: f"{match[1]}: {version}", text)


def generated() -> dict[Path, str]:
    """Chart.yaml as it must be."""
    return {PATH: with_version(PATH.read_text(encoding="utf-8"), __version__)}
