"""`python -m monitoring.demo`: the whole loop on one machine, printed as it happens."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console

from monitoring.demo.configuration import Places
from monitoring.demo.loop import Figures, show
from monitoring.demo.stage import Order
from monitoring.demo.timeline import Timeline
from monitoring.demo.traffic import FAULTS
from robustcert.errors import RobustcertError

DESCRIPTION = """\
Certifies the digits model, serves it, and watches it with real Prometheus and Alertmanager on loopback. Then the camera
breaks: an alert fires, the controller starts exactly one recertification, and you see what comes of it. Everything is
stopped at the end; what it wrote stays in the folder. Needs Debian's packages prometheus and prometheus-alertmanager.
"""


def main(arguments: list[str] | None = None) -> int:
    """Runs the demo; 0 where the loop closed, 2 with one line where it did not, 130 where it was interrupted."""
    parser = argparse.ArgumentParser(prog="python -m monitoring.demo", description=DESCRIPTION)
    parser.add_argument("--out", type=Path, default=Path("out/demo"), help="folder for everything (out/demo)")
    parser.add_argument("--specification", type=Path, default=Path("examples/digits.yaml"), help="what is certified")
    parser.add_argument(
        "--fault",
        choices=[name for name in FAULTS if name != "none"],
        default="dimmed",
        help="dimmed: the claim still holds, a new certificate; inverted: gross, the certificate is suspended",
    )
    given = parser.parse_args(arguments)
    timeline = Timeline(console=Console(soft_wrap=True))
    order = Order(
        places=Places(folder=given.out.resolve()), specification=given.specification.resolve(), fault=given.fault
    )
    try:
        _conclude(show(order, timeline), timeline, order)
    except RobustcertError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; everything was stopped\n")
        return 130
    return 0


def _conclude(figures: Figures, timeline: Timeline, order: Order) -> None:
    timeline.say("measured", f"fault to alert {figures.to_alert:.1f} s, fault to run {figures.to_run:.1f} s")
    timeline.say("measured", f"the run {figures.run:.1f} s, repair to resolved {figures.to_resolved:.1f} s")
    timeline.say("measured", f"{figures.runs} run for the alert, which ended {figures.outcome}")
    (order.places.folder / "timeline.txt").write_text(timeline.text())
    timeline.say("look", f"{order.places.folder}: timeline.txt, audit.jsonl, bundle/report.html, programs/*/output.log")


if __name__ == "__main__":
    sys.exit(main())
