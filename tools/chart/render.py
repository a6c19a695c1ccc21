"""The chart as Helm's own engine renders it: values in, Kubernetes objects out, without a cluster.

`chart=` names another folder or archive, such as a copy that a test has broken on purpose.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import helm_python
import yaml

from robustcert.errors import InputError, expected

CHART = Path(__file__).parent.parent.parent / "charts/robustcert"
CI_VALUES = "-values.yaml"
NOTES = "NOTES.txt"

Object = dict[str, Any]


def render(
    values: Mapping[str, Any] | None = None,
    *,
    name: str = "robustcert",
    namespace: str = "robustcert",
    chart: Path = CHART,
) -> list[Object]:
    """Every object of a release in the order of the chart's files; InputError in Helm's own words.

    Helm checks the values by the chart's schema first, as in an installation.
    """
    texts = render_text(values, name=name, namespace=namespace, chart=chart)
    return [item for path, text in texts.items() if not path.endswith(NOTES) for item in _objects(path, text)]


def render_text(
    values: Mapping[str, Any] | None = None,
    *,
    name: str = "robustcert",
    namespace: str = "robustcert",
    chart: Path = CHART,
) -> dict[str, str]:
    """Path of each template, `robustcert/templates/...`, -> the text that it renders to; NOTES.txt is one."""
    given = dict(values or {})
    try:
        with helm_python.Chart.load(str(chart)) as loaded:
            return dict(sorted(loaded.render(given, name=name, namespace=namespace).items()))
    except helm_python.HelmError as error:
        raise InputError(f"{chart}: {str(error).strip()}") from error


def ci_values(chart: Path = CHART) -> dict[str, Object]:
    """Name of each kind of installation that is tried, ci/NAME-values.yaml, -> its values."""
    paths = sorted((chart / "ci").glob(f"*{CI_VALUES}"))
    return {path.name.removesuffix(CI_VALUES): _loaded(path.read_text()) or {} for path in paths}


def _objects(path: str, text: str) -> list[Object]:
    try:
        found = list(yaml.load_all(text, Loader=yaml.CSafeLoader))
    except yaml.YAMLError as error:
        raise InputError(
            expected("YAML", got=f"{path}: {' '.join(str(error).split())}", remedy="mend the template")
        ) from error
    return [item for item in found if item]


def _loaded(text: str) -> Any:
    return yaml.load(text, Loader=yaml.CSafeLoader)
