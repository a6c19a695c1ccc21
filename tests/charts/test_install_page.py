"""The values that docs/install.md shows: taken by Helm as they are, and rendered without a finding."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from robustcert.errors import InputError
from tools.chart.render import render
from tools.lint_chart import lint

BLOCK = re.compile(r"^```yaml\n# values\.yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ALTERNATIVE = re.compile(
    r"`monitoring\.monitors\.enabled`, `\.rules\.enabled` and `\.alertmanagerConfig\.enabled` false"
)


TO_PASTE = "<the line between, from the file>"
KEY = "MCowBQYDK2VwAyEAxEP5rXNHU2OF+esXJp0lpUWTGacRirBb6TBoPmFT8kE="


@pytest.fixture(scope="module")
def values(root: Path) -> dict[str, Any]:
    """The page's file."""
    found = BLOCK.search((root / "docs/install.md").read_text())
    assert found
    return dict(yaml.safe_load(found[1].replace(TO_PASTE, KEY)))


def test_the_page_shows_no_key_that_somebody_could_trust_by_copying_it(values: dict[str, Any], root: Path) -> None:
    assert TO_PASTE in (root / "docs/install.md").read_text()
    copied = {"issuer.pub": f"-----BEGIN PUBLIC KEY-----\n{TO_PASTE}\n-----END PUBLIC KEY-----\n"}
    with pytest.raises(InputError, match=r"expected a public key .* got"):
        render({**values, "trustedKeys": {"keys": copied}})


def test_the_pages_values_are_rendered_without_a_finding(values: dict[str, Any]) -> None:
    assert lint(values).findings == ()
    objects = render(values)
    kinds = [thing["kind"] for thing in objects]
    assert kinds.count("CronJob") == 2
    assert {"PrometheusRule", "ServiceMonitor", "AlertmanagerConfig"} <= set(kinds)


def test_the_pages_way_without_the_operator_leaves_no_object_of_it(values: dict[str, Any], root: Path) -> None:
    page = " ".join((root / "docs/install.md").read_text().split())
    assert ALTERNATIVE.search(page)
    off: dict[str, dict[str, bool]] = {part: {"enabled": False} for part in ("monitors", "rules", "alertmanagerConfig")}
    off["rules"]["configMap"] = True
    objects = render({**values, "monitoring": {**off, "scrapeAnnotations": True}})
    assert not [thing for thing in objects if thing["apiVersion"].startswith("monitoring.coreos.com")]
    annotated = [thing for thing in objects if "prometheus.io/scrape" in thing["metadata"].get("annotations", {})]
    assert {thing["kind"] for thing in annotated} == {"Service"}
