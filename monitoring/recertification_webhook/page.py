"""The status page: what the controller does now, as HTML that runs nothing and loads nothing."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from html import escape

from monitoring.recertification_webhook.requests import STATES, Figures, Readiness, RequestView
from robustcert import __version__
from robustcert.document import rfc3339

RELOAD_SECONDS = 30
SHORT = 12  # digits of a SHA-256 that are shown

STYLE = """
:root { color-scheme: light dark; --line: #8886; --soft: #8881; --good: #1a7f37; --bad: #c62828; --busy: #1565c0; }
@media (prefers-color-scheme: dark) { :root { --good: #57c26f; --bad: #ff7b72; --busy: #79b8ff; } }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 78rem; padding: 0 1.25rem; }
h1 { font-size: 1.4rem; margin: 0 0 .25rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
p { margin: .25rem 0; } .soft { opacity: .7; }
ul.tiles { display: flex; flex-wrap: wrap; gap: .75rem; list-style: none; margin: 1rem 0; padding: 0; }
ul.tiles li { border: 1px solid var(--line); border-radius: .5rem; min-width: 7rem; padding: .5rem .9rem; }
ul.tiles b { display: block; font-size: 1.5rem; font-weight: 600; line-height: 1.3; }
div.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid var(--line); padding: .45rem .75rem .45rem 0; text-align: left; vertical-align: top; }
th { font-weight: 600; white-space: nowrap; } tbody tr:hover { background: var(--soft); }
code { font: .9em ui-monospace, monospace; } td.time, td.state, td.why { white-space: nowrap; }
.succeeded, .good { color: var(--good); } .dead, .bad { color: var(--bad); font-weight: 600; }
.running, .submitting { color: var(--busy); } .cancelled { opacity: .6; }
"""

_DIGEST = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_DIGEST}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def status_page(requests: Sequence[RequestView], figures: Figures, readiness: Readiness, *, now: datetime) -> str:
    """The page; every text that came from outside is escaped."""
    about = f"robustcert {escape(__version__)} &middot; {rfc3339(now)} &middot; reloads every {RELOAD_SECONDS} s"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="{RELOAD_SECONDS}">
<title>Recertification</title>
<style>{STYLE}</style>
</head>
<body>
<h1>Recertification</h1>
<p class="soft">{about}</p>
{_health(readiness)}
{_tiles(figures)}
{_people(figures)}
<h2>Requests, the newest first</h2>
{_table(requests)}
<p class="soft">More, and what can be done about them: <code>robustcert requests --help</code></p>
</body>
</html>
"""


def _health(readiness: Readiness) -> str:
    if not readiness.database_writable:
        return f'<p class="bad">The database can\'t be written: {escape(readiness.error or "see the log")}</p>'
    age = readiness.loop_age_seconds
    known = f"the last pass of the loop ended {age:.0f} s ago" if age < 1e9 else "the loop has not gone round yet"
    return f'<p><span class="good">Database writable</span>; {known}.</p>'


def _tiles(figures: Figures) -> str:
    counts = {state: figures.requests.get(state, 0) for state in STATES}
    tiles = (f'<li><b class="{state if count else ""}">{count}</b>{state}</li>' for state, count in counts.items())
    return f'<ul class="tiles">{"".join(tiles)}</ul>'


def _people(figures: Figures) -> str:
    """What waits for a person."""
    return "".join(
        f'<p class="bad">{escape(what)}: {_versions(which)}</p>'
        for what, which in (
            ("Recertification failed for good, a person must decide", figures.dead),
            ("Still alerting after a successful recertification", figures.ineffective),
        )
        if which
    )


def _versions(which: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"{escape(model)} <code>{escape(version)}</code>" for model, version in which)


def _table(requests: Sequence[RequestView]) -> str:
    if not requests:
        return "<p>None yet.</p>"
    heads = "".join(f"<th>{name}</th>" for name in ("Model", "State", "Why", "Asked for", "Attempts", "Run", "Outcome"))
    rows = "".join(map(_row, requests))
    table = f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
    return f'<div class="scroll">{table}</div>'


def _row(request: RequestView) -> str:
    cells = (
        f"<td>{escape(request.model)}<br><code>{escape(request.version)}</code></td>",
        f'<td class="state {escape(request.state)}">{escape(request.state)}</td>',
        f'<td class="why">{"<br>".join(map(escape, request.reasons))}</td>',
        f'<td class="time">{rfc3339(request.created_at)}<br><code>{escape(request.id)}</code></td>',
        f"<td>{request.attempts}</td>",
        f"<td>{_run(request)}</td>",
        f"<td>{_outcome(request)}</td>",
    )
    return f"<tr>{''.join(cells)}</tr>"


def _run(request: RequestView) -> str:
    name = f"<code>{escape(request.run_name)}</code>"
    if request.run_url.startswith(("https://", "http://")):
        return f'<a href="{escape(request.run_url)}" rel="noreferrer">{name}</a>'
    return name if request.run_name else ""


def _outcome(request: RequestView) -> str:
    parts = (
        escape(request.outcome),
        f"new certificate <code>{escape(request.certificate[:SHORT])}</code>" if request.certificate else "",
        '<span class="bad">certificate suspended</span>' if request.suspended else "",
        escape(request.last_error),
    )
    return "<br>".join(part for part in parts if part)
