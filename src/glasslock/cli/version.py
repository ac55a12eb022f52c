"""`glasslock --version`."""

from __future__ import annotations

from typing import Annotated

import typer


def _print(wanted: bool) -> None:
    if not wanted:
        return
    from cryptography import __version__ as cryptography_version
    from cryptography.hazmat.backends.openssl import backend

    from .. import __version__

    print(f"glasslock {__version__} (cryptography {cryptography_version}, {backend.openssl_version_text()})")
    raise typer.Exit


def version(
    _: Annotated[
        bool, typer.Option("--version", help="Say which version this is.", callback=_print, is_eager=True)
    ] = False,
) -> None:
    """HTTPS you can see through: visit a site, serve one, be your own authority, and watch every step."""
