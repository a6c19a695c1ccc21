"""Chart.yaml follows the package's version, and only its two lines."""

from __future__ import annotations

import helm_python
import pytest

from robustcert import __version__
from tools.chart.chart_yaml import PATH, generated, with_version


def test_the_committed_chart_has_the_packages_version_as_helm_reads_it() -> None:
    with helm_python.Chart.load(PATH.parent) as chart:
        assert chart.version == chart.metadata["appVersion"] == __version__
    assert generated() == {PATH: PATH.read_text()}


def test_only_the_two_lines_change() -> None:
    before = PATH.read_text().splitlines()
    after = with_version(PATH.read_text(), "9.8.7-rc.1").splitlines()
    changed = [line for line, old in zip(after, before, strict=True) if line != old]
    assert changed == ["version: 9.8.7-rc.1", "appVersion: 9.8.7-rc.1"]


@pytest.mark.parametrize("text", ["version: 1\n", "version: 1\nversion: 2\nappVersion: 1\n", ""])
def test_a_chart_without_one_line_of_each_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected one line `version:` and one `appVersion:`"):
        with_version(text, "1.2.3")
