"""What a connection has agreed on so far."""

from __future__ import annotations

from dataclasses import dataclass, field

from ...registry import CertificateType
from ..credentials import Credential


@dataclass(slots=True, eq=False)
class Agreed:
    """Filled in as the handshake goes; read by the user through `Connection.agreed`."""

    version: int = 0
    cipher_suite: int = 0
    group: int | None = None
    server_name: str | None = None
    alpn: str | None = None
    signature_scheme: int | None = None  # with which the server signed
    client_signature_scheme: int | None = None
    # DER certificates, leaf first; of the type raw public key, its one SubjectPublicKeyInfo.
    peer_chain: tuple[bytes, ...] = field(default=(), repr=False)
    peer_certificate_type: int = CertificateType.X509
    own_certificate_type: int = CertificateType.X509
    peer_ocsp_response: bytes | None = field(default=None, repr=False)
    peer_sct_list: bytes | None = field(default=None, repr=False)
    credential: Credential | None = None  # the one of ours that the peer was shown
    resumed: bool = False
    session_began_at: float = 0.0  # if resumed: when the session's first handshake was, in seconds since the Unix epoch
    retried: bool = False
    ech_accepted: bool = False  # the hello that counts was encrypted (RFC 9849)
    external_psk: bytes | None = None  # its identity
    early_data_accepted: bool = False
    ticket_age_skew: float | None = None  # seconds by which the client's view of its ticket's age is off (server)
    extended_main_secret: bool = True
    secure_renegotiation: bool = True  # RFC 5746; TLS 1.3 has no renegotiation at all
    client_random: bytes = b""
    server_random: bytes = b""
    exporter_secret: bytes = field(default=b"", repr=False)
    early_exporter_secret: bytes = field(default=b"", repr=False)
    early_cipher_suite: int = 0  # that early data is under
    main_secret: bytes = field(default=b"", repr=False)  # TLS 1.2
    first_finished: bytes = b""  # TLS 1.2: its verify_data
    peer_record_size_limit: int | None = None

    @property
    def own_chain(self) -> tuple[bytes, ...]:
        """The certificates that the peer was shown, leaf first."""
        return self.credential.chain if self.credential is not None else ()
