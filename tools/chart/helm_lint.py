"""What Helm's own engine finds wrong with the chart: `helm lint --strict`, and the schema of the values."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import helm_python

WARNING = 2  # Helm's severities: 1 information, 2 warning, 3 error


def helm_findings(chart: Path, values: Mapping[str, Any] | None = None) -> list[str]:
    """One line for each warning and error of Helm, the values' schema first; none where the chart is clean."""
    given = dict(values or {})
    return [*_schema_findings(chart, given), *_lint_findings(chart, given)]


def _schema_findings(chart: Path, values: dict[str, Any]) -> list[str]:
    try:
        loaded = helm_python.Chart.load(str(chart))
    except helm_python.HelmError as error:
        return [f"chart: {_line(error)}"]
    with loaded:
        try:
            loaded.validate_schema(values)
        except helm_python.HelmError as error:
            return [f"values: {_line(error)}"]
    return []


def _lint_findings(chart: Path, values: dict[str, Any]) -> list[str]:
    report = helm_python.lint(str(chart), values, strict=True, skip_schema_validation=True)
    messages = [message for message in report["messages"] if message["severity"] >= WARNING]
    told = {message["error"] for message in messages}
    others = [{"path": "chart", "error": error} for error in report["errors"] if error not in told]
    return [f"{message['path']}: {_line(message['error'])}" for message in (*messages, *others)]


def _line(text: object) -> str:
    return " ".join(str(text).split())
