"""Time of a full render of the Helm chart: load, values against the schema, all templates, by Helm's own engine.

    python -m benchmarks.chart_render --values full

Beside it: the chart without "did you mean?" in its schema, without a schema, without templates, and a trivial chart.
The ways take turns, so that other work on the machine meets all of them alike. Times are of this process: wall, and
processor time of all its threads, which is what the limit is held against where others have the cores too.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tools.chart.render import CHART, ci_values, render_text

SCHEMA = "values.schema.json"
LIMIT = 0.100  # seconds, of the chart as it is


def main() -> None:
    """Prints one line for each way."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--values", choices=sorted(ci_values()), default="full")
    parser.add_argument("--rounds", type=int, default=50)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        charts = {name: make(Path(folder, str(place))) for place, (name, make) in enumerate(WAYS.items())}
        found = measured(charts, ci_values()[given.values], rounds=given.rounds)
    for name, times in found.items():
        wall, processor = (f"{1e3 * statistics.median(one):6.1f} ms, least {1e3 * min(one):6.1f}" for one in times)
        print(f"{name:24} wall {wall}   processor {processor}")
    kept = statistics.median(found["the chart"][1]) < LIMIT
    print(f"{'limit':24} processor {1e3 * LIMIT:.0f} ms: {'kept' if kept else 'broken'}")


def measured(
    charts: Mapping[str, Path], values: Mapping[str, Any], *, rounds: int
) -> dict[str, tuple[list[float], list[float]]]:
    """Name -> wall and processor seconds of each render."""
    found: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in charts}
    for _ in range(rounds):
        for name, chart in charts.items():
            wall, processor = time.perf_counter(), time.process_time()
            render_text(values, chart=chart)
            found[name][0].append(time.perf_counter() - wall)
            found[name][1].append(time.process_time() - processor)
    return found


def _without_meant(folder: Path) -> Path:
    path = _copy(folder) / SCHEMA
    schema = json.loads(path.read_text())
    parts = {name: part for name, part in schema["definitions"].items() if not name.startswith("like-")}
    for part in (schema, *parts.values()):
        part.pop("propertyNames", None)
    path.write_text(json.dumps({**schema, "definitions": parts}))
    return folder


def _without_schema(folder: Path) -> Path:
    (_copy(folder) / SCHEMA).unlink()
    return folder


def _without_templates(folder: Path) -> Path:
    shutil.rmtree(_copy(folder) / "templates")
    return folder


def _trivial(folder: Path) -> Path:
    (folder / "templates").mkdir(parents=True)
    (folder / "Chart.yaml").write_text("apiVersion: v2\nname: trivial\nversion: 0.1.0\n")
    (folder / "values.yaml").write_text("{}\n")
    (folder / "templates/one.yaml").write_text("name: {{ .Release.Name }}\n")
    return folder


def _copy(folder: Path) -> Path:
    return Path(shutil.copytree(CHART, folder))


WAYS: dict[str, Callable[[Path], Path]] = {
    "the chart": _copy,
    "without did you mean": _without_meant,
    "without schema": _without_schema,
    "without templates": _without_templates,
    "trivial chart": _trivial,
}

if __name__ == "__main__":
    main()
