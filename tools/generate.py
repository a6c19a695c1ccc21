"""Writes every committed file that a program makes; `--check` fails where one is out of date.

    python -m tools.generate [--check]

JSON Schemas, example specifications, dashboards, the controller's OpenAPI, docs/components.md and what the Helm chart
has from tools/chart here; components and pipelines by `pipelines.compile`, first, because the chart carries copies.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from monitoring.dashboards import generate as dashboards
from monitoring.recertification_webhook import openapi
from pipelines import compile as pipelines
from robustcert import specification
from robustcert.certificate import schema as certificate
from robustcert.provenance import run_record
from robustcert.specification_template import template
from tools.chart import chart_yaml, manifests, readme, values_schema, values_yaml
from tools.chart import files as chart_files
from tools.components_page import components_page
from tools.release import mentions

ROOT = Path(__file__).parent.parent


def generated() -> dict[Path, str]:
    """Committed file -> the text it must have."""
    return {path: text for step in STEPS for path, text in step().items()}


def _library() -> dict[Path, str]:
    return {
        ROOT / "robustcert/specification.v1.schema.json": specification.schema_json(),
        ROOT / "robustcert/certificate/certificate.v1.schema.json": certificate.schema_json(),
        ROOT / "robustcert/provenance/run_record.v1.schema.json": run_record.schema_json(),
        ROOT / "examples/digits.yaml": template("digits"),
        ROOT / "examples/breast-cancer.yaml": template("breast-cancer"),
        ROOT / "docs/components.md": components_page(),
        **dashboards.generated(),
        openapi.PATH: openapi.openapi_json(),
        **mentions.generated(),
    }


def _chart() -> dict[Path, str]:
    return {
        **chart_yaml.generated(),
        **values_yaml.generated(),
        **values_schema.generated(),
        **readme.generated(),
        **chart_files.generated(),
    }


STEPS: tuple[Callable[[], dict[Path, str]], ...] = (_library, _chart, manifests.generated)  # each may read the former's


def stale(wanted: dict[Path, str]) -> list[Path]:
    """Files that are missing or have another text."""
    return [path for path, text in wanted.items() if not path.exists() or path.read_text() != text]


def orphans() -> list[Path]:
    """Files that nothing makes any more, in folders that hold nothing else."""
    return [*chart_files.orphans(), *manifests.orphans()]


def main() -> None:
    """Writes what is out of date and removes what nothing makes, or with --check names it and fails."""
    if "--check" in sys.argv[1:]:
        check()
    else:
        write()


def check() -> None:
    """Names what is out of date and fails."""
    outdated = [*stale(generated()), *orphans()]
    for path in outdated:
        print(f"{path.relative_to(ROOT)}: out of date; run `make generate` and commit the result")
    if outdated:
        sys.exit(1)
    pipelines.main()


def write() -> None:
    """Writes what is out of date and removes what nothing makes any more."""
    pipelines.main()
    for step in STEPS:
        wanted = step()
        for path in stale(wanted):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted[path])
            print(f"wrote {path.relative_to(ROOT)}")
    for path in orphans():
        path.unlink()
        print(f"removed {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
