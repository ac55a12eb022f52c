"""What Python's own `ssl` says of a chain, asked over a connection in memory."""

from __future__ import annotations

import contextlib
import ssl
import tempfile
from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from .pki import Issued


def python_says(chain: Sequence[Issued], anchors: Sequence[Issued], host: str) -> str:
    """The words of the verification error; empty if `ssl` accepts the chain."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.set_ciphers("DEFAULT@SECLEVEL=2")
    client.load_verify_locations(cadata=b"".join(anchor.pem for anchor in anchors).decode())
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.set_ciphers("DEFAULT@SECLEVEL=0")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "server.pem"
        private = chain[0].key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        file.write_bytes(private + b"".join(one.pem for one in chain))
        server.load_cert_chain(file)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    asking = client.wrap_bio(to_client, to_server, server_hostname=host)
    answering = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        try:
            asking.do_handshake()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLCertVerificationError as error:
            return error.verify_message
        else:
            return ""
        with contextlib.suppress(ssl.SSLWantReadError):
            answering.do_handshake()
    raise AssertionError("the handshake does not end")
