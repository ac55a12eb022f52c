"""The same program as in `blocking_ssl`, after one line was changed: its contexts are glasslock's."""

from __future__ import annotations

import ssl
from typing import Any

from glasslock.adapters import SSLContext, create_default_context
from glasslock.registry import CipherSuite, NamedGroup, ProtocolVersion

from ..identity import Identity
from . import blocking_ssl

PINNED: dict[str, Any] = {  # what bench/openssl.cnf says to OpenSSL
    "cipher_suites": (CipherSuite.TLS_AES_128_GCM_SHA256,),
    "groups": (NamedGroup.X25519,),
    "versions": (ProtocolVersion.TLS_1_3,),
}


class Door(blocking_ssl.Door):
    """Two contexts."""

    def __init__(self, identity: Identity) -> None:
        client = create_default_context(cafile=str(identity.root))
        server = SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(identity.chain(0), identity.key(0))
        client.glasslock.engine = server.glasslock.engine = PINNED
        self.client, self.server = client, server
