"""The timeline: seconds since it began, in the order of events, printed as they happen."""

from __future__ import annotations

import io

from rich.console import Console

from monitoring.demo.timeline import Timeline


def test_events_carry_the_seconds_since_the_timeline_began() -> None:
    moments = iter([100.0, 101.5, 165.25])
    shown = io.StringIO()
    timeline = Timeline(console=Console(file=shown, width=40), clock=lambda: next(moments))
    timeline.say("traffic", "clean rows")
    timeline.say("alert", "a line that is far longer than the forty columns of this console, and stays one")
    assert [event.at for event in timeline.events] == [1.5, 65.25]
    assert timeline.text().splitlines()[0] == "    1.5 s  traffic         clean rows"
    assert shown.getvalue() == timeline.text()
