"""`glasslock serve`: HTTPS on this machine, with a certificate that can be trusted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ..https import Site
    from ..tls import Credential
    from ..trace import Observer


def serve(
    what: Annotated[str, typer.Argument(help="A folder, or an ASGI application as module:app.")] = ".",
    host: Annotated[str, typer.Option(help="The name or address to listen on.")] = "localhost",
    port: Annotated[int, typer.Option(help="The port to listen on; 0 picks a free one.")] = 8443,
    name: Annotated[
        list[str] | None, typer.Option(help="Another name or address for the certificate. May be repeated.")
    ] = None,
    cert: Annotated[Path | None, typer.Option(help="Your own certificate chain in PEM, leaf first.")] = None,
    key: Annotated[Path | None, typer.Option(help="Its private key in PEM.")] = None,
    directory: Annotated[Path | None, typer.Option("--ca-dir", help="Where the local authority lives.")] = None,
    client_ca: Annotated[
        Path | None, typer.Option(help="Admit only visitors with a certificate by this authority (PEM).")
    ] = None,
    ech_key: Annotated[
        Path | None, typer.Option(help="An ECH key file (RFC 9934): visitors who have its config hide the name.")
    ] = None,
    tls: Annotated[str, typer.Option(help="Speak this version only: 1.3 or 1.2. Default: both.")] = "",
    workers: Annotated[
        int, typer.Option(min=1, help="So many processes serve, on as many cores; one resumes what another began.")
    ] = 1,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but the URL.")] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Tell the story of each connection, from the server's side.")
    ] = False,
) -> None:
    """Serve a folder or an application over HTTPS, until Ctrl-C.

    Without --cert the certificate comes from the local authority (`glasslock ca`), which is made if there is none.
    """
    from ..https import serve as https_serve
    from ..https import serve_workers
    from .depth import depth_of
    from .tls_options import own_credential, server_engine

    depth_of(quiet, verbose)
    credential, root = own_credential(cert, key), None
    if credential is None:
        credential, root = _local(host, name or [], directory)
    options: dict[str, Any] = {
        "credentials": [credential],
        "host": host,
        "port": port,
        "observer_for": _follower(quiet, verbose),
        "engine": server_engine(tls, client_ca, ech_key),
        "ready": _announcer(root, quiet=quiet),
    }
    if workers == 1:
        https_serve(what, **options)
    else:
        from .run import complain

        serve_workers(what, workers=workers, say=complain, **options)


_THIS_MACHINE = ("localhost", "127.0.0.1", "::1", "", "0.0.0.0", "::")  # noqa: S104 - compared, not bound


def _local(host: str, names: list[str], directory: Path | None) -> tuple[Credential, Path | None]:
    """A certificate for the host, and for this machine's own names if that is what it listens on."""
    from ..authority import Authority
    from ..tls import Credential

    authority = Authority.open_or_create(directory)
    own = ["localhost", "127.0.0.1", "::1"] if host in _THIS_MACHINE else [host]
    issued = authority.issue(list(dict.fromkeys([*own, *names])))
    return Credential.from_key(issued.chain_der, issued.private_key), authority.root_path


def _announcer(root: Path | None, *, quiet: bool) -> Callable[[Site], None]:
    def announce(site: Site) -> None:
        print(site.url, flush=True)
        if quiet or root is None:
            return
        print(f"  root         {root}")
        print(f"  try          glasslock visit --ca {root} {site.url}")
        print("  trust it     glasslock ca init   says how, for each system and browser")
        print("  stop         Ctrl-C\n", flush=True)

    return announce


def _follower(quiet: bool, verbose: bool) -> Callable[[tuple[str, int]], Observer | None]:
    from ..views.terminal import make_console
    from ..views.terminal.live import LineTeller, StoryTeller

    console = make_console()

    def follow(peer: tuple[str, int]) -> Observer | None:
        if quiet:
            return None
        return StoryTeller(console) if verbose else LineTeller(peer, console)

    return follow
