"""What Prometheus itself finds wrong with the rules of a release: `promtool check rules` over each PrometheusRule."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from tools.chart.checks.release import Finding, Object, look, name_of

SECONDS = 60


def rule_findings(objects: Iterable[Object], *, promtool: Path) -> list[Finding]:
    """One finding for each PrometheusRule, and each ConfigMap's file of rules, that Prometheus does not take."""
    with TemporaryDirectory() as folder:
        asked = [
            (item, path, _problem(text, folder=Path(folder), promtool=promtool))
            for item in objects
            for path, text in _rules(item)
        ]
    return [
        Finding(check="promtool", object=f"{item['kind']}/{name_of(item)}", path=path, message=problem)
        for item, path, problem in asked
        if problem is not None
    ]


def _rules(item: Object) -> list[tuple[str, str]]:
    """Path and text of what an object gives Prometheus."""
    if item.get("kind") == "PrometheusRule":
        return [("spec", yaml.dump(item.get("spec"), Dumper=yaml.CSafeDumper))]
    files = look(item, "data").items() if item.get("kind") == "ConfigMap" else ()
    return [(f"data[{key}]", str(text)) for key, text in files if key.endswith(".rules.yaml")]


def _problem(text: str, *, folder: Path, promtool: Path) -> str | None:
    """What promtool says against a file of rules, in one line; None where it takes it."""
    path = folder / "rules.yaml"
    path.write_text(text, encoding="utf-8")
    told = subprocess.run(
        [str(promtool), "check", "rules", str(path)], capture_output=True, text=True, timeout=SECONDS, check=False
    )
    if told.returncode == 0:
        return None
    return " ".join((told.stderr or told.stdout).replace(str(path), "rules").split())
