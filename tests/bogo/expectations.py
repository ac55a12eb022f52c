"""What a test expects of a connection, checked against what the connection says of itself."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from glasslock.errors import ECHRejected
from glasslock.registry import ExtensionType, HandshakeType, ProtocolVersion
from glasslock.tls.handshake.agreed import Agreed
from glasslock.tls.wire import extensions as ext
from glasslock.tls.wire.messages import CertificateRequest, ClientHello
from glasslock.tls.wire.messages12 import CertificateRequest12

from .channel import Channel
from .checks import expect
from .configure import authorities, split_protocols
from .credentials import Credentials, chain
from .flags import Settings
from .story import Story


@dataclass(frozen=True)
class Expectations:
    """Of one connection, or of the part of it after a refused 0-RTT."""

    settings: Settings
    channel: Channel
    story: Story
    credentials: Credentials
    resuming: bool

    @property
    def agreed(self) -> Agreed:
        return self.channel.connection.agreed

    def check_handshake(self, verified: bool) -> None:
        """Once the handshake is done, or as far as it has to be for 0-RTT data."""
        settings, agreed = self.settings, self.agreed
        early = self.channel.in_early_data
        if early and not settings.server:
            return  # the ClientHello is sent, and nothing is known yet
        wanted = self.resuming and not settings.expect_session_miss
        expect("resumed", agreed.resumed and agreed.external_psk is None, wanted)
        self._check_parameters()
        self._check_offer()
        self._check_peer(verified)
        if not self.resuming and (settings.expect_session_id or settings.expect_no_session_id):
            expect("a session by id", self.story.session_stored, settings.expect_session_id)
        if early:
            return
        if settings.expect_accept_early_data or settings.expect_reject_early_data:
            expect("early data accepted", agreed.early_data_accepted, settings.expect_accept_early_data)
        if settings.expect_early_data_reason:
            reason = early_data_reason(self.story, agreed, settings)
            expect("the reason for early data", reason, settings.expect_early_data_reason)

    def _check_parameters(self) -> None:
        settings, agreed = self.settings, self.agreed
        if settings.expect_version:
            expect("version", agreed.version, settings.expect_version)
        for wanted in (settings.expect_cipher, settings.expect_cipher_aes):
            if wanted:
                expect("cipher suite", agreed.cipher_suite, wanted)
        if settings.expect_curve_id:
            expect("group", agreed.group, settings.expect_curve_id)
        if settings.expect_hrr or settings.expect_no_hrr:
            expect("HelloRetryRequest", agreed.retried, settings.expect_hrr)
        if settings.expect_server_name:
            expect("server name", agreed.server_name, settings.expect_server_name)
        expect("ALPN", agreed.alpn or "", settings.select_alpn if settings.server else settings.expect_alpn)
        expect("ECH accepted", agreed.ech_accepted, settings.expect_ech_accept)
        if settings.expect_extended_master_secret:
            expect("extended main secret", agreed.extended_main_secret, True)
        if settings.expect_secure_renegotiation or settings.expect_no_secure_renegotiation:
            expect("RFC 5746", agreed.secure_renegotiation, settings.expect_secure_renegotiation)
        if settings.expect_total_renegotiations:
            expect("renegotiations", 0, settings.expect_total_renegotiations)
        if self.resuming and settings.expect_ticket_age_skew:
            expect("ticket age skew", agreed.ticket_age_skew, settings.expect_ticket_age_skew)
        if settings.expect_selected_credential is not None:
            number = self.credentials.number_of(agreed)
            expect("the credential in use", number, settings.expect_selected_credential)

    def _check_offer(self) -> None:
        """What the peer said that it can do."""
        settings = self.settings
        if settings.expect_advertised_alpn:
            data = self._hello.extensions[ExtensionType.APPLICATION_LAYER_PROTOCOL_NEGOTIATION]
            offered = tuple(name.decode("latin-1") for name in ext.read_protocols(data))
            expect("offered protocols", offered, split_protocols(settings.expect_advertised_alpn))
        if settings.expect_peer_verify_pref:
            expect("the peer's signature schemes", list(self._schemes), settings.expect_peer_verify_pref)
        if settings.expect_client_ca_list:
            expect("the server's authorities", self._named, authorities(settings.expect_client_ca_list))
        if settings.expect_certificate_types:
            types = bytes(self._request12.certificate_types)
            expect("the server's certificate types", types, settings.expect_certificate_types)

    @property
    def _hello(self) -> ClientHello:
        return ClientHello.parse(self.story.received[HandshakeType.CLIENT_HELLO])

    @property
    def _request(self) -> CertificateRequest:
        return CertificateRequest.parse(self.story.received[HandshakeType.CERTIFICATE_REQUEST])

    @property
    def _request12(self) -> CertificateRequest12:
        return CertificateRequest12.parse(self.story.received[HandshakeType.CERTIFICATE_REQUEST])

    @property
    def _schemes(self) -> tuple[int, ...]:
        """The signature schemes that the peer said it can check."""
        if self.agreed.version < ProtocolVersion.TLS_1_3 and not self.settings.server:
            return self._request12.schemes
        extensions = self._hello.extensions if self.settings.server else self._request.extensions
        return ext.read_u16_vector(extensions[ExtensionType.SIGNATURE_ALGORITHMS], "signature_algorithms")

    @property
    def _named(self) -> tuple[bytes, ...]:
        """The authorities that the server named when it asked for a certificate."""
        if self.agreed.version < ProtocolVersion.TLS_1_3:
            return self._request12.authorities
        data = self._request.extensions.get(ExtensionType.CERTIFICATE_AUTHORITIES)
        return ext.read_certificate_authorities(data) if data else ()

    def _check_peer(self, verified: bool) -> None:
        settings, agreed = self.settings, self.agreed
        if settings.expect_verify_result:
            expect("the certificate is good", verified, not settings.verify_fail)
        if settings.expect_peer_signature_algorithm:
            scheme = agreed.client_signature_scheme if settings.server else agreed.signature_scheme
            expect("the peer's signature scheme", scheme, settings.expect_peer_signature_algorithm)
        if settings.expect_ocsp_response:
            expect("OCSP response", agreed.peer_ocsp_response, settings.expect_ocsp_response)
        if settings.expect_signed_cert_timestamps:
            expect("SCT list", agreed.peer_sct_list, settings.expect_signed_cert_timestamps)
        if settings.expect_peer_certificate_type is not None:
            expect("the peer's certificate type", agreed.peer_certificate_type, settings.expect_peer_certificate_type)
        if settings.expect_peer_rpk_sha256:
            key = hashlib.sha256(agreed.peer_chain[0]).digest() if agreed.peer_chain else b""
            expect("the peer's raw public key", key, settings.expect_peer_rpk_sha256)
        if settings.expect_peer_cert_file:
            expect("the peer's chain", agreed.peer_chain, chain(settings.expect_peer_cert_file))
        if settings.expect_no_peer_cert or agreed.external_psk is not None:
            expect("the peer's chain", agreed.peer_chain, ())
        elif not settings.server or settings.require_any_client_certificate:
            expect("a certificate from the peer", bool(agreed.peer_chain), True)

    def check_session(self) -> None:
        """A client has to have got a session by the end, or none."""
        settings, session = self.settings, self.channel.session
        if settings.server:
            return
        if self.agreed.version >= ProtocolVersion.TLS_1_3:  # tickets come after the handshake, if there is time
            wanted = not settings.shim_shuts_down
        else:
            wanted = not self.agreed.resumed or settings.expect_ticket_renewal
        expect("a session", session is not None, wanted and not settings.expect_no_session)
        if session is not None and self.agreed.version >= ProtocolVersion.TLS_1_3:
            supported = session.max_early_data > 0
            expect("a ticket for early data", supported, settings.expect_ticket_supports_early_data)

    def check_rejection(self, error: ECHRejected | None) -> None:
        """Of ECH: what the server gives us to try again with."""
        settings = self.settings
        if settings.expect_ech_retry_configs or settings.expect_no_ech_retry_configs:
            expect("retry configs", error and error.retry_configs, settings.expect_ech_retry_configs)

    def check_messages(self) -> None:
        """Every message, alert and ChangeCipherSpec in order, as BoringSSL's callback hears of them."""
        if self.settings.expect_msg_callback:
            # A ChangeCipherSpec that TLS 1.3 passes over is no news there.
            quiet = self.agreed.version >= ProtocolVersion.TLS_1_3
            told = [message for message in self.story.messages if not (quiet and message == "read ccs")]
            expect("the story", "\n".join([*told, ""]), self.settings.expect_msg_callback)


# What the trace says about early data, and BoringSSL's word for it.
REASONS = {
    "the server takes what we sent ahead": "accept",
    "a fresh, single-use ticket of this suite and protocol": "accept",
    "there is no key from before": "no_session_offered",
    "the session does not allow it": "unsupported_for_session",
    "the ticket does not allow it": "unsupported_for_session",
    "the session's application protocol is not offered any more": "alpn_mismatch",
    "the application protocol is another one": "alpn_mismatch",
    "the first offered key is not the one in use": "session_not_resumed",
    "there was a HelloRetryRequest": "hello_retry_request",
    "this server accepts no early data": "disabled",
}


def early_data_reason(story: Story, agreed: Agreed, settings: Settings) -> str:
    """BoringSSL's word for why early data was taken or not."""
    decision = story.decisions.get("early_data")
    if agreed.version < ProtocolVersion.TLS_1_3:
        return "protocol_version"
    if decision is None:  # nobody offered any
        return "no_session_offered" if settings.enable_early_data else "disabled"
    if decision.why == "the server did not accept it":
        return "peer_declined" if agreed.resumed else "session_not_resumed"
    if decision.why.startswith("the ticket's age is off"):
        return "ticket_age_skew"
    return REASONS.get(decision.why, decision.why)
