"""`robustcert`: the command line. Commands live in robustcert.commands; this file turns errors into one line each.

Exit status: 0 done or verified, 1 the claim does not hold, 2 wrong usage or input, or the world failed, 130 or 143
interrupted or terminated.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from robustcert import __version__
from robustcert.commands import register
from robustcert.commands.plain_console import plain_console
from robustcert.errors import ClaimError, InputError, RobustcertError, expected
from robustcert.extras import EXTRA_OF, missing
from robustcert.storage.atomic import disk_failure

INTERRUPTED = 130  # 128 and the number of SIGINT

HELP = """Reproducible, signed, expiring certificates of a model's adversarial robustness.

    \b
    robustcert init > spec.yaml            a commented specification to start from
    robustcert check spec.yaml             what is wrong with it, with path and line
    robustcert keys new issuer             a signing key, and issuer.pub for auditors
    robustcert run spec.yaml --key issuer  validate, train, attack, certify, sign
    robustcert verify BUNDLE --key issuer.pub
    robustcert submit spec.yaml --store s3://bucket/prefix   the same on Kubeflow
"""


def application() -> typer.Typer:
    """The command line program with all of its commands."""
    app = typer.Typer(
        help=HELP, no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False, rich_markup_mode=None
    )
    app.callback()(_options)
    register(app)
    return app


def main() -> None:
    """Entry point: runs a command; whatever goes wrong on purpose is one line on standard error."""
    signal.signal(signal.SIGTERM, _terminated)
    status = 2
    try:
        _require_text(sys.argv[1:])
        status = int(application()(prog_name="robustcert", standalone_mode=False) or 0)
    except RobustcertError as error:
        _say(str(error))
        status = 1 if isinstance(error, ClaimError) else 2
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in EXTRA_OF:
            raise
        _say(str(missing(str(error.name))))
    except typer.TyperException as error:
        _say_usage(error)
    except OSError as error:
        place = Path(str(error.filename or "a place it did not name"))
        _say(disk_failure(error, wanted="the system to do as it was asked", path=place))
    except KeyboardInterrupt:
        status = INTERRUPTED
    if status == INTERRUPTED:
        _say("interrupted; finished steps are kept, start the same command again to go on")
    sys.exit(status)


def _require_text(arguments: list[str]) -> None:
    """InputError where an argument is not in the encoding of the terminal, since it could not stand in any document."""
    for argument in arguments:
        if not argument.isprintable() and any("\ud800" <= character <= "\udfff" for character in argument):
            raise InputError(expected("arguments in UTF-8", got=ascii(argument[:80]), remedy="write or rename it so"))


def _say_usage(error: typer.TyperException) -> None:
    """One line about wrong usage; the whole help where a command was given nothing at all."""
    message, context = error.format_message(), getattr(error, "ctx", None)
    if "\n" in message or context is None:
        typer.echo(message, err=True)
    else:
        _say(f"{message.rstrip('.')}; see `{context.command_path} --help`")


def _terminated(signal_number: int, frame: object) -> None:
    """Ends as an interruption does, so that no child and no temporary file stays behind."""
    _say("terminated; finished steps are kept, start the same command again to go on")
    sys.exit(128 + signal_number)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"robustcert {__version__}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Options of the program itself."""


def _say(message: str) -> None:
    plain_console(stderr=True).print(f"robustcert: {message}")


if __name__ == "__main__":
    main()
