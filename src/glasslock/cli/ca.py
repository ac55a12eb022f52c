"""`glasslock ca`: the local certificate authority."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="Be your own certificate authority: for development, for a home network, for tests.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Directory = Annotated[
    Path | None, typer.Option("--dir", help="Where the authority lives. Default: GLASSLOCK_CA, or your data folder.")
]


@app.command()
def init(
    directory: Directory = None,
    permit: Annotated[
        list[str] | None,
        typer.Option(help="Another domain or network that it may vouch for. May be repeated."),
    ] = None,
    dangerous_unconstrained: Annotated[
        bool,
        typer.Option(
            "--dangerous-unconstrained",
            help="Let it vouch for every name on the Internet: whoever gets its key can be any site to you.",
        ),
    ] = False,
) -> None:
    """Make the authority, if there is none, and say how to trust it. Never overwrites a key."""
    from ..authority import Authority

    authority = Authority.open_or_create(
        directory, also_permit=permit or (), dangerous_unconstrained=dangerous_unconstrained
    )
    print(f"{authority.name}\n  {authority.directory}\n")
    print(authority.trust_instructions())


@app.command()
def issue(
    names: Annotated[list[str], typer.Argument(help="Host names, wildcards or IP addresses.")],
    directory: Directory = None,
    out: Annotated[Path, typer.Option("--out", help="The folder for the certificate and its key.")] = Path(),
    key_type: Annotated[
        str, typer.Option(help="ecdsa-p256, ecdsa-p384, rsa-2048, rsa-3072 or ed25519.")
    ] = "ecdsa-p256",
    days: Annotated[int, typer.Option(help="How long it is valid, within the Baseline Requirements.")] = 90,
    client: Annotated[bool, typer.Option("--client", help="A client's certificate; NAMES is then the name.")] = False,
) -> None:
    """Issue a certificate with a new key, into files that did not exist before (key: mode 0600)."""
    from ..authority import Authority

    authority = Authority.open_or_create(directory)
    if client:
        issued = authority.issue_client(" ".join(names), key_type=key_type, days=days)
    else:
        issued = authority.issue(names, key_type=key_type, days=days)
    out.mkdir(parents=True, exist_ok=True)
    chain, key = out / f"{issued.file_stem}.pem", out / f"{issued.file_stem}-key.pem"
    issued.write(chain, key)
    print(f"certificate  {chain}  (with the intermediate: what a server sends)")
    print(f"private key  {key}  (mode 0600: keep it so)")
    print(f"for          {', '.join(issued.names)}")
    print(f"valid until  {issued.certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC")


@app.command()
def show(directory: Directory = None) -> None:
    """Show the authority, what it may vouch for, and everything that it issued."""
    import time
    from datetime import UTC, datetime

    from ..authority import Authority

    authority = Authority.open(directory)
    scope = authority.constraints or "every name on the Internet (dangerous: it is not constrained)"
    print(f"{authority.name}\n  {authority.directory}")
    print(f"  root valid until {authority.root.not_valid_after_utc:%Y-%m-%d}")
    print(f"  may vouch for {scope}\n")
    history = authority.history()
    if history.damaged_lines:
        print(f"  {history.damaged_lines} damaged lines in its records were passed over\n")
    if not history.issued:
        print("It has issued nothing yet.")
    now = datetime.fromtimestamp(time.time(), UTC)
    for issued in history.issued:
        print(f"{issued.serial:040x}  {issued.status(now):<8}  {', '.join(issued.names)}")


@app.command()
def ech_key(
    public_name: Annotated[str, typer.Argument(help="The name that everybody may see in place of the real ones.")],
    out: Annotated[Path, typer.Option("--out", help="The new key file (RFC 9934, mode 0600).")] = Path("ech.pem"),
) -> None:
    """Make a key for Encrypted ClientHello, and say what to publish: for `serve --ech-key` and `visit --ech`."""
    import base64
    import os

    from ..errors import ConfigurationError
    from ..tls import ECHKey
    from ..tls.ech.config import encode_config_list

    key = ECHKey.generate(public_name)
    try:
        descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise ConfigurationError(
            f"{out} exists already and is not overwritten: move it, or name another file"
        ) from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(key.to_pem())
    print(f"key      {out}  (mode 0600: keep it so)")
    print(f"publish  {base64.b64encode(encode_config_list([key.config])).decode()}")
    print("         (the ech= of the sites' HTTPS records in the DNS, RFC 9848)")
