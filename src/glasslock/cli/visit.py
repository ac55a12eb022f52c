"""`glasslock visit`: one URL, the whole story."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ..https import Route
    from ..https.client import Progress, VisitResult
    from ..tls import ClientConfig
    from ..trace import TraceRecord
    from ..trust import TrustStore
    from ..views.terminal import Depth


def visit(
    url: Annotated[str, typer.Argument(help="What to visit; https:// may be left out.")],
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="One line.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Every message with its fields and bytes.")] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Save the content; - writes it to standard output.")
    ] = None,
    ca: Annotated[
        list[Path] | None, typer.Option(help="Trust the certificates in this PEM file only. May be repeated.")
    ] = None,
    ca_dir: Annotated[Path | None, typer.Option(help="Trust the certificates in this folder only.")] = None,
    trust: Annotated[str, typer.Option(help="Whose roots to trust: system or certifi.")] = "system",
    json: Annotated[bool, typer.Option("--json", help="Print the trace as JSON (see docs/trace.md).")] = False,
    save: Annotated[Path | None, typer.Option(help="Save the trace as JSON, for `glasslock show`.")] = None,
    keylog: Annotated[
        Path | None, typer.Option(help="Append the secrets to this file, so that Wireshark can decrypt.")
    ] = None,
    http1: Annotated[bool, typer.Option("--http1", help="Offer HTTP/1.1 only.")] = False,
    tls: Annotated[str, typer.Option(help="Speak this version only: 1.3 or 1.2. Default: the better one.")] = "",
    cert: Annotated[Path | None, typer.Option(help="A client certificate in PEM, for sites that ask for one.")] = None,
    key: Annotated[Path | None, typer.Option(help="Its private key in PEM.")] = None,
    ech: Annotated[str, typer.Option(help="The site's ECHConfigList in base64, to hide its name.")] = "",
    connect: Annotated[str, typer.Option(metavar="HOST:PORT", help="Dial this in place of the URL's host.")] = "",
    redirects: Annotated[int, typer.Option(help="How many redirects to follow.")] = 10,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for each answer.")] = 15.0,
) -> None:
    """Visit a URL and tell the story: who answered, who vouches for it, what was agreed, what was protected.

    The exit status is 0 for a padlock; otherwise it says what went wrong (see docs/visit.md).
    """
    from ..adapters.recorder import TraceRecorder
    from ..errors import GlasslockError
    from ..https import visit as https_visit
    from . import exit_codes
    from .depth import depth_of
    from .trust_options import chosen_store

    depth = depth_of(quiet, verbose)
    recorder = TraceRecorder()
    to_stdout = output is not None and str(output) == "-"
    result: VisitResult | None = None
    problem: GlasslockError | None = None
    try:
        with _progress(shown=output is not None and not to_stdout) as progress:
            result = https_visit(
                url,
                config=_config(chosen_store(trust, ca, ca_dir), keylog, tls, cert, key),
                observer=recorder,
                output=None if to_stdout else output,
                progress=progress,
                timeout=timeout,
                route=_route(connect, ech, timeout),
                max_redirects=redirects,
                http2=not http1,
            )
    except GlasslockError as error:
        if not recorder.records:
            raise
        problem = error
    if result is not None and to_stdout:
        sys.stdout.buffer.write(result.content)
        sys.stdout.buffer.flush()
    _tell(recorder.records, depth, json=json, save=save, to_stderr=to_stdout)
    if result is not None and output is not None and not to_stdout:
        _say_saved(result)
    if problem is not None:
        if json or to_stdout or not exit_codes.is_told(problem):
            print(f"glasslock: {problem}", file=sys.stderr)
        raise typer.Exit(exit_codes.of(problem, recorder.records))


def _config(store: TrustStore, keylog: Path | None, tls: str, cert: Path | None, key: Path | None) -> ClientConfig:
    from ..tls import ClientConfig
    from ..trust import ServerCertificateVerifier
    from ..views.keylog import KeyLogFile
    from .tls_options import chosen_versions, own_credential

    credential = own_credential(cert, key)
    return ClientConfig(
        verifier=ServerCertificateVerifier(store),
        versions=chosen_versions(tls),
        credentials=() if credential is None else (credential,),
        key_log=KeyLogFile(keylog) if keylog is not None else None,
    )


def _route(connect: str, ech: str, timeout: float) -> Route:
    from ..https import Route
    from .tls_options import endpoint, from_base64

    return Route(
        connect_to=endpoint(connect) if connect else None,
        ech_configs=from_base64("--ech", ech),
        dial_timeout=timeout,
    )


def _tell(records: list[TraceRecord], depth: Depth, *, json: bool, save: Path | None, to_stderr: bool) -> None:
    from ..views.json_view import to_json
    from ..views.terminal import make_console, render

    if save is not None:
        save.write_text(to_json(records, indent=1) + "\n")
    if json:
        print(to_json(records, indent=1))
    else:
        render(records, depth=depth, console=make_console(stderr=to_stderr))


def _say_saved(result: VisitResult) -> None:
    if result.saved_to is None:
        print(f"glasslock: nothing was saved: the site answered with status {result.status}", file=sys.stderr)
    else:
        print(f"saved {result.length:,} bytes to {result.saved_to}", file=sys.stderr)


@contextlib.contextmanager
def _progress(*, shown: bool) -> Iterator[Progress | None]:
    """A progress bar on standard error, if that is a terminal."""
    if not shown or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("download", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
