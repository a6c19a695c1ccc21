"""robustcert requests: what the recertification controller does, and what a person asks of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from robustcert.commands.plain_console import plain_console
from robustcert.errors import InputError, expected

if TYPE_CHECKING:
    from robustcert.commands.controller_client import ControllerClient

URL_VARIABLE = "ROBUSTCERT_CONTROLLER_URL"

Request = Mapping[str, Any]

UrlOption = Annotated[
    str, typer.Option("--url", envvar=URL_VARIABLE, help="The controller, such as http://127.0.0.1:8090.")
]
TokenOption = Annotated[Path | None, typer.Option(help="File with a bearer token, read again for each request.")]
CaOption = Annotated[Path | None, typer.Option(help="Authorities that the server's certificate is verified with, PEM.")]
CertificateOption = Annotated[Path | None, typer.Option(help="Client certificate, PEM; its key may be in it.")]
KeyOption = Annotated[Path | None, typer.Option(help="Key of the client certificate, PEM.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print what the controller answered.")]
IdArgument = Annotated[str, typer.Argument(help="Id of a request.")]


def register(app: typer.Typer) -> None:
    """Adds the commands of this file."""
    requests = typer.Typer(
        help="Recertification requests of a controller.", no_args_is_help=True, rich_markup_mode=None
    )
    for name, command in (
        ("list", list_requests),
        ("show", show),
        ("cancel", cancel),
        ("retry", retry),
        ("create", create),
    ):
        requests.command(name)(command)
    app.add_typer(requests, name="requests")


@dataclass(frozen=True, kw_only=True)
class Connection:
    """Where the controller is and who asks."""

    url: str
    token_file: Path | None
    ca_file: Path | None
    client_certificate: Path | None
    client_key: Path | None

    def ask(self, question: Callable[[ControllerClient], Any]) -> Any:
        """The answer to one question; InputError or WorldError in one line."""
        from robustcert.extras import require_modules

        require_modules("httpx")
        from robustcert.commands.controller_client import ControllerClient

        with ControllerClient(self) as client:
            return question(client)


def list_requests(
    url: UrlOption,
    token_file: TokenOption = None,
    ca_file: CaOption = None,
    client_certificate: CertificateOption = None,
    client_key: KeyOption = None,
    state: Annotated[
        str, typer.Option(help="queued, submitting, running, succeeded, dead or cancelled; all where absent.")
    ] = "",
    model: Annotated[str, typer.Option(help="Only those of this model.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest first.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """List requests, the newest first."""
    wanted = {name: value for name, value in {"state": state, "model": model}.items() if value}
    connection = _connection(url, token_file, ca_file, client_certificate, client_key)
    found = connection.ask(lambda client: client.requests(limit=limit, **wanted))
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    elif found:
        _print_table(found)
    else:
        typer.echo("none")


def show(
    request_id: IdArgument,
    url: UrlOption,
    token_file: TokenOption = None,
    ca_file: CaOption = None,
    client_certificate: CertificateOption = None,
    client_key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a request and what was done about it."""
    connection = _connection(url, token_file, ca_file, client_certificate, client_key)
    found, entries = connection.ask(lambda client: (client.request(request_id), client.history(request_id)))
    if as_json:
        typer.echo(json.dumps({"request": found, "history": entries}, indent=2))
        return
    _print_facts(found)
    for entry in entries:
        detail = ", ".join(f"{name} {value}" for name, value in entry["detail"].items() if value)
        _say(f"{entry['at']}  {entry['action']:<12} {entry['actor']:<20} {detail}".rstrip())


def cancel(
    request_id: IdArgument,
    url: UrlOption,
    token_file: TokenOption = None,
    ca_file: CaOption = None,
    client_certificate: CertificateOption = None,
    client_key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """End an open request, and its run where it has one."""
    connection = _connection(url, token_file, ca_file, client_certificate, client_key)
    _print_changed(connection.ask(lambda client: client.act(request_id, "cancel")), as_json=as_json)


def retry(
    request_id: IdArgument,
    url: UrlOption,
    token_file: TokenOption = None,
    ca_file: CaOption = None,
    client_certificate: CertificateOption = None,
    client_key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Queue a dead request again."""
    connection = _connection(url, token_file, ca_file, client_certificate, client_key)
    _print_changed(connection.ask(lambda client: client.act(request_id, "retry")), as_json=as_json)


def create(
    model: Annotated[str, typer.Argument(help="Name under which the certificate is published.")],
    url: UrlOption,
    token_file: TokenOption = None,
    ca_file: CaOption = None,
    client_certificate: CertificateOption = None,
    client_key: KeyOption = None,
    version: Annotated[
        str, typer.Option(help="First 12 digits of the model's SHA-256; the one in force where absent.")
    ] = "",
    key: Annotated[
        str, typer.Option(help="Asked again with the same key, it is the same request. A new one where absent.")
    ] = "",
    source: Annotated[str, typer.Option(help="manual, or schedule where a timer asks.")] = "manual",
    reason: Annotated[str, typer.Option(help="Code such as incident; that of the source where absent.")] = "",
    text: Annotated[str, typer.Option(help="Why, in a line for the audit log.")] = "",
    suspend: Annotated[bool, typer.Option(help="Suspend the certificate in force too.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Ask for a recertification of a model. What was asked is kept when this ends; the run may start later."""
    given = {"model": model, "version": version, "source": source, "reason": reason or None, "text": text}
    connection = _connection(url, token_file, ca_file, client_certificate, client_key)
    found = connection.ask(lambda client: client.create({**given, "suspend": suspend}, key=key or _new_key()))
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    else:
        _say(f"{found['requestId'] or 'no request'}: {found['result']}{', ' * bool(found['state'])}{found['state']}")


def _connection(
    url: str, token_file: Path | None, ca_file: Path | None, client_certificate: Path | None, client_key: Path | None
) -> Connection:
    if client_key is not None and client_certificate is None:
        raise InputError(expected("--client-certificate with --client-key", got="none", remedy="name it"))
    return Connection(
        url=url,
        token_file=token_file,
        ca_file=ca_file,
        client_certificate=client_certificate,
        client_key=client_key,
    )


def _new_key() -> str:
    import uuid

    return str(uuid.uuid4())


def _print_table(found: list[Request]) -> None:
    rows = [("ID", "MODEL", "VERSION", "STATE", "ATTEMPTS", "CREATED", "WHY", "OUTCOME")]
    rows += [
        (
            *(one["id"], one["model"], one["version"], one["state"], str(one["attempts"]), one["createdAt"]),
            *(",".join(one["reasons"]), one["outcome"] or "-"),
        )
        for one in found
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        _say("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _print_facts(found: Request) -> None:
    for name, value in found.items():
        told = ", ".join(value) if isinstance(value, list) else value
        if told not in ("", None):
            _say(f"{name:<18} {told}")


def _print_changed(found: Request, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    else:
        _say(f"{found['id']}: {found['state']}")


def _say(line: str) -> None:
    """One line, of printable characters: it holds texts from elsewhere."""
    printable = "".join(mark if mark.isprintable() else "?" for mark in line)
    plain_console().print(printable)
