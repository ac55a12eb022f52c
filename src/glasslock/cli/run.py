"""Puts the commands together, and sees to it that no traceback reaches a person."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

import typer

from ..errors import GlasslockError
from . import exit_codes
from .ca import app as ca
from .demo import demo
from .serve import serve
from .show import show
from .version import version
from .visit import visit

app = typer.Typer(
    name="glasslock",
    help="HTTPS you can see through: visit a site, serve one, be your own authority, and watch every step.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.callback()(version)
app.command()(visit)
app.command()(serve)
app.command()(demo)
app.command()(show)
app.add_typer(ca, name="ca")


def run(arguments: list[str] | None = None) -> NoReturn:
    """Runs one command and exits."""
    try:
        app(arguments)
    except KeyboardInterrupt:
        complain("interrupted")
        sys.exit(exit_codes.INTERRUPTED)
    except BrokenPipeError:
        # Whoever read our output has gone; nothing is left to say, not even at interpreter shutdown.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(exit_codes.OTHER)
    except GlasslockError as error:
        complain(str(error))
        sys.exit(exit_codes.of(error))
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        complain(f"{where}{error.strerror or error}")
        sys.exit(exit_codes.OTHER)
    sys.exit(0)


def complain(message: str) -> None:
    """One line for a person, on standard error."""
    print(f"glasslock: {message}", file=sys.stderr)
